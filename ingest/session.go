package ingest

import (
	"errors"
	"fmt"

	"chargestream"
	"chargestream/codecs"
	"chargestream/topics"
)

// fact is what a row tells of a session.
type fact struct {
	line     int
	start    chargestream.SessionStart
	end      chargestream.SessionEnd
	arrival  chargestream.Millis
	duration chargestream.Millis // as the row tells it; zero where it does not
	twice    bool                // a time of it was shown twice by the clocks
	choices  []span              // what the session may be, where the row does not decide
	skipped  bool                // a time of it was never shown
}

// fact reads a row.
func (m *sessionMap) fact(r *row, latest chargestream.Millis) (*fact, error) {
	f := &fact{start: chargestream.SessionStart{
		StationID:   chargestream.StationID(m.StationID.text(r)),
		ConnectorID: chargestream.ConnectorID(m.ConnectorID.text(r)),
		SessionID:   chargestream.SessionID(m.SessionID.text(r)),
		UserID:      chargestream.UserID(m.UserID.text(r)),
	}}
	if f.start.ConnectorID == "" {
		f.start.ConnectorID = chargestream.ConnectorDefault
	}
	f.end = chargestream.SessionEnd{StationID: f.start.StationID,
		ConnectorID: f.start.ConnectorID, SessionID: f.start.SessionID, UserID: f.start.UserID,
		Reason: m.EndReason.text(r)}
	var start, end, arrival instant
	err := errors.Join(
		set(&start, "start_time", r, m.StartTime.instantOr),
		set(&end, "end_time", r, m.EndTime.instantOr),
		set(&arrival, "arrival_time", r, m.ArrivalTime.instantOr),
		set(&f.start.Meter, "meter_start_wh", r, m.MeterStart.energy),
		set(&f.end.Meter, "meter_stop_wh", r, m.MeterStop.energy),
		m.setEnergy(f, r),
		set(&f.duration, "duration", r, func(_ string, r *row) (chargestream.Millis, error) {
			return m.Duration.duration(r)
		}))
	err = errors.Join(err, r.err, until(latest, "start_time", start.first()),
		until(latest, "end_time", end.first()), until(latest, "arrival_time", arrival.first()))
	if err != nil {
		return nil, err
	}
	f.choose(&start, &end)
	f.arrival = arrival.first()
	return f, nil
}

// until refuses a time that lies behind the latest; zero for any.
func until(latest chargestream.Millis, name string, at chargestream.Millis) error {
	if latest == 0 || at <= latest {
		return nil
	}
	return &codecs.Refusal{Field: name, Value: at.String(), Problem: "lies in the future",
		Expected: "a time up to now is taken", Do: "mend the cell, or the layout of the times"}
}

// setEnergy reads the energy from the field that the map has.
func (m *sessionMap) setEnergy(f *fact, r *row) error {
	for name, column := range map[string]*field{"energy": m.Energy, "energy_wh": m.EnergyWh,
		"energy_kwh": m.EnergyKWh} {
		if column != nil {
			return set(&f.end.Energy, name, r, column.energy)
		}
	}
	return nil
}

func set[T any](into *T, name string, r *row, read func(string, *row) (T, error)) error {
	v, err := read(name, r)
	if err == nil {
		*into = v
	}
	return err
}

func (f *field) instantOr(name string, r *row) (instant, error) {
	if f == nil {
		return instant{}, nil
	}
	return f.instant(name, r)
}

// choose takes the moments of a session whose times were shown twice by the clocks: those that fit
// the duration that is told, else the earlier ones, but for an end that would be before its start.
// Where other rows may tell more, the choices are kept for decide. Without an end the duration
// tells it.
func (f *fact) choose(start, end *instant) {
	f.twice = len(start.at) > 1 || len(end.at) > 1
	f.skipped = start.skipped || end.skipped
	f.start.Time, f.end.Time = start.first(), end.first()
	if f.end.Time == 0 {
		if f.duration > 0 && f.start.Time != 0 {
			f.end.Time = f.start.Time + f.duration
		}
		return
	}
	best := chargestream.Millis(-1)
	for _, from := range start.at {
		for _, to := range end.at {
			off := max(to-from-f.duration, f.duration-(to-from))
			if f.duration > 0 && (best < 0 || off < best) {
				best, f.start.Time, f.end.Time = off, from, to
			}
		}
	}
	if best >= 0 {
		return
	}
	if last := end.at[len(end.at)-1]; f.end.Time < f.start.Time {
		f.end.Time = last
	}
	for _, from := range start.at {
		for _, to := range end.at {
			if from <= to {
				f.choices = append(f.choices, span{from, to})
			}
		}
	}
	if len(f.choices) == 1 {
		f.start.Time, f.end.Time, f.choices = f.choices[0].from, f.choices[0].to, nil
	}
}

// decide chooses, of what a session may be, the first that overlaps the fewest other sessions of
// its connector.
func (f *fact) decide(others []span) {
	least := -1
	for _, c := range f.choices {
		n := 0
		for _, o := range others {
			if c.from < o.to && o.from < c.to {
				n++
			}
		}
		if least < 0 || n < least {
			least, f.start.Time, f.end.Time = n, c.from, c.to
		}
	}
}

// events is the start and, where there is one, the end that a row tells.
func (m *sessionMap) events(f *fact) ([]ordered, error) {
	first, err := sessionRecord(&f.start, f.arrival)
	if err != nil {
		return nil, err
	}
	events := []ordered{{Record: first}}
	if f.end.Time == 0 {
		return events, nil
	}
	arrival := f.arrival
	if m.EndArrival == endArrivalLater && arrival != 0 {
		arrival = max(arrival, f.end.Time)
	}
	last, err := sessionRecord(&f.end, arrival)
	if err != nil {
		return nil, err
	}
	return append(events, ordered{Record: last, end: true}), nil
}

// sessionRecord writes an event and reads it back: what the processors would refuse is refused
// here, where somebody can still mend the file.
func sessionRecord(e chargestream.Event, arrival chargestream.Millis) (Record, error) {
	value, err := codecs.EncodeEvent(e)
	if err != nil {
		return Record{}, fmt.Errorf("write event: %w", err)
	}
	if _, err := codecs.DecodeSession(value); err != nil {
		return Record{}, err
	}
	if arrival == 0 {
		arrival = e.At()
	}
	return Record{Topic: topics.ChargingSessions, Key: string(e.Station()), Value: value,
		Arrival: arrival}, nil
}
