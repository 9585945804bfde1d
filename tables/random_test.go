package tables_test

import (
	"fmt"

	"pgregory.net/rapid"

	"chargestream"
	"chargestream/tables"
)

// begin is 2026-03-02T00:00:00Z, a Monday. Random times lie in the hours behind it, and are few,
// so that equal times are common.
const begin = chargestream.Millis(1772409600000)

func of[T any](v T) *T { return &v }

// drawTime draws a time in the first n minutes: a whole minute, or one with a fraction.
func drawTime(t *rapid.T, minutes int, label string) chargestream.Millis {
	at := begin + chargestream.Millis(rapid.IntRange(1, minutes).Draw(t, label))*chargestream.Minute
	if rapid.Bool().Draw(t, label+" is crooked") {
		at += chargestream.Millis(rapid.IntRange(0, 59_999).Draw(t, label+" ms"))
	}
	return at
}

func drawEnergy(t *rapid.T, label string) *chargestream.WattHours {
	if rapid.IntRange(0, 3).Draw(t, label+" is nil") == 0 {
		return nil
	}
	return of(chargestream.WattHours(rapid.IntRange(-5, 60_000).Draw(t, label)))
}

func drawSample(t *rapid.T, minutes int) *chargestream.MeterValue {
	m := &chargestream.MeterValue{StationID: "st", ConnectorID: drawConnector(t),
		Time: drawTime(t, minutes, "sample"), Energy: drawEnergy(t, "register")}
	if rapid.Bool().Draw(t, "has power") {
		m.Power = of(chargestream.Watts(rapid.IntRange(-10, 300).Draw(t, "power")))
	}
	return m
}

func drawConnector(t *rapid.T) chargestream.ConnectorID {
	return rapid.SampledFrom([]chargestream.ConnectorID{"1", "2"}).Draw(t, "connector")
}

// drawQuarter draws the envelope of some samples of the first quarter hour.
func drawQuarter(t *rapid.T) tables.Quarter {
	q := tables.QuarterOf(drawSample(t, 14))
	for range rapid.IntRange(0, 4).Draw(t, "more samples") {
		more := tables.QuarterOf(drawSample(t, 14))
		q.Merge(&more)
	}
	return q
}

// drawSession draws a row that some parts make, each of which a station or a window could send.
func drawSession(t *rapid.T) *tables.Session {
	row := &tables.Session{}
	for range rapid.IntRange(0, 6).Draw(t, "parts") {
		row.Merge(drawSessionPart(t))
	}
	return row
}

func drawSessionPart(t *rapid.T) *tables.Session {
	part := &tables.Session{StationID: "st"}
	switch rapid.IntRange(0, 7).Draw(t, "part") {
	case 0, 1:
		part.Starts = []tables.Start{{At: drawTime(t, 200, "start"), ConnectorID: drawConnector(t),
			Arrival: drawTime(t, 3, "start arrival"), Meter: drawEnergy(t, "start meter"),
			UserID: rapid.SampledFrom([]chargestream.UserID{"u", "v"}).Draw(t, "user")}}
	case 2, 3:
		part.Ends = []tables.End{{At: drawTime(t, 200, "end"), Arrival: drawTime(t, 3,
			"end arrival"),
			Energy: drawEnergy(t, "energy"), Meter: drawEnergy(t, "end meter"),
			Reason: rapid.SampledFrom([]string{"", "Local"}).Draw(t, "reason")}}
	case 4, 5:
		part.Quarters = []tables.Quarter{tables.QuarterOf(drawSample(t, 60))}
	case 6:
		part.Settled = rapid.Bool().Draw(t, "settled")
		part.Overdue = !part.Settled
	case 7:
		part = &tables.Session{Verdict: tables.Verdict{Known: rapid.Bool().Draw(t, "known")}}
		if rapid.Bool().Draw(t, "copy") {
			part.Verdict.DuplicateOf = tables.Origin{Arrival: drawTime(t, 3, "origin"),
				ID: rapid.SampledFrom([]chargestream.SessionID{"a", "b"}).Draw(t, "origin id")}
			part.Verdict.Self = "me"
		}
	}
	return part
}

var hourKey = tables.HourKey{StationID: "st", ConnectorID: "1", Start: begin}

// drawHour draws a row that some parts make.
func drawHour(t *rapid.T) *tables.Hour {
	row := &tables.Hour{}
	for range rapid.IntRange(0, 8).Draw(t, "parts") {
		row.Merge(drawHourPart(t))
	}
	return row
}

func drawHourPart(t *rapid.T) *tables.Hour {
	part := &tables.Hour{Through: rapid.IntRange(0, 5).Draw(t, "through") == 0,
		Closed: rapid.IntRange(0, 5).Draw(t, "closed") == 0}
	switch rapid.IntRange(0, 4).Draw(t, "part") {
	case 0:
		part.Carry = drawTransition(t)
		part.Carry.At -= chargestream.Hour
		part.Carry.Arrival = 0
	case 1:
		part.Transitions = []tables.Transition{drawTransition(t)}
	case 2:
		sample := drawSample(t, 59)
		q := tables.QuarterOf(sample)
		part.Loads = []tables.Load{{Start: q.Start, Peak: q.Peak, Sampled: q.Sampled,
			Charging: q.Charging}}
	case 3:
		part.Stays = []tables.Stay{{ID: drawStayID(t), Begins: []tables.Begin{{
			At: drawTime(t, 59, "start"), Arrival: drawTime(t, 3, "start arrival")}}}}
	case 4:
		from := drawTime(t, 150, "from") - chargestream.Hour
		part.Stays = []tables.Stay{{ID: drawStayID(t), Interval: tables.Interval{From: from,
			To: from + chargestream.Millis(rapid.IntRange(0, 5_000_000).Draw(t,
				"length")),
			StartArrival: drawTime(t, 3, "start arrival"), EndArrival: drawTime(t, 3,
				"end arrival"),
			Measure: rapid.Int64Range(0, 2).Draw(t, "measure"),
			Energy:  chargestream.WattHours(rapid.IntRange(0, 2).Draw(t, "energy"))}}}
	}
	return part
}

func drawStayID(t *rapid.T) chargestream.SessionID {
	return chargestream.SessionID(fmt.Sprint("s", rapid.IntRange(1, 3).Draw(t, "stay")))
}

func drawTransition(t *rapid.T) tables.Transition {
	tr := tables.Transition{At: drawTime(t, 59, "transition"),
		State:   chargestream.State(rapid.IntRange(1, 5).Draw(t, "state")),
		Arrival: drawTime(t, 90, "transition arrival")}
	if tr.State == chargestream.StateOccupied {
		tr.Activity = chargestream.Activity(rapid.IntRange(0, 2).Draw(t, "activity"))
	}
	return tr
}

// arrived is an event with its arrival.
type arrived struct {
	event   chargestream.Event
	arrival chargestream.Millis
}

// drawEvents draws events of one station of the first ten hours, of which none comes from a
// clock that is ahead.
func drawEvents(t *rapid.T) []arrived {
	var list []arrived
	for range rapid.IntRange(0, 30).Draw(t, "events") {
		at := drawTime(t, 600, "event")
		list = append(list, arrived{event: drawEvent(t, at),
			arrival: at + chargestream.Millis(rapid.IntRange(0, 7_200_000).Draw(t, "delay"))})
	}
	return list
}

func drawEvent(t *rapid.T, at chargestream.Millis) chargestream.Event {
	session := chargestream.SessionID(fmt.Sprint("s", rapid.IntRange(1, 4).Draw(t, "session")))
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0, 1:
		words := []string{"Available", "Charging", "SuspendedEV", "Faulted", "Reserved", "occupied"}
		return &chargestream.StatusReport{StationID: "st", ConnectorID: drawConnector(t), Time: at,
			Status: rapid.SampledFrom(words).Draw(t, "word")}
	case 2:
		m := drawSample(t, 600)
		m.Time = at
		if rapid.Bool().Draw(t, "of a session") {
			m.SessionID = session
		}
		return m
	case 3:
		return &chargestream.SessionStart{StationID: "st", ConnectorID: drawConnector(t),
			SessionID: session, UserID: "u", Time: at, Meter: drawEnergy(t, "start meter")}
	case 4:
		if session == "s4" { // its only end names no connector
			return &chargestream.SessionEnd{StationID: "st", SessionID: session,
				Time: begin + 5*chargestream.Hour}
		}
		return &chargestream.SessionEnd{StationID: "st", SessionID: session, Time: at,
			ConnectorID: drawConnector(t), Meter: drawEnergy(t, "end meter"),
			Energy: drawEnergy(t, "energy"), Reason: "Local"}
	}
	return &chargestream.Heartbeat{StationID: "st", Time: at}
}
