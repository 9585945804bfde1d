package tables

import (
	"chargestream"
)

// measure grows with every merge of samples.
func (s *Session) measure() int64 {
	var m int64
	for i := range s.Quarters {
		m += s.Quarters[i].measure()
	}
	return m
}

// Intervals are the parts of the windows that the session touches: when it was, and what share
// of its energy falls into each. There are none before both start and end are known.
//
// Where there was more than one claim of a start or an end, all windows between the outermost are
// told of the one that counts, so that a window which was told of another before learns better.
func (s *Session) Intervals(id chargestream.SessionID) []HourPart {
	if len(s.Starts) == 0 || len(s.Ends) == 0 {
		return nil
	}
	start, end := &s.Starts[0], &s.Ends[0]
	in := Interval{From: start.At, To: max(end.At, start.At), StartArrival: start.Arrival,
		EndArrival: end.Arrival, StartMeter: start.Meter, EndEnergy: end.Energy,
		EndMeter: end.Meter, Measure: s.measure(), Due: s.due()}
	curve := s.meter().curve()
	var parts []HourPart
	for _, hour := range s.windows() {
		in.Energy = curve.share(hour, hour+chargestream.Hour)
		parts = append(parts, s.stay(id, start.ConnectorID, hour, in))
		for i := range s.Starts {
			if other := s.Starts[i].ConnectorID; other != start.ConnectorID {
				nothing := in
				nothing.To, nothing.Energy = in.From, 0
				parts = append(parts, s.stay(id, other, hour, nothing))
			}
		}
	}
	return parts
}

// windows are the begins of all windows that the session touches, by any of its claims.
func (s *Session) windows() []chargestream.Millis {
	return windowsOf(s.Low, s.LastStart, s.LastEnd)
}

// windowsOf are the begins of the windows from low to the last start and to before the last end:
// what ends where a window begins does not touch it. Of more than SessionSpanMax they are the last,
// and the first one: a start with a wrong date must not push the real windows out.
func windowsOf(low, start, end chargestream.Millis) []chargestream.Millis {
	if low == 0 {
		return nil
	}
	last := max(start, end)
	first := low.Truncate(chargestream.Hour)
	list := []chargestream.Millis{first}
	from := max(
		first+chargestream.Hour,
		(last - chargestream.SessionSpanMax).Truncate(chargestream.Hour),
	)
	for hour := from; hour <= last; hour += chargestream.Hour {
		if hour <= start || hour < end {
			list = append(list, hour)
		}
	}
	return list
}

func (s *Session) stay(id chargestream.SessionID, connector chargestream.ConnectorID,
	hour chargestream.Millis, in Interval) HourPart {
	return HourPart{
		Key: HourKey{StationID: s.StationID, ConnectorID: connector, Start: hour},
		Row: Hour{Stays: []Stay{{ID: id, Interval: in}}}}
}
