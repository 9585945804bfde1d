package tables

import "chargestream"

// lateMoment is the moment from which a late fact is known: the end of the quarter hour in which
// it arrived. It is zero for a timely one (docs/decisions/0010).
func lateMoment(at, arrival chargestream.Millis) chargestream.Millis {
	if arrival <= at+chargestream.Grace {
		return 0
	}
	return billRaster(arrival)
}

// billRaster rounds a moment up to chargestream.LateBill.
func billRaster(at chargestream.Millis) chargestream.Millis {
	if cut := at.Truncate(chargestream.LateBill); cut != at {
		return cut + chargestream.LateBill
	}
	return at
}

// knownFrom is the moment from which a fact is known: the grace after it happened, or later where
// it arrived later.
func knownFrom(at, arrival chargestream.Millis) chargestream.Millis {
	if late := lateMoment(at, arrival); late != 0 {
		return late
	}
	return at + chargestream.Grace
}

// orphanDue is when an end without a start is missed.
func orphanDue(at, arrival chargestream.Millis) chargestream.Millis {
	return max(at, arrival) + chargestream.Grace
}
