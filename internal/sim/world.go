// Package sim is a world to charge in, made of a seed: a depot of company cars that plug in
// within the same hour of the morning, and a city of public AC and DC stations. It yields what
// their stations would say, in the order in which a server would receive it.
//
// Time is virtual: a world never reads a clock, never waits, and gives the same records for the
// same Config on the same architecture. Floats are used for draws only; energy is integrated in
// integer milliwatt-seconds, so that the register of a connector is, to the Wh, what its power
// samples add up to.
//
// The package refuses to know how a record is written as bytes, what a broker is and who reads
// the records. It imports the vocabulary alone.
package sim

import (
	"math/rand/v2"

	"chargestream"
)

// The topics of a Record.
const (
	TopicStatus     = "station-status"
	TopicSessions   = "charging-sessions"
	TopicMeter      = "meter-values"
	TopicHeartbeats = "heartbeats"
)

// What a Config has where it says nothing.
const (
	// DefaultStart is Monday, 2 March 2026, 05:00 local time.
	DefaultStart = chargestream.Millis(1772424000000)
	// DefaultDepotConnectors is the size of the depot that the figures are of.
	DefaultDepotConnectors = companyConnectors
	// DefaultCityStations is a small operator.
	DefaultCityStations = 40
	// DefaultMeterEvery is how often a connector in a session samples its meter.
	DefaultMeterEvery = 30 * chargestream.Second
	// DefaultHeartbeatEvery is how often a station says that it is alive.
	DefaultHeartbeatEvery = 5 * chargestream.Minute
	// DefaultSpan is how long a Burst is.
	DefaultSpan = 15 * chargestream.Minute
)

// EveryMin bounds MeterEvery and HeartbeatEvery from below.
const EveryMin = chargestream.Second

// How long a record is under way from its station to the server.
const (
	networkMin = 50 * chargestream.Millis(1)
	networkMax = 3*chargestream.Second + 1
)

// bootWithin is the span in which the stations of a new world come up.
const bootWithin = 30 * chargestream.Second

// Record is one event, and when and on which topic the server received it. The event is shared
// with its duplicates and must not be changed.
type Record struct {
	Topic   string
	Arrival chargestream.Millis
	Event   chargestream.Event
}

// Config makes a World. Its zero value is a world with every default.
type Config struct {
	Seed            uint64              // default 0, a seed like any other
	Start           chargestream.Millis // virtual time at the begin; default DefaultStart
	DepotConnectors int                 // default 31; negative: no depot
	CityStations    int                 // default 40; negative: no city
	MeterEvery      chargestream.Millis // default 30 s, at least 1 s
	HeartbeatEvery  chargestream.Millis // default 5 min, at least 1 s
	Span            chargestream.Millis // how long a Burst is; default 15 min; only Burst reads it
	Faults          Faults              // default none
}

func (cfg Config) withDefaults() Config {
	orElse := func(value, otherwise chargestream.Millis) chargestream.Millis {
		if value <= 0 {
			return otherwise
		}
		return max(value, EveryMin)
	}
	count := func(n, otherwise int) int {
		if n == 0 {
			return otherwise
		}
		return max(n, 0)
	}
	cfg.Start = orElse(cfg.Start, DefaultStart)
	cfg.MeterEvery = orElse(cfg.MeterEvery, DefaultMeterEvery)
	cfg.HeartbeatEvery = orElse(cfg.HeartbeatEvery, DefaultHeartbeatEvery)
	cfg.Span = orElse(cfg.Span, DefaultSpan)
	cfg.DepotConnectors = count(cfg.DepotConnectors, DefaultDepotConnectors)
	cfg.CityStations = count(cfg.CityStations, DefaultCityStations)
	if cfg.DepotConnectors+cfg.CityStations == 0 {
		cfg.DepotConnectors = 1 // an empty world would have no next record
	}
	return cfg
}

// wakeKind says whom a wake is for.
type wakeKind uint8

const (
	wakeConnector wakeKind = iota // index of a connector
	wakeHeartbeat                 // index of a station
	wakeDay                       // the depot's next local day
	wakeCar                       // a car reaches the depot
	wakeVisit                     // index of a class of the city
)

type wake struct {
	kind  wakeKind
	index int32
}

type station struct {
	info chargestream.StationInfo
	// heard is the arrival of the station's last record that was in order: a station speaks
	// over one connection, and what it says arrives in the order in which it was said.
	heard chargestream.Millis
}

// World is a charging world. It is not safe for concurrent use. Make it with New.
type World struct {
	cfg Config
	now chargestream.Millis

	// Three sources, so that neither the network nor faults change what happens in the world.
	rng, network, bad *rand.Rand

	stations   []station
	connectors []connector
	free       [classCount][]int32 // connectors that a vehicle can take, by class
	plugs      [classCount]int     // connectors by class
	fleet      []chargestream.UserID
	citizens   []chargestream.UserID
	burst      bool

	// wakes holds one entry a connector, station and class, and the cars of one day. pending
	// holds what is under way: networkMax of records, and those that a fault holds back.
	wakes   queue[wake]
	pending queue[Record]
}

// New makes the world that cfg describes, at its start: nothing has happened yet.
func New(cfg Config) *World {
	w := build(cfg)
	for i := range w.connectors {
		w.wakes.push(w.cfg.Start+between(w.rng, 0, bootWithin), wake{wakeConnector, int32(i)})
	}
	if w.plugs[classDepot] > 0 {
		w.wakes.push(w.cfg.Start, wake{wakeDay, 0})
	}
	for class := classAC; class < classCount; class++ {
		w.scheduleVisit(class, w.cfg.Start)
	}
	return w
}

// build makes the stations, all off, and their heartbeats.
func build(cfg Config) *World {
	cfg = cfg.withDefaults()
	stream := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(cfg.Seed, n)) }
	w := &World{cfg: cfg, now: cfg.Start, rng: stream(1), network: stream(2), bad: stream(3)}
	w.buildDepot()
	w.buildCity(stream(4))
	for i := range w.stations {
		first := cfg.Start + bootWithin + between(w.rng, 0, cfg.HeartbeatEvery)
		w.wakes.push(first, wake{wakeHeartbeat, int32(i)})
	}
	return w
}

// Now is the virtual time: the arrival of the last record, or the start before the first.
func (w *World) Now() chargestream.Millis { return w.now }

// Stations is the registry of the world, the depot first. The caller may keep the slice, but
// must not change the connectors in it.
func (w *World) Stations() []chargestream.StationInfo {
	infos := make([]chargestream.StationInfo, len(w.stations))
	for i := range w.stations {
		infos[i] = w.stations[i].info
	}
	return infos
}

// Next is the record that arrives next. There always is one, and Next never waits for it; the
// arrivals of successive records never go back.
func (w *World) Next() Record {
	// What has not happened yet cannot arrive before it happens.
	for len(w.pending.heap) == 0 || w.wakes.heap[0].at < w.pending.heap[0].at {
		w.step()
	}
	next := w.pending.pop()
	w.now = next.at
	return next.item
}

// Journal is the first n records of the world that cfg describes; empty where n is not positive.
func Journal(cfg Config, n int) []Record {
	w := New(cfg)
	records := make([]Record, 0, max(n, 0))
	for range n {
		records = append(records, w.Next())
	}
	return records
}

// step lets the next thing happen.
func (w *World) step() {
	next := w.wakes.pop()
	now, index := next.at, next.item.index
	switch next.item.kind {
	case wakeConnector:
		w.stepConnector(index, now)
	case wakeHeartbeat:
		id := w.stations[index].info.StationID
		w.emit(index, TopicHeartbeats, &chargestream.Heartbeat{StationID: id, Time: now}, now)
		w.wakes.push(now+w.cfg.HeartbeatEvery, next.item)
	case wakeDay:
		w.planDay(now)
	case wakeCar:
		w.plugIn(classDepot, now)
	case wakeVisit:
		w.plugIn(class(index), now)
		w.scheduleVisit(class(index), now)
	}
}

// emit sends what a station says now over the network.
func (w *World) emit(index int32, topic string, e chargestream.Event, now chargestream.Millis) {
	from := &w.stations[index]
	arrival := max(now+between(w.network, networkMin, networkMax), from.heard)
	if topic == TopicHeartbeats { // a station does not keep a heartbeat that it could not send
		from.heard = arrival
		w.deliver(topic, e, arrival)
		return
	}
	if w.hit(w.cfg.Faults.Delayed) {
		late := belibDelay.at(w.bad.Float64())
		arrival = now + chargestream.Millis(late*float64(chargestream.Second))
	} else {
		from.heard = arrival
	}
	w.deliver(topic, e, arrival)
	if w.hit(w.cfg.Faults.Duplicate) {
		w.deliver(topic, e, arrival+between(w.bad, resendMin, resendMax))
	}
}

func (w *World) deliver(topic string, e chargestream.Event, arrival chargestream.Millis) {
	w.pending.push(arrival, Record{Topic: topic, Arrival: arrival, Event: e})
}
