package tables

import "chargestream"

// LateMoment is the moment from which a late fact is known: the end of the quarter hour in which
// it arrived. It is zero for a timely one (docs/decisions/0010).
func LateMoment(at, arrival chargestream.Millis) chargestream.Millis {
	return lateAfter(at, arrival, chargestream.Grace)
}

// edgeGrace is the grace of a reading of the begin or the end: one that is taken up to a minute
// behind the end is known when the end is.
const edgeGrace = chargestream.Grace - chargestream.Minute

// lateSample is LateMoment of a sample.
func lateSample(m *chargestream.MeterValue, arrival chargestream.Millis) chargestream.Millis {
	if contextOf(m) != ContextSample {
		return lateAfter(m.Time, arrival, edgeGrace)
	}
	return LateMoment(m.Time, arrival)
}

func lateAfter(at, arrival, grace chargestream.Millis) chargestream.Millis {
	if arrival <= at+grace {
		return 0
	}
	return QuarterAfter(arrival)
}

// QuarterAfter rounds a moment up to chargestream.LateBill.
func QuarterAfter(at chargestream.Millis) chargestream.Millis {
	if cut := at.Truncate(chargestream.LateBill); cut != at {
		return cut + chargestream.LateBill
	}
	return at
}

// KnownFrom is the moment from which a fact is known: the grace after it happened, or later where
// it arrived later.
func KnownFrom(at, arrival chargestream.Millis) chargestream.Millis {
	if late := LateMoment(at, arrival); late != 0 {
		return late
	}
	return at + chargestream.Grace
}

// OrphanDue is when an end without a start is missed.
func OrphanDue(at, arrival chargestream.Millis) chargestream.Millis {
	return max(at, arrival) + chargestream.Grace
}

// OverdueAt is when a session without an end is called overdue: OverdueAfter its start, but not
// before the start itself has been known for the grace, as the end may come right behind it.
func OverdueAt(start, arrival chargestream.Millis) chargestream.Millis {
	return max(start+chargestream.OverdueAfter, arrival+chargestream.Grace)
}
