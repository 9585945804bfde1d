//go:build linux

package main

import (
	"fmt"
	"slices"

	"chargestream"
	"chargestream/codecs"
	"chargestream/topics"
)

// How much a row keeps: what is older is dropped.
const (
	gokaSessionsMax = 4
	gokaHoursMax    = 4
)

// gokaStation is the row of a station: what the twin keeps in its three stores.
type gokaStation struct {
	status   string
	since    int64
	lastSeen int64
	energyWh int64
	powerW   int64
	events   int64
	// newest is the time of the newest event of each topic: of different topics goka may read one
	// hours before the other.
	newest   [gokaKinds]int64
	sessions []gokaSession // in the order in which they were first seen
	hours    []gokaHour    // in the order of time
}

// The kinds of event that newest has a time for.
const (
	gokaStatus = iota
	gokaMeter
	gokaStartOrEnd
	gokaKinds
)

// gokaSession is what is known of a session. Times are zero where they are not known.
type gokaSession struct {
	id, user    string
	start, end  int64
	first, last int64 // registers of start and end
	peakW       int64
	samples     int64
	invoiced    bool
}

// gokaHour is for how long the station was occupied in an hour.
type gokaHour struct{ start, occupied int64 }

// emit sends a record of an output.
type emit func(topic, key string, value []byte)

// lateAfter is how far behind the newest event one is an anomaly.
const lateAfter = int64(chargestream.Hour)

// fold merges an event. The result does not depend on the order of topics, but for the hours, which
// would need a row that can be merged in any order.
func (s *gokaStation) fold(key string, event chargestream.Event, send emit) {
	at := int64(event.At())
	s.late(key, event, at, send)
	s.events++
	if s.status == "occupied" && s.lastSeen > 0 && at > s.lastSeen {
		s.occupied(key, s.lastSeen, at, send)
	}
	switch e := event.(type) {
	case *chargestream.StatusReport:
		if at >= s.since && e.Status != s.status {
			s.status, s.since = e.Status, at
		}
	case *chargestream.MeterValue:
		s.meter(key, e, send)
	case *chargestream.SessionStart:
		one := s.session(string(e.SessionID))
		one.user, one.start, one.first = string(e.UserID), at, int64(*e.Meter)
		s.bill(key, one, send)
	case *chargestream.SessionEnd:
		one := s.session(string(e.SessionID))
		one.end, one.last = at, int64(*e.Meter)
		s.bill(key, one, send)
	}
	s.lastSeen = max(s.lastSeen, at)
}

// late sends an anomaly for an event that is far behind the newest one of its topic.
func (s *gokaStation) late(key string, event chargestream.Event, at int64, send emit) {
	kind := gokaStartOrEnd
	switch event.(type) {
	case *chargestream.StatusReport:
		kind = gokaStatus
	case *chargestream.MeterValue:
		kind = gokaMeter
	}
	if at < s.newest[kind]-lateAfter {
		send(topics.Anomalies, key, fmt.Appendf(nil, `{"kind":"late","station_id":%q}`, key))
	}
	s.newest[kind] = max(s.newest[kind], at)
}

func (s *gokaStation) meter(key string, e *chargestream.MeterValue, send emit) {
	energy, power := int64(*e.Energy), int64(*e.Power)
	if energy < s.energyWh {
		send(topics.Anomalies, key,
			fmt.Appendf(nil, `{"kind":"meter_regression","station_id":%q}`, key))
	}
	s.energyWh, s.powerW = energy, power
	one := s.session(string(e.SessionID))
	one.peakW = max(one.peakW, power)
	one.samples++
}

// session is the entry of a session, made if there is none.
func (s *gokaStation) session(id string) *gokaSession {
	i := slices.IndexFunc(s.sessions, func(one gokaSession) bool { return one.id == id })
	if i < 0 {
		if len(s.sessions) == gokaSessionsMax {
			s.sessions = slices.Delete(s.sessions, 0, 1)
		}
		s.sessions = append(s.sessions, gokaSession{id: id})
		i = len(s.sessions) - 1
	}
	return &s.sessions[i]
}

// bill sends the invoice of a session that has a start and an end.
func (s *gokaStation) bill(key string, one *gokaSession, send emit) {
	if one.invoiced || one.start == 0 || one.end == 0 {
		return
	}
	one.invoiced = true
	energy := one.last - one.first
	cents := (energy*45 + (one.end-one.start)/30) / 1000
	send(topics.Invoices, one.id, fmt.Appendf(nil, `{"invoice_id":"inv-%s","session_id":%q,`+
		`"station_id":%q,"user_id":%q,"energy_wh":%d,"amount_cents":%d}`, one.id, one.id, key,
		one.user, energy, cents))
}

// occupied adds a span to the hours that it covers, and sends those that are over.
func (s *gokaStation) occupied(key string, from, to int64, send emit) {
	const hour = int64(chargestream.Hour)
	for start := from / hour * hour; start < to; start += hour {
		i := slices.IndexFunc(s.hours, func(h gokaHour) bool { return h.start == start })
		if i < 0 {
			if len(s.hours) == gokaHoursMax {
				s.hours = slices.Delete(s.hours, 0, 1)
			}
			s.hours = append(s.hours, gokaHour{start: start})
			i = len(s.hours) - 1
		}
		h := &s.hours[i]
		h.occupied += min(to, start+hour) - max(from, start)
		if to >= start+hour {
			send(topics.Utilization, key, fmt.Appendf(nil,
				`{"station_id":%q,"window_start":%q,"occupied_s":%d}`, key,
				chargestream.Millis(start).String(), h.occupied/1000))
		}
	}
}

// The row's kind and version, as codecs has them.
const (
	gokaKind    codecs.Kind = 'G'
	gokaVersion             = 1
)

// append writes the row.
func (s *gokaStation) append(buf []byte) []byte {
	w := codecs.NewWriter(buf, gokaKind, gokaVersion)
	w.Text(s.status)
	for _, n := range []int64{s.since, s.lastSeen, s.energyWh, s.powerW, s.events} {
		w.Int(n)
	}
	for _, n := range s.newest {
		w.Int(n)
	}
	w.Uint(uint64(len(s.sessions)))
	for i := range s.sessions {
		one := &s.sessions[i]
		w.Text(one.id)
		w.Text(one.user)
		for _, n := range []int64{one.start, one.end, one.first, one.last, one.peakW,
			one.samples} {
			w.Int(n)
		}
		invoiced := byte(0)
		if one.invoiced {
			invoiced = 1
		}
		w.Byte(invoiced)
	}
	w.Uint(uint64(len(s.hours)))
	for _, h := range s.hours {
		w.Int(h.start)
		w.Int(h.occupied)
	}
	return w.Bytes()
}

// decodeGokaStation reads what append wrote.
func decodeGokaStation(row []byte) (*gokaStation, error) {
	r, err := codecs.NewReader(row, gokaKind, gokaVersion)
	if err != nil {
		return nil, fmt.Errorf("row of a station: %w", err)
	}
	s := &gokaStation{status: r.Text()}
	for _, n := range []*int64{&s.since, &s.lastSeen, &s.energyWh, &s.powerW, &s.events} {
		*n = r.Int()
	}
	for i := range s.newest {
		s.newest[i] = r.Int()
	}
	s.sessions = make([]gokaSession, r.Count())
	for i := range s.sessions {
		one := &s.sessions[i]
		one.id, one.user = r.Text(), r.Text()
		for _, n := range []*int64{&one.start, &one.end, &one.first, &one.last, &one.peakW,
			&one.samples} {
			*n = r.Int()
		}
		one.invoiced = r.Byte() == 1
	}
	s.hours = make([]gokaHour, r.Count())
	for i := range s.hours {
		s.hours[i] = gokaHour{r.Int(), r.Int()}
	}
	if err := r.Close(); err != nil {
		return nil, fmt.Errorf("row of a station: %w", err)
	}
	return s, nil
}
