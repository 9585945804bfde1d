package tabletest

import (
	"cmp"
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"chargestream"
)

// DrawTime draws a time in the first n minutes: a whole minute, or one with a fraction. Times are
// few, so that equal times are common.
func DrawTime(t *rapid.T, minutes int, label string) chargestream.Millis {
	at := Begin + chargestream.Millis(rapid.IntRange(1, minutes).Draw(t, label))*chargestream.Minute
	if rapid.Bool().Draw(t, label+" is crooked") {
		at += chargestream.Millis(rapid.IntRange(0, 59_999).Draw(t, label+" ms"))
	}
	return at
}

// DrawEnergy draws an energy, or none.
func DrawEnergy(t *rapid.T, label string) *chargestream.WattHours {
	if rapid.IntRange(0, 3).Draw(t, label+" is nil") == 0 {
		return nil
	}
	return Of(chargestream.WattHours(rapid.IntRange(-5, 60_000).Draw(t, label)))
}

// DrawConnector draws one of two connectors.
func DrawConnector(t *rapid.T) chargestream.ConnectorID {
	return rapid.SampledFrom([]chargestream.ConnectorID{"1", "2"}).Draw(t, "connector")
}

// DrawSample draws a sample of the first n minutes that names no session.
func DrawSample(t *rapid.T, minutes int) *chargestream.MeterValue {
	m := &chargestream.MeterValue{StationID: Station, ConnectorID: DrawConnector(t),
		Time: DrawTime(t, minutes, "sample"), Energy: DrawEnergy(t, "register")}
	if rapid.Bool().Draw(t, "has power") {
		m.Power = Of(chargestream.Watts(rapid.IntRange(-10, 300).Draw(t, "power")))
	}
	if rapid.IntRange(0, 3).Draw(t, "has current") == 0 {
		m.Current = Of(chargestream.Milliamps(rapid.IntRange(-10, 300).Draw(t, "current")))
	}
	return m
}

// DrawArrival draws when something of a moment arrives: within the grace, or late.
func DrawArrival(t *rapid.T, at chargestream.Millis) chargestream.Millis {
	most := rapid.SampledFrom([]int64{0, 5000, 600_000, 7_200_000}).Draw(t, "delay is up to")
	return at + chargestream.Millis(rapid.Int64Range(0, most).Draw(t, "delay"))
}

// DrawDecision draws a decision about a session. The same id may come with other content.
func DrawDecision(t *rapid.T, at chargestream.Millis,
	session chargestream.SessionID) *chargestream.Decision {
	d := &chargestream.Decision{StationID: Station, SessionID: session, Time: at, By: "ada",
		DecisionID: rapid.SampledFrom([]string{"d1", "d2", "d3"}).Draw(t, "decision id"),
		Reason:     rapid.SampledFrom([]string{"a", "b"}).Draw(t, "why")}
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
		c.Energy = Of(chargestream.WattHours(rapid.IntRange(0, 60_000).Draw(t, "corrected Wh")))
	}
	if set&2 != 0 {
		c.StartTime = DrawTime(t, 100, "corrected start")
	}
	if set&4 != 0 {
		c.EndTime = DrawTime(t, 100, "corrected length") + 100*chargestream.Minute
	}
	if set&8 != 0 {
		c.UserID = "w"
	}
	if set&16 != 0 {
		c.TariffID = "other"
	}
	return c
}

// DrawEvents draws events of the station of the first ten hours: of any kind, in any order, up to
// two hours late, and none of a clock that is ahead.
func DrawEvents(t *rapid.T) []Arrived {
	var list []Arrived
	for range rapid.IntRange(0, 30).Draw(t, "events") {
		at := DrawTime(t, 600, "event")
		list = append(list, Arrived{Event: drawEvent(t, at),
			Arrival: at + chargestream.Millis(rapid.IntRange(0, 7_200_000).Draw(t, "delay"))})
	}
	return list
}

// DrawCrowd draws events of few minutes, sessions and arrivals: claims that contradict each other,
// clocks that are hours ahead, more different starts and ends of a session than its row keeps.
func DrawCrowd(t *rapid.T) []Arrived {
	var list []Arrived
	for range rapid.IntRange(0, 40).Draw(t, "events") {
		list = append(list, Arrived{Event: drawEvent(t, DrawTime(t, 130, "event")),
			Arrival: DrawTime(t, 3, "arrival")})
	}
	return list
}

func drawEvent(t *rapid.T, at chargestream.Millis) chargestream.Event {
	session := chargestream.SessionID(fmt.Sprint("s", rapid.IntRange(1, 4).Draw(t, "session")))
	switch rapid.IntRange(0, 7).Draw(t, "kind") {
	case 0, 1:
		words := []string{"Available", "Charging", "SuspendedEV", "Faulted", "Reserved",
			"occupied", "UNKNOWN", "OUT_OF_ORDER"}
		return &chargestream.StatusReport{StationID: Station, ConnectorID: DrawConnector(t),
			Time: at, Status: rapid.SampledFrom(words).Draw(t, "word")}
	case 2:
		m := DrawSample(t, 600)
		m.Time = at
		m.Context = rapid.SampledFrom([]string{"", "Sample.Periodic", "Transaction.Begin",
			"Transaction.End"}).Draw(t, "context")
		if rapid.Bool().Draw(t, "of a session") {
			m.SessionID = session
			m.Signed = rapid.SampledFrom([]string{"", "OCMF|a"}).Draw(t, "signed")
		}
		return m
	case 3:
		return drawStart(t, at, session)
	case 4:
		return drawEnd(t, at, session)
	case 5:
		length := chargestream.Millis(rapid.IntRange(-1, 150).Draw(t, "length"))
		record := &chargestream.SessionRecord{Start: *drawStart(t, at, session),
			End: *drawEnd(t, at+length*chargestream.Minute, session)}
		record.Start.Meter, record.Start.Signed = nil, ""
		// Each record has a start of its own. Of one that is reported with two ends the telling by
		// which it is known first stays, which may have arrived last: among more starts than a row
		// keeps that depends on the order of reading.
		record.Start.UserID = chargestream.UserID(fmt.Sprint("until ", int64(record.End.Time)))
		return record
	case 6:
		return DrawDecision(t, at, session)
	}
	return &chargestream.Heartbeat{StationID: Station, Time: at}
}

// bare is the session of which the end names no connector. It has one such end and few starts: a
// start that the row does not keep is at no connector, if the end is read after it.
const bare chargestream.SessionID = "s4"

func drawStart(t *rapid.T, at chargestream.Millis,
	session chargestream.SessionID) *chargestream.SessionStart {
	start := &chargestream.SessionStart{StationID: Station, ConnectorID: DrawConnector(t),
		SessionID: session, Time: at, UserID: "u",
		Signed: rapid.SampledFrom([]string{"", "OCMF|a"}).Draw(t, "signed")}
	if session == bare {
		start.Time = Begin + chargestream.Millis(rapid.IntRange(1, 2).Draw(t, "start hour"))*
			chargestream.Hour
		return start
	}
	start.Meter = DrawEnergy(t, "start meter")
	start.UserID = rapid.SampledFrom([]chargestream.UserID{"u", "v"}).Draw(t, "user")
	return start
}

func drawEnd(t *rapid.T, at chargestream.Millis,
	session chargestream.SessionID) *chargestream.SessionEnd {
	if session == bare {
		return &chargestream.SessionEnd{StationID: Station, SessionID: session,
			Time: Begin + 5*chargestream.Hour}
	}
	return &chargestream.SessionEnd{StationID: Station, SessionID: session, Time: at,
		ConnectorID: DrawConnector(t), Meter: DrawEnergy(t, "end meter"),
		Energy: DrawEnergy(t, "energy"),
		Reason: rapid.SampledFrom([]string{"", "Local"}).Draw(t, "reason")}
}

// DrawWorld draws what happens at a station in a few hours: sessions as they should be, some of
// them sent late, twice, or in part, and anything at all between them. It is in the order of
// arrival.
func DrawWorld(t *rapid.T) []Arrived {
	list := slices.DeleteFunc(DrawEvents(t), func(a Arrived) bool {
		switch e := a.Event.(type) {
		case *chargestream.SessionStart:
			e.Time = onlyOf(e.Time, e.SessionID)
			return e.Time > a.Arrival+chargestream.SkewTolerance
		case *chargestream.SessionRecord:
			e.Start.Time = onlyOf(e.Start.Time, e.Start.SessionID)
			return e.Start.Time > a.Arrival+chargestream.SkewTolerance
		}
		return false
	})
	for i := range rapid.IntRange(1, 3).Draw(t, "sessions") {
		list = append(list, drawCharging(t, chargestream.SessionID(fmt.Sprint("c", i)))...)
	}
	slices.SortStableFunc(list, func(a, b Arrived) int { return cmp.Compare(a.Arrival, b.Arrival) })
	return list
}

// onlyOf is a time at which no other session begins: those that do are duplicates, and none is one
// by chance.
func onlyOf(at chargestream.Millis, id chargestream.SessionID) chargestream.Millis {
	digit := chargestream.Millis(id[1] - '0')
	if id[0] == 'c' {
		digit += 5
	}
	return at.Truncate(10) + digit
}

// drawCharging draws the events of a session that charges at a steady power.
func drawCharging(t *rapid.T, id chargestream.SessionID) []Arrived {
	connector, start := DrawConnector(t), onlyOf(DrawTime(t, 300, "plugged in"), id)
	length := chargestream.Millis(rapid.Int64Range(1, 150).Draw(t, "minutes")) * chargestream.Minute
	power := chargestream.Watts(rapid.SampledFrom([]int64{50, 3700, 11000}).Draw(t, "power"))
	register := chargestream.WattHours(rapid.SampledFrom([]int64{0, 1000}).Draw(t, "register"))
	sent := rapid.IntRange(0, 31).Draw(t, "what is sent")
	energy := func(at chargestream.Millis) *chargestream.WattHours {
		return Of(register + chargestream.WattHours(int64(power)*int64(at-start)/
			int64(chargestream.Hour)))
	}
	var list []Arrived
	add := func(e chargestream.Event) {
		list = append(list, Arrived{Event: e, Arrival: DrawArrival(t, e.At())})
	}
	begin := &chargestream.SessionStart{StationID: Station, ConnectorID: connector, SessionID: id,
		UserID: "u", Time: start}
	end := &chargestream.SessionEnd{StationID: Station, SessionID: id, Time: start + length}
	if sent&1 == 0 {
		begin.Meter, end.Meter = energy(start), energy(start+length)
	}
	if sent&2 == 0 {
		end.ConnectorID = connector
	}
	if sent&3 != 0 {
		add(begin)
	}
	if sent&12 != 0 {
		add(end)
	}
	for at := start; at < start+length+chargestream.Quarter; at += 7 * chargestream.Minute {
		m := &chargestream.MeterValue{StationID: Station, ConnectorID: connector, Time: at,
			Energy: energy(min(at, start+length)), Power: &power}
		if sent&16 == 0 {
			m.SessionID = id
		}
		add(m)
	}
	words := []string{"Charging", "SuspendedEV", "SuspendedEVSE", "Occupied", "Faulted"}
	for range rapid.IntRange(0, 3).Draw(t, "reports") {
		at := start + chargestream.Millis(rapid.Int64Range(0, int64(length)).Draw(t, "reported"))
		add(&chargestream.StatusReport{StationID: Station, ConnectorID: connector, Time: at,
			Status: rapid.SampledFrom(words).Draw(t, "word")})
	}
	return list
}
