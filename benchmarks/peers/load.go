//go:build linux

package main

import (
	"container/heap"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"math/rand/v2"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/codecs"
	"chargestream/topics"
)

// Workload is what a fleet of stations sends: at each of them a vehicle plugs in within five
// minutes, has a session of so many samples, and unplugs; then the next one comes.
type Workload struct {
	Stations int
	Sessions int                 // of each station, one after the other; zero is one
	Samples  int                 // meter values of a session
	Every    chargestream.Millis // between two samples
	// Records: a session is one record of start and end, without samples and statuses, as files of
	// the past have them. It lasts for up to recordHours hours.
	Records bool
	// Late: the stations were cut off. All of it arrives within a minute, when the last session has
	// ended. Else each event arrives a second after it happened.
	Late bool
}

// Times of a workload. They lie in the past, so that the same seed gives the same bytes whenever it
// is used.
const (
	loadBegin   chargestream.Millis = 1_772_470_800_000 // 2026-03-02T17:00:00Z
	plugInSpan                      = 5 * chargestream.Minute
	onTime                          = chargestream.Second
	backlog                         = chargestream.Minute // how long late events take to arrive
	known                           = chargestream.Day    // reference data is known before
	pause                           = chargestream.Hour   // between two sessions of a station
	recordsAgo                      = 400 * chargestream.Day
	recordEvery                     = 2 * chargestream.Day // from one record of a station on
	recordHours                     = 16                   // the most that a record lasts
)

// begin is when the first vehicle may come. All of a workload lies in the past.
func (w Workload) begin() chargestream.Millis {
	if w.Records {
		return loadBegin - recordsAgo
	}
	return loadBegin
}

// eventsBeside is how many events a session has beside its samples: a status and the start, the end
// and a status.
const eventsBeside = 4

// Totals are what a workload adds up to.
type Totals struct {
	Events    int64 // without reference data
	Reference int64 // records of stations and tariffs
	Sessions  int64
	EnergyWh  int64 // of all sessions
	Bytes     int64 // of keys, values and headers
	SHA256    string
}

// Events is how many events the workload has, without reference data.
func (w Workload) Events() int64 { return int64(w.Stations) * int64(w.steps()) }

// perSession is how many events a session has.
func (w Workload) perSession() int {
	if w.Records {
		return 1
	}
	return w.Samples + eventsBeside
}

// steps is how many events a station has.
func (w Workload) steps() int { return max(w.Sessions, 1) * w.perSession() }

// Each calls f with the records of the workload in the order in which they arrive, reference data
// first, and returns what they add up to. The same seed gives the same keys, values and headers. A
// record is f's own.
func (w Workload) Each(seed uint64, f func(*kgo.Record) error) (Totals, error) {
	g := &generator{Workload: w, yield: f, digest: sha256.New()}
	if err := g.reference(); err != nil {
		return g.Totals, err
	}
	fleet := make(fleet, w.Stations)
	for i := range fleet {
		fleet[i] = newStation(w, seed, i)
	}
	heap.Init(&fleet)
	for len(fleet) > 0 {
		s := fleet[0]
		if err := g.step(s); err != nil {
			return g.Totals, err
		}
		if s.step < w.steps() {
			heap.Fix(&fleet, 0)
		} else {
			heap.Pop(&fleet)
		}
	}
	g.SHA256 = hex.EncodeToString(g.digest.Sum(nil))
	return g.Totals, nil
}

// generator makes the records of a workload.
type generator struct {
	Workload
	Totals
	yield  func(*kgo.Record) error
	digest hash.Hash
}

// loadTariff is the one tariff of all stations, as OCPI has it.
const loadTariff = `{"country_code":"FR","party_id":"LAB","id":"T-LAB","currency":"EUR",` +
	`"elements":[{"price_components":[{"type":"ENERGY","price":0.45,"vat":20.0,"step_size":1},` +
	`{"type":"FLAT","price":1.00,"vat":20.0,"step_size":1}]}],` +
	`"last_updated":"2020-01-01T00:00:00Z"}`

// reference sends the tariff and the registry.
func (g *generator) reference() error {
	history := chargestream.TariffHistory{TariffID: "T-LAB",
		Versions: []chargestream.TariffVersion{
			{ValidFrom: 1_577_836_800_000, Tariff: json.RawMessage(loadTariff)}}}
	if err := g.sendReference(topics.Tariffs, string(history.TariffID), history); err != nil {
		return err
	}
	for i := range g.Stations {
		s := &chargestream.StationInfo{StationID: stationID(i), Name: string(stationID(i)),
			SiteID:   chargestream.SiteID(fmt.Sprintf("DEPOT%02d", i%depots)),
			Latitude: 48.8 + float64(i%100)/500, Longitude: 2.2 + float64(i/100%100)/250,
			TimeZone: "Europe/Paris", Region: "eu-west", TariffID: history.TariffID,
			MaxPower: 160_000, Connectors: []chargestream.ConnectorInfo{
				{ConnectorID: "1", Type: "CCS", MaxPower: 160_000}}}
		if err := g.sendReference(topics.Stations, string(s.StationID), s); err != nil {
			return err
		}
	}
	return nil
}

func (g *generator) sendReference(topic, key string, v any) error {
	value, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	g.Reference++
	return g.send(topic, key, value, g.begin()-known)
}

// step sends the next event of a station and moves the station on.
func (g *generator) step(s *station) error {
	event, topic := s.event(g.Workload)
	value, err := codecs.EncodeEvent(event)
	if err != nil {
		return fmt.Errorf("encode an event of %s: %w", s.id, err)
	}
	arrival := event.At() + onTime
	if g.Late {
		over := loadBegin + plugInSpan + chargestream.Millis(g.Samples+2)*g.Every
		arrival = over + backlog*chargestream.Millis(g.Totals.Events)/
			chargestream.Millis(g.Workload.Events())
	}
	g.Totals.Events++
	switch e := event.(type) {
	case *chargestream.SessionEnd:
		g.Totals.Sessions++
		g.EnergyWh += int64(*e.Meter - s.began)
	case *chargestream.SessionRecord:
		g.Totals.Sessions++
		g.EnergyWh += int64(*e.End.Energy)
	}
	if s.step++; s.step%g.perSession() == 0 {
		s.comeAgain(g.Workload)
	}
	s.next = s.at(g.Workload)
	return g.send(topic, string(s.id), value, arrival)
}

// send hands over a record and adds it to the totals.
func (g *generator) send(topic, key string, value []byte, arrival chargestream.Millis) error {
	r := &kgo.Record{Topic: topic, Key: []byte(key), Value: value, Headers: []kgo.RecordHeader{
		{Key: topics.HeaderArrival, Value: arrival.Append(nil)}}}
	for _, part := range [][]byte{[]byte(topic), r.Key, r.Value, r.Headers[0].Value} {
		var size [4]byte
		binary.BigEndian.PutUint32(size[:], uint32(len(part)))
		g.digest.Write(size[:])
		g.digest.Write(part)
	}
	g.Bytes += int64(len(r.Key) + len(r.Value) + len(r.Headers[0].Key) + len(r.Headers[0].Value))
	return g.yield(r)
}

// depots is over how many depots the stations are spread.
const depots = 37

func stationID(i int) chargestream.StationID {
	return chargestream.StationID(fmt.Sprintf("DEPOT%02d-%06d", i%depots, i))
}

// station is where one station of a workload stands.
type station struct {
	id      chargestream.StationID
	index   int
	rng     *rand.Rand
	plugIn  chargestream.Millis
	power   int64 // W, the most that its vehicle takes
	began   chargestream.WattHours
	meter   chargestream.WattHours
	user    chargestream.UserID
	session chargestream.SessionID
	step    int // which event comes next
	next    chargestream.Millis
	length  chargestream.Millis // of the next session, where it is a record
}

func newStation(w Workload, seed uint64, index int) *station {
	rng := rand.New(rand.NewPCG(seed, uint64(index)))
	s := &station{id: stationID(index), index: index, rng: rng,
		plugIn: w.begin() + chargestream.Millis(rng.Int64N(int64(plugInSpan))),
		power:  []int64{11_000, 22_000, 50_000, 150_000}[rng.IntN(4)],
		began:  chargestream.WattHours(rng.Int64N(5_000_000)),
		user:   chargestream.UserID(fmt.Sprintf("u%05d", rng.IntN(10_000)))}
	s.session = chargestream.SessionID(fmt.Sprintf("%s-%06d", s.id, rng.IntN(1_000_000)))
	s.meter, s.next = s.began, s.plugIn
	if w.Records {
		s.length = s.drawLength()
		s.next = s.at(w)
	}
	return s
}

// comeAgain lets the next vehicle come to the station.
func (s *station) comeAgain(w Workload) {
	s.plugIn = s.next + pause
	if w.Records {
		s.plugIn, s.length = s.plugIn+recordEvery-s.length, s.drawLength()
	}
	s.began = s.meter
	s.session = chargestream.SessionID(fmt.Sprintf("%s-s%d", s.id, s.step))
}

// drawLength draws how long a session of a record lasts.
func (s *station) drawLength() chargestream.Millis {
	return chargestream.Millis(1+s.rng.Int64N(recordHours*60)) * chargestream.Minute
}

// at is when the next event of the station happens.
func (s *station) at(w Workload) chargestream.Millis {
	const soon = 2 * chargestream.Second
	start := s.plugIn + soon
	step := s.step % w.perSession()
	switch end := w.Samples + 2; {
	case w.Records:
		return s.plugIn + s.length
	case step == 0:
		return s.plugIn
	case step <= end:
		return start + chargestream.Millis(step-1)*w.Every
	default:
		return start + chargestream.Millis(end-1)*w.Every + soon
	}
}

// event is the next event of the station, and its topic.
func (s *station) event(w Workload) (chargestream.Event, string) {
	const connector = "1"
	at := s.next
	if w.Records {
		return s.record(), topics.ChargingSessions
	}
	switch s.step % w.perSession() {
	case 0:
		return &chargestream.StatusReport{StationID: s.id, ConnectorID: connector, Time: at,
			Status: "occupied"}, topics.StationStatus
	case 1:
		began := s.began
		return &chargestream.SessionStart{StationID: s.id, ConnectorID: connector,
			SessionID: s.session, UserID: s.user, Time: at, Meter: &began}, topics.ChargingSessions
	case w.Samples + 2:
		meter := s.meter
		return &chargestream.SessionEnd{StationID: s.id, ConnectorID: connector,
			SessionID: s.session, UserID: s.user, Time: at, Meter: &meter,
			Reason: "EVDisconnected"}, topics.ChargingSessions
	case w.Samples + 3:
		return &chargestream.StatusReport{StationID: s.id, ConnectorID: connector, Time: at,
			Status: "free"}, topics.StationStatus
	}
	power := chargestream.Watts(s.power * (90 + s.rng.Int64N(11)) / 100)
	s.meter += chargestream.WattHours(int64(power) * int64(w.Every) / int64(chargestream.Hour))
	meter := s.meter
	return &chargestream.MeterValue{StationID: s.id, ConnectorID: connector,
		SessionID: s.session, Time: at, Energy: &meter, Power: &power}, topics.MeterValues
}

// record is the next session of the station in one record.
func (s *station) record() *chargestream.SessionRecord {
	const slow = 3 // of what the vehicle takes at most, over the whole session
	energy := chargestream.WattHours(s.power / slow * int64(s.length) / int64(chargestream.Hour))
	r := &chargestream.SessionRecord{Start: chargestream.SessionStart{StationID: s.id,
		ConnectorID: "1", SessionID: s.session, UserID: s.user, Time: s.plugIn}}
	r.End = chargestream.SessionEnd{StationID: s.id, ConnectorID: "1", SessionID: s.session,
		UserID: s.user, Time: s.next, Energy: &energy}
	return r
}

// fleet is a heap of stations, the one whose event comes next first.
type fleet []*station

// Len implements heap.Interface.
func (f fleet) Len() int { return len(f) }

// Less implements heap.Interface.
func (f fleet) Less(i, j int) bool {
	if f[i].next != f[j].next {
		return f[i].next < f[j].next
	}
	return f[i].index < f[j].index
}

// Swap implements heap.Interface.
func (f fleet) Swap(i, j int) { f[i], f[j] = f[j], f[i] }

// Push implements heap.Interface; stations are only removed.
func (f *fleet) Push(x any) {
	if s, ok := x.(*station); ok {
		*f = append(*f, s)
	}
}

// Pop implements heap.Interface.
func (f *fleet) Pop() any {
	last := len(*f) - 1
	s := (*f)[last]
	*f = (*f)[:last]
	return s
}
