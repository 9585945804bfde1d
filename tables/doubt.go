package tables

import (
	"math/bits"
	"slices"
	"strings"

	"chargestream"
	"chargestream/ocmf"
)

// reasons gathers why a bill is held.
type reasons []chargestream.HoldReason

func (r *reasons) add(doubt bool, reason chargestream.HoldReason) {
	if doubt {
		*r = append(*r, reason)
	}
}

// doubts are the reasons that the facts alone give, without reference data and decisions: what
// the views tell of a session.
func (s *Session) doubts() []chargestream.HoldReason {
	k := s.knownAt(s.Heard, &chargestream.Correction{})
	if !k.due() {
		return nil
	}
	var r reasons
	k.doubts(&r, &chargestream.Correction{})
	k.energyDoubts(&r, k.meter.energy())
	slices.Sort(r)
	return r
}

// doubts are about who, when and which session it was.
func (k *known) doubts(r *reasons, c *chargestream.Correction) {
	var start, end claimDoubt // those of what was corrected are gone
	if c.StartTime == 0 {
		start = k.startDoubt
	}
	if c.EndTime == 0 {
		end = k.endDoubt
	}
	r.add(start.skewed || end.skewed, chargestream.HoldClockSkew)
	r.add(start.differs || end.differs, chargestream.HoldConflict)
	r.add(k.copied, chargestream.HoldDuplicate)
	r.add(k.overlaps(), chargestream.HoldOverlap)
	r.add(k.start == nil, chargestream.HoldNoStart)
	r.add(k.end == nil, chargestream.HoldNotEnded)
	r.add(
		k.start != nil && k.end != nil && k.end.At < k.start.At,
		chargestream.HoldNegativeDuration,
	)
	user := c.UserID
	if k.start != nil && user == "" {
		user = k.start.UserID
	}
	r.add(nobody(user), chargestream.HoldUnknownUser)
}

// nobody tells whether a user id names nobody who could pay. Stations send such words where
// charging is free, or where the reader has failed.
func nobody(user chargestream.UserID) bool {
	switch text := strings.ToLower(strings.TrimSpace(string(user))); text {
	case "unknown", "anonymous", "none", "null", "n/a":
		return true
	default:
		return strings.Trim(text, "0") == ""
	}
}

// energyDoubts are about the energy of a session that ended. Of one that somebody vouches for there
// are none.
func (k *known) energyDoubts(r *reasons, e energy) {
	if k.start == nil || k.end == nil || e.decided {
		return
	}
	r.add(!e.known, chargestream.HoldNoEnergy)
	r.add(e.negative, chargestream.HoldNegativeEnergy)
	r.add(e.regressed, chargestream.HoldMeterRegression)
	r.add(e.lifetime, chargestream.HoldLifetimeRegister)
	r.add(e.sampled, chargestream.HoldEstimated)
	rating := k.meter.rating
	if rating <= 0 {
		rating = chargestream.PowerLimit
	}
	length := max(k.end.At-k.start.At, 0)
	r.add(e.total > deliverable(rating, length), chargestream.HoldOverPower)
	r.add(e.known && k.meter.mismatched(e.total, length), chargestream.HoldUnitMismatch)
}

// The unit of a register is doubted where it and the power differ by mismatchFactor or more, and
// the power amounts to mismatchMin at least.
const (
	mismatchFactor                        = 100
	mismatchMin    chargestream.WattHours = 100
)

// mismatched tells whether an energy cannot be that of the power samples.
func (m *meter) mismatched(total chargestream.WattHours, length chargestream.Millis) bool {
	var least int64 // W minutes
	var peak chargestream.Watts
	for i := range m.samples {
		q := &m.samples[i]
		peak = max(peak, q.Peak)
		least += int64(bits.OnesCount16(q.Charging)) * int64(q.Low)
	}
	atLeast := chargestream.WattHours(least / minutesOfHour)
	if atLeast >= mismatchMin && total*mismatchFactor < atLeast {
		return true
	}
	most := mulDiv(int64(peak)*mismatchFactor, int64(length), int64(chargestream.Hour))
	return peak >= ChargingPowerMin && int64(total) > most
}

// signedDoubts are about the signed values of a session that ended, where the law asks for them.
func (k *known) signedDoubts(r *reasons, connector *chargestream.ConnectorInfo,
	e energy) {
	if k.start == nil || k.end == nil || !connector.Calibrated {
		return
	}
	result := ocmf.Session(k.signed, ocmf.Meter{Serial: connector.MeterSerial,
		PublicKey: connector.PublicKey})
	both := result.Begin && result.End
	r.add(!both, chargestream.HoldSignedMissing)
	r.add(len(result.Problems) > 0, chargestream.HoldSignedInvalid)
	const rounding = 2 * milli // a Wh at the begin and one at the end
	apart := result.Energy - int64(e.total)*milli
	r.add(e.known && both && len(result.Problems) == 0 && (apart > rounding || apart < -rounding),
		chargestream.HoldSignedMismatch)
}
