package billing

import (
	"math/bits"
	"strings"

	"chargestream"
	"chargestream/ocmf"
	"chargestream/tables"
)

// reasons gathers why a bill is held, and what shows it.
type reasons struct {
	list     []chargestream.HoldReason
	evidence map[chargestream.HoldReason]chargestream.Evidence
}

// add adds a reason if there is a doubt; show writes its evidence.
func (r *reasons) add(doubt bool, reason chargestream.HoldReason,
	show func(chargestream.Evidence)) {
	if !doubt {
		return
	}
	r.list = append(r.list, reason)
	e := chargestream.Evidence{}
	show(e)
	if len(e) == 0 {
		return
	}
	if r.evidence == nil {
		r.evidence = map[chargestream.HoldReason]chargestream.Evidence{}
	}
	r.evidence[reason] = e
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
	r.add(start.skewed || end.skewed, chargestream.HoldClockSkew, func(e chargestream.Evidence) {
		e["ahead_ms"] = int64(max(start.ahead, end.ahead))
		e["tolerance_ms"] = int64(chargestream.SkewTolerance)
	})
	r.add(start.differs || end.differs, chargestream.HoldConflict, func(e chargestream.Evidence) {
		if start.differs {
			e["start_time"], e["other_start_time"] = k.start.At, start.other
		}
		if end.differs {
			e["end_time"], e["other_end_time"] = k.end.At, end.other
		}
	})
	r.add(k.copied, chargestream.HoldDuplicate, func(e chargestream.Evidence) {
		e["duplicate_of"], e["start_time"] = string(k.origin.ID), k.origin.At
	})
	r.add(len(k.overlapping) > 0 && !k.copied, chargestream.HoldOverlap,
		func(e chargestream.Evidence) {
			o := &k.overlapping[0]
			e["other_session_id"], e["other_sessions"] = string(o.ID), len(k.overlapping)
			e["overlap_from"] = max(o.From, k.start.At)
			e["overlap_to"] = min(o.To, k.end.At)
		})
	r.add(k.start == nil, chargestream.HoldNoStart, k.times)
	r.add(k.end == nil, chargestream.HoldNotEnded, k.times)
	r.add(k.start != nil && k.end != nil && k.end.At < k.start.At,
		chargestream.HoldNegativeDuration, k.times)
	user := c.UserID
	if k.start != nil && user == "" {
		user = k.start.UserID
	}
	r.add(nobody(user), chargestream.HoldUnknownUser, func(e chargestream.Evidence) {
		e["user_id"] = string(user)
	})
}

// times are start and end, as far as they are known.
func (k *known) times(e chargestream.Evidence) {
	if k.start != nil {
		e["start_time"] = k.start.At
	}
	if k.end != nil {
		e["end_time"] = k.end.At
	}
}

// nobody reports whether a user id names no one who could pay. Stations send such words where
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
	length := max(k.end.At-k.start.At, 0)
	rating := k.meter.rating
	limit := deliverable(rating, length)
	r.add(!e.known, chargestream.HoldNoEnergy, k.registers)
	r.add(e.negative, chargestream.HoldNegativeEnergy, k.registers)
	r.add(e.regressed, chargestream.HoldMeterRegression, func(v chargestream.Evidence) {
		k.registers(v)
		if e.fellAt != 0 {
			v["fell_from_wh"], v["fell_to_wh"] = int64(e.fellFrom), int64(e.fellTo)
			v["fell_at"] = e.fellAt
		}
	})
	r.add(e.contradicted, chargestream.HoldEnergyMismatch, func(v chargestream.Evidence) {
		k.registers(v)
		v["measured_wh"] = int64(e.measured)
	})
	r.add(e.lifetime, chargestream.HoldLifetimeRegister, k.registers)
	r.add(e.sampled, chargestream.HoldEstimated, k.registers)
	r.add(e.total > limit, chargestream.HoldOverPower, func(v chargestream.Evidence) {
		v["energy_wh"], v["limit_wh"] = int64(e.total), int64(limit)
		v["duration_s"] = int64(length / chargestream.Second)
		v["rating_w"] = int64(rating)
	})
	r.add(k.repeated(e), chargestream.HoldRepeatedEnergy, func(v chargestream.Evidence) {
		v["energy_wh"], v["duration_s"] = int64(e.total), int64(length/chargestream.Second)
		v["previous_session_id"] = string(k.before.ID)
		v["previous_energy_wh"] = int64(*k.before.EndEnergy)
		v["previous_duration_s"] = int64((k.before.To - k.before.From) / chargestream.Second)
	})
	r.add(e.known && k.meter.mismatched(e.total, length), chargestream.HoldUnitMismatch,
		func(v chargestream.Evidence) {
			least, peak := k.meter.sampledEnergy()
			v["energy_wh"], v["sampled_at_least_wh"] = int64(e.total), int64(least)
			v["peak_w"], v["duration_s"] = int64(peak), int64(length/chargestream.Second)
		})
}

// registers is what the meter showed at the start, at the end and in the samples between.
func (k *known) registers(e chargestream.Evidence) {
	if k.start != nil && k.start.Meter != nil {
		e["meter_start_wh"] = int64(*k.start.Meter)
	}
	if k.end != nil && k.end.Meter != nil {
		e["meter_stop_wh"] = int64(*k.end.Meter)
	}
	if k.end != nil && k.end.Energy != nil {
		e["reported_energy_wh"] = int64(*k.end.Energy)
	}
	if list := k.meter.readings().all; len(list) > 0 {
		first, last := list[0], list[len(list)-1]
		e["first_sample_wh"], e["first_sample_at"] = int64(first.Energy), first.At
		e["last_sample_wh"], e["last_sample_at"] = int64(last.Energy), last.At
	}
}

// The unit of a register is doubted where it and the power differ by mismatchFactor or more, and
// the power amounts to mismatchMin at least.
const (
	mismatchFactor                        = 100
	mismatchMin    chargestream.WattHours = 100
)

// mismatched reports whether an energy cannot be that of the power samples.
func (m *meter) mismatched(total chargestream.WattHours, length chargestream.Millis) bool {
	atLeast, peak := m.sampledEnergy()
	if atLeast >= mismatchMin && total*mismatchFactor < atLeast {
		return true
	}
	most := mulDiv(int64(peak)*mismatchFactor, int64(length), int64(chargestream.Hour))
	return peak >= tables.ChargingPowerMin && int64(total) > most
}

// sampledEnergy is what the power samples show at least, and the largest of them.
func (m *meter) sampledEnergy() (chargestream.WattHours, chargestream.Watts) {
	var least int64 // W minutes
	var peak chargestream.Watts
	for i := range m.samples {
		q := &m.samples[i]
		peak = max(peak, q.Peak)
		least += int64(bits.OnesCount16(q.Charging)) * int64(q.Low)
	}
	const minutesOfHour = 60
	return chargestream.WattHours(least / minutesOfHour), peak
}

// CheckKey tells what is wrong with the public key of a connector's meter; nil for one that can be
// read.
func CheckKey(text string) error { return ocmf.CheckKey(text) }

// signedDoubts are about the signed values of a session that ended, where the law asks for them.
func (k *known) signedDoubts(r *reasons, connector *chargestream.ConnectorInfo,
	e energy) {
	if k.start == nil || k.end == nil || !connector.Calibrated {
		return
	}
	result := ocmf.Session(k.signed, ocmf.Meter{Serial: connector.MeterSerial,
		PublicKey: connector.PublicKey})
	both := result.Begin && result.End
	r.add(!both, chargestream.HoldSignedMissing, func(v chargestream.Evidence) {
		v["signed_begin"], v["signed_end"] = result.Begin, result.End
	})
	r.add(len(result.Problems) > 0, chargestream.HoldSignedInvalid, func(v chargestream.Evidence) {
		v["problems"] = result.Problems
	})
	unverified := result.Verified == ocmf.Unverified || result.Verified == ocmf.Unsupported
	r.add(unverified && len(k.signed) > 0, chargestream.HoldSignedUnverified,
		func(v chargestream.Evidence) {
			v["connector_id"], v["public_key"] = string(connector.ConnectorID), "none"
			if result.Verified == ocmf.Unsupported {
				v["public_key"] = "unknown curve"
			}
		})
	const rounding = 2 * milli // a Wh at the begin and one at the end
	apart := result.Energy - int64(e.total)*milli
	r.add(e.known && both && len(result.Problems) == 0 && (apart > rounding || apart < -rounding),
		chargestream.HoldSignedMismatch, func(v chargestream.Evidence) {
			v["energy_wh"], v["signed_energy_mwh"] = int64(e.total), result.Energy
		})
}
