package e2e

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/codecs"
	"chargestream/engine"
	"chargestream/internal/sim"
	"chargestream/processors"
	"chargestream/topics"
)

// How much of a journal is not as it should be, in thousandths of the events of the world, and how
// many records there are for Count.
const (
	badPerMille       = 10  // records that must become dead letters
	astrayPerMille    = 20  // statuses and heartbeats that are put beside their key's partition
	strayPerMille     = 5   // stations with all records in other partitions than their key's
	againPerMille     = 3   // records that come twice
	countPerMille     = 200 // records for Count
	countBadPerMille  = 20  // of these: without a number, in the wrong place
	countKeys         = 300
	countNumberMax    = 1000
	journalSettleTime = 3 * chargestream.Day
)

// Entry is one record of a Journal.
type Entry struct {
	Topic     string
	Key       string
	NoKey     bool // the record has none
	Value     []byte
	Arrival   chargestream.Millis
	Partition int32 // where it is put
	Reason    processors.Reason
	Again     bool // the same was there before
}

// Journal is what a run puts in, and what must become of it: the events of a simulated world, and
// among them records that are bad, doubled, or in the wrong partition.
type Journal struct {
	Entries []Entry
	// Stray are stations that the world does not have.
	Stray []chargestream.StationID
	// End is a moment at which everything in the journal is long over.
	End chargestream.Millis
}

// JournalConfig makes a Journal.
type JournalConfig struct {
	Seed       uint64
	Events     int // of the world; what is wrong comes on top
	Partitions int32
	// Depot is how many connectors the depot of the world has, City how many stations its city.
	Depot, City int
}

// World is the world of the journal.
func (c JournalConfig) World() sim.Config {
	return sim.Config{Seed: c.Seed, DepotConnectors: c.Depot, CityStations: c.City}
}

// NewJournal makes the journal of a configuration: the same for the same.
//
// A record in the wrong partition comes to its own late, by as much as a fault lasts. So of the
// world's own records only those are misplaced on which no bill depends; the stray stations send
// whole sessions in one record. Bills would be right in the end for others too, but by way of
// corrections that a run without faults does not make.
func NewJournal(c JournalConfig) (*Journal, error) {
	j := &journalist{rng: rand.New(rand.NewPCG(c.Seed, 1)), partitions: c.Partitions}
	for _, r := range sim.Journal(c.World(), c.Events) {
		value, err := codecs.EncodeEvent(r.Event)
		if err != nil {
			return nil, err
		}
		j.world(Entry{Topic: r.Topic, Key: string(r.Event.Station()), Value: value,
			Arrival: r.Arrival})
		j.End = max(j.End, r.Arrival+journalSettleTime)
	}
	return &j.Journal, nil
}

// journalist writes a Journal.
type journalist struct {
	Journal
	rng        *rand.Rand
	partitions int32
	bad        int // serial number of bad records, which makes each of them different
}

func (j *journalist) hit(perMille int) bool { return j.rng.IntN(1000) < perMille }

// put adds an entry in the partition of its key, or beside it.
func (j *journalist) put(e Entry, astray bool) {
	e.Partition = engine.PartitionOf(e.Key, j.partitions)
	if astray {
		e.Partition = (e.Partition + 1 + j.rng.Int32N(j.partitions-1)) % j.partitions
	}
	j.Entries = append(j.Entries, e)
}

// world adds a record of the world, and with some luck what is wrong.
func (j *journalist) world(e Entry) {
	harmless := e.Topic == topics.StationStatus || e.Topic == topics.Heartbeats
	astray := harmless && j.hit(astrayPerMille)
	j.put(e, astray)
	// Two copies that came by two ways could not be distinguished.
	if j.hit(againPerMille) && !astray {
		again := e
		again.Again = true
		j.put(again, false)
	}
	if j.hit(badPerMille) {
		j.addBad(e.Key, e.Arrival)
	}
	if j.hit(strayPerMille) {
		j.addStray(e.Arrival)
	}
	if j.hit(countPerMille) {
		j.addCount(e.Arrival)
	}
}

// addCount adds a record for Count.
func (j *journalist) addCount(arrival chargestream.Millis) {
	e := Entry{Topic: CountInput, Key: "key-" + strconv.Itoa(j.rng.IntN(countKeys)),
		Value: strconv.AppendInt(nil, j.rng.Int64N(countNumberMax), 10), Arrival: arrival}
	if j.hit(countBadPerMille) {
		e.Value = [][]byte{nil, {}, []byte("no number")}[j.rng.IntN(3)]
	}
	j.put(e, j.hit(countBadPerMille))
}

// addStray adds all records of a stray station: a session, a status and a sample.
func (j *journalist) addStray(arrival chargestream.Millis) {
	id := chargestream.StationID("stray-" + strconv.Itoa(len(j.Stray)))
	j.Stray = append(j.Stray, id)
	send := func(topic, format string, args ...any) {
		j.put(Entry{Topic: topic, Key: string(id), Arrival: arrival,
			Value: fmt.Appendf(nil, `{"station_id":%q,`+format+"}",
				append([]any{id}, args...)...)}, true)
	}
	begin := arrival - chargestream.Hour
	send(topics.ChargingSessions, `"session_id":"%s-s","user_id":"u","start_time":%q,`+
		`"end_time":%q,"energy_kwh":%d.5`, id, begin, arrival, j.rng.IntN(40))
	send(topics.StationStatus, `"timestamp":%q,"status":"Finishing"`, arrival)
	send(topics.MeterValues, `"timestamp":%q,"power_w":%d`, arrival, j.rng.IntN(11_000))
}

// badKind is one way in which a record can be wrong.
type badKind struct {
	reason processors.Reason
	topic  string
	value  func(id string, at chargestream.Millis) string // "" for a tombstone
	key    func(e *Entry)                                 // nil: the station's
}

// addBad adds a record that must become a dead letter, in the name of a station of the world. Some
// lie in the wrong partition besides.
func (j *journalist) addBad(station string, arrival chargestream.Millis) {
	kinds := badKinds()
	kind := kinds[j.bad%len(kinds)]
	j.bad++
	e := Entry{Topic: kind.topic, Key: station, Arrival: arrival, Reason: kind.reason}
	if kind.value != nil {
		e.Value = []byte(strings.ReplaceAll(kind.value(station, arrival), "SERIAL",
			strconv.Itoa(j.bad)))
	}
	if kind.key != nil {
		kind.key(&e)
	}
	if e.Key == "" {
		e.Partition = j.rng.Int32N(j.partitions)
		j.Entries = append(j.Entries, e)
		return
	}
	j.put(e, j.hit(200))
}

func badKinds() []badKind {
	text := func(format string) func(string, chargestream.Millis) string {
		return func(id string, at chargestream.Millis) string {
			return strings.NewReplacer("ID", id, "AT", at.String()).Replace(format)
		}
	}
	heartbeat := `{"station_id":"ID","timestamp":"AT","x":SERIAL}`
	beat := func(off chargestream.Millis) func(string, chargestream.Millis) string {
		return func(id string, at chargestream.Millis) string {
			return text(heartbeat)(id, at+off)
		}
	}
	long := strings.Repeat("x", topics.RecordBytesMax)
	malformed := processors.ReasonMalformed
	return []badKind{
		{malformed, topics.ChargingSessions, text(`not JSON SERIAL`), nil},
		{
			malformed,
			topics.MeterValues,
			text(`{"station_id":"ID","timestamp":"AT","x":SERIAL`),
			nil,
		},
		{malformed, topics.StationStatus, text("\xff\xfe\x00 SERIAL"), nil},
		{malformed, topics.MeterValues,
			text(`{"station_id":"ID","timestamp":"AT","energy_wh":{"a":SERIAL}}`), nil},
		{malformed, topics.StationStatus,
			text(`{"station_id":"ID","timestamp":"AT","status":"Dancing SERIAL"}`), nil},
		{malformed, topics.ChargingSessions,
			text(`{"station_id":"ID","session_id":"s","user_id":"u","end_time":"AT","x":SERIAL}`),
			nil},
		{malformed, topics.Heartbeats, text(`{"timestamp":"AT","x":SERIAL}`), nil},
		{malformed, topics.Heartbeats, text(`{"station_id":"ID","x":SERIAL}`), nil},
		{processors.ReasonNullValue, topics.Heartbeats, nil, nil},
		{processors.ReasonNullValue, topics.MeterValues, nil, nil},
		{processors.ReasonNullKey, topics.Heartbeats, text(`{"timestamp":"AT","x":SERIAL}`),
			func(e *Entry) { e.Key, e.NoKey = "", true }},
		{processors.ReasonNullKey, topics.StationStatus, text(`{"timestamp":"AT","x":SERIAL}`),
			func(e *Entry) { e.Key = "" }},
		{processors.ReasonKeyMismatch, topics.Heartbeats, beat(0),
			func(e *Entry) { e.Key += "-not" }},
		{processors.ReasonFuture, topics.Heartbeats, beat(2 * chargestream.Day), nil},
		{processors.ReasonLate, topics.Heartbeats, beat(-2 * chargestream.Day), nil},
		{processors.ReasonOversized, topics.StationStatus,
			text(`{"station_id":"ID","x":"` + long + `","y":SERIAL}`), nil},
	}
}

// Record is the entry as it is produced.
func (e *Entry) Record() *kgo.Record {
	r := &kgo.Record{Topic: e.Topic, Partition: e.Partition, Value: e.Value,
		Headers: []kgo.RecordHeader{
			{Key: topics.HeaderArrival, Value: []byte(e.Arrival.String())}}}
	if !e.NoKey {
		r.Key = []byte(e.Key)
	}
	return r
}
