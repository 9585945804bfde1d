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
	if rapid.IntRange(0, 3).Draw(t, "has current") == 0 {
		m.Current = of(chargestream.Milliamps(rapid.IntRange(-10, 300).Draw(t, "current")))
	}
	return m
}

// drawArrival draws when something of a moment arrives: within the grace, or late.
func drawArrival(t *rapid.T, at chargestream.Millis) chargestream.Millis {
	most := rapid.SampledFrom([]int64{0, 5000, 600_000, 7_200_000}).Draw(t, "delay is up to")
	return at + chargestream.Millis(rapid.Int64Range(0, most).Draw(t, "delay"))
}

// drawLateQuarter draws the envelope of a sample that may be late.
func drawLateQuarter(t *rapid.T, minutes int) tables.Quarter {
	m := drawSample(t, minutes)
	m.SessionID = rapid.SampledFrom([]chargestream.SessionID{"", "s1"}).Draw(t, "named")
	return tables.QuarterOf(m, drawArrival(t, m.Time))
}

func drawConnector(t *rapid.T) chargestream.ConnectorID {
	return rapid.SampledFrom([]chargestream.ConnectorID{"1", "2"}).Draw(t, "connector")
}

// drawQuarter draws the envelope of some samples of the first quarter hour, none of them late.
func drawQuarter(t *rapid.T) tables.Quarter {
	draw := func() tables.Quarter {
		m := drawSample(t, 14)
		return tables.QuarterOf(m, m.Time)
	}
	q := draw()
	for range rapid.IntRange(0, 4).Draw(t, "more samples") {
		more := draw()
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
	switch rapid.IntRange(0, 12).Draw(t, "part") {
	case 0, 1:
		at := drawTime(t, 200, "start")
		part.Starts = []tables.Start{{At: at, ConnectorID: drawConnector(t),
			Told:    at + rapid.SampledFrom([]chargestream.Millis{0, hour}).Draw(t, "record"),
			Arrival: drawTime(t, 3, "start arrival"), Meter: drawEnergy(t, "start meter"),
			UserID: rapid.SampledFrom([]chargestream.UserID{"u", "v"}).Draw(t, "user")}}
	case 2, 3:
		at := drawTime(t, 200, "end")
		part.Ends = []tables.End{{At: at, Arrival: drawTime(t, 3, "end arrival"),
			Told:   at + rapid.SampledFrom([]chargestream.Millis{0, hour}).Draw(t, "record"),
			Energy: drawEnergy(t, "energy"), Meter: drawEnergy(t, "end meter"),
			Reason: rapid.SampledFrom([]string{"", "Local"}).Draw(t, "reason")}}
	case 4, 5:
		part.Quarters = []tables.Quarter{drawLateQuarter(t, 60)}
	case 6:
		part.Heard = drawTime(t, 300, "heard")
	case 7:
		part.Told = drawTime(t, 300, "told")
	case 8:
		part.Verdict = drawVerdict(t)
	case 9:
		part.Hours = []tables.SessionHour{drawSessionHour(t)}
	case 10:
		part.Shift = rapid.IntRange(0, 3).Draw(t, "shift")
	case 11:
		part.Decisions = []tables.Decision{drawDecision(t)}
	case 12:
		at := drawTime(t, 200, "signed")
		part.Signed = []tables.Signed{{At: at, Arrival: drawArrival(t, at),
			Text: rapid.SampledFrom([]string{"OCMF|a", "OCMF|b"}).Draw(t, "signed text")}}
	}
	return part
}

func drawVerdict(t *rapid.T) tables.Verdict {
	v := tables.Verdict{Known: rapid.Bool().Draw(t, "known")}
	if rapid.Bool().Draw(t, "copy") {
		v.DuplicateOf = tables.Origin{Arrival: drawTime(t, 3, "origin"),
			At: drawTime(t, 3, "copied start"),
			ID: rapid.SampledFrom([]chargestream.SessionID{"a", "b"}).Draw(t, "origin id")}
		v.Self = "me"
	}
	return v
}

// drawSessionHour draws what a window answered a session.
func drawSessionHour(t *rapid.T) tables.SessionHour {
	h := tables.SessionHour{ConnectorID: drawConnector(t), Start: begin,
		Answered: drawTime(t, 300, "answered")}
	for range rapid.IntRange(0, 2).Draw(t, "reports") {
		h.Transitions = append(h.Transitions, drawTransition(t))
	}
	for range rapid.IntRange(0, 2).Draw(t, "loads") {
		h.Loads = append(h.Loads, drawLateQuarter(t, 59))
	}
	if rapid.Bool().Draw(t, "overlaps") {
		h.Overlaps = []tables.Overlap{{ID: drawStayID(t), Interval: drawInterval(t),
			Copy: rapid.Bool().Draw(t, "copy")}}
	}
	row := tables.Hour{} // puts them in order
	row.Merge(&tables.Hour{Transitions: h.Transitions, Loads: h.Loads})
	h.Transitions, h.Loads = row.Transitions, row.Loads
	return h
}

// drawDecision draws a decision as the row has it, without station and session. The same id may
// come with other content.
func drawDecision(t *rapid.T) tables.Decision {
	at := drawTime(t, 300, "decision")
	d := tables.Decision{Arrival: drawArrival(t, at), Decision: chargestream.Decision{Time: at,
		DecisionID: rapid.SampledFrom([]string{"d1", "d2", "d3"}).Draw(t, "decision id"),
		By:         "ada", Reason: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "why")}}
	switch rapid.IntRange(0, 3).Draw(t, "action") {
	case 0:
		d.Action = chargestream.ActionRelease
		d.Holds = rapid.SampledFrom([][]chargestream.HoldReason{nil, {chargestream.HoldEstimated},
			{chargestream.HoldEstimated, chargestream.HoldOverlap}}).Draw(t, "holds")
	case 1:
		d.Action, d.Correction = chargestream.ActionCorrect, drawCorrection(t)
	case 2:
		d.Action = chargestream.ActionCancel
	case 3:
		d.Action = chargestream.ActionReprice
	}
	return d
}

func drawCorrection(t *rapid.T) chargestream.Correction {
	var c chargestream.Correction
	set := rapid.IntRange(1, 31).Draw(t, "corrected fields")
	if set&1 != 0 {
		c.Energy = of(chargestream.WattHours(rapid.IntRange(0, 60_000).Draw(t, "corrected Wh")))
	}
	if set&2 != 0 {
		c.StartTime = drawTime(t, 100, "corrected start")
	}
	if set&4 != 0 {
		c.EndTime = drawTime(t, 100, "corrected length") + 100*chargestream.Minute
	}
	if set&8 != 0 {
		c.UserID = "w"
	}
	if set&16 != 0 {
		c.TariffID = "other"
	}
	return c
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
	switch rapid.IntRange(0, 7).Draw(t, "part") {
	case 0:
		part.Carry = drawTransition(t)
		part.Carry.At -= chargestream.Hour
		part.Carry.Arrival = 0
	case 1:
		part.Transitions = []tables.Transition{drawTransition(t)}
	case 2:
		part.Loads = []tables.Quarter{drawLateQuarter(t, 59)}
	case 3:
		part.Stays = []tables.Stay{{ID: drawStayID(t), Begins: []tables.Begin{{
			At: drawTime(t, 59, "start"), Arrival: drawTime(t, 3, "start arrival")}}}}
	case 4:
		part.Stays = []tables.Stay{{ID: drawStayID(t), Interval: drawInterval(t)}}
	case 5:
		part.Stays = []tables.Stay{{ID: drawStayID(t), Heard: drawTime(t, 90, "asked"),
			Whole: rapid.Bool().Draw(t, "whole")}}
	case 6:
		part.Heard = drawTime(t, 90, "heard")
	case 7:
		part.Stays = []tables.Stay{{ID: drawStayID(t), Span: drawInterval(t)}}
		part.Stays[0].Span.Measure, part.Stays[0].Span.Energy = 0, 0
	}
	return part
}

func drawInterval(t *rapid.T) tables.Interval {
	from := drawTime(t, 150, "from") - chargestream.Hour
	length := chargestream.Millis(rapid.IntRange(0, 5_000_000).Draw(t, "length"))
	return tables.Interval{From: from, To: from + length,
		StartArrival: drawTime(t, 3, "start arrival"), EndArrival: drawTime(t, 3, "end arrival"),
		StartMeter: drawEnergy(t, "start meter"), EndMeter: drawEnergy(t, "end meter"),
		Measure: rapid.Int64Range(0, 2).Draw(t, "measure"),
		Energy:  chargestream.WattHours(rapid.IntRange(0, 2).Draw(t, "energy")),
		Due:     from + length + chargestream.Grace}
}

func drawStayID(t *rapid.T) chargestream.SessionID {
	return chargestream.SessionID(fmt.Sprint("s", rapid.IntRange(1, 3).Draw(t, "stay")))
}

func drawTransition(t *rapid.T) tables.Transition {
	tr := tables.Transition{At: drawTime(t, 59, "transition"),
		State:   chargestream.State(rapid.IntRange(1, 5).Draw(t, "state")),
		Arrival: drawTime(t, 90, "transition arrival")}
	if tr.State == chargestream.StateOccupied {
		tr.Activity = chargestream.Activity(rapid.IntRange(0, 3).Draw(t, "activity"))
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
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 6:
		d := drawDecision(t).Decision
		d.StationID, d.SessionID = "st", session
		return &d
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
			SessionID: session, UserID: "u", Time: at, Meter: drawEnergy(t, "start meter"),
			Signed: rapid.SampledFrom([]string{"", "OCMF|a"}).Draw(t, "signed")}
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
