package tables

import (
	"strconv"

	"chargestream"
)

// Anomalies are those of the session: what holds its bill, or held it, and what holds none. They
// are a pure function of the row and of the list of its invoices.
func (s *Session) Anomalies(
	id chargestream.SessionID,
	history []chargestream.Invoice,
) []chargestream.Anomaly {
	var list []chargestream.Anomaly
	for i := range history {
		v := &history[i]
		for _, reason := range v.HoldReasons {
			if reason != chargestream.HoldCancelled { // which is nothing to look at
				list = s.open(list, id, chargestream.AnomalyOf(reason), v)
			}
		}
		for j := range list {
			a := &list[j]
			if a.ClosedAt == 0 && !holds(v, a.Kind) {
				a.ClosedAt, a.BillingHold = v.IssuedAt, false
			}
		}
	}
	return append(list, s.curiosities(id)...)
}

func holds(v *chargestream.Invoice, kind chargestream.AnomalyKind) bool {
	for _, reason := range v.HoldReasons {
		if chargestream.AnomalyOf(reason) == kind {
			return true
		}
	}
	return false
}

// open adds an anomaly, or opens it again.
func (s *Session) open(list []chargestream.Anomaly, id chargestream.SessionID,
	kind chargestream.AnomalyKind, v *chargestream.Invoice) []chargestream.Anomaly {
	for i := range list {
		if list[i].Kind != kind {
			continue
		}
		if list[i].ClosedAt != 0 {
			list[i].OpenedAt, list[i].ClosedAt, list[i].BillingHold = v.IssuedAt, 0, true
		}
		return list
	}
	a := s.anomaly(id, kind, v.IssuedAt)
	a.BillingHold, a.Severity = true, chargestream.SeverityWarning
	a.Evidence = evidence(s, kind, v)
	return append(list, a)
}

func evidence(
	s *Session,
	kind chargestream.AnomalyKind,
	v *chargestream.Invoice,
) map[string]string {
	if kind == chargestream.AnomalyDuplicate {
		return map[string]string{"duplicate_of": string(s.Verdict.DuplicateOf.ID),
			"start_time": v.StartTime.String()}
	}
	return map[string]string{"energy_wh": strconv.FormatInt(int64(v.Energy), 10),
		"start_time": v.StartTime.String(), "end_time": v.EndTime.String()}
}

func (s *Session) anomaly(id chargestream.SessionID, kind chargestream.AnomalyKind,
	at chargestream.Millis) chargestream.Anomaly {
	return chargestream.Anomaly{AnomalyID: string(kind) + "/" + string(id), Kind: kind,
		Severity: chargestream.SeverityInfo, StationID: s.StationID, ConnectorID: s.ConnectorID(),
		SessionID: id, OpenedAt: at}
}

// curiosities are what holds no bill: stops that were told twice, and registers that fell and
// came back.
func (s *Session) curiosities(id chargestream.SessionID) []chargestream.Anomaly {
	if first := s.firstDue(); first == 0 || first > s.Told {
		return nil
	}
	k := s.knownAt(s.Told, &chargestream.Correction{})
	if !k.due() {
		return nil
	}
	var list []chargestream.Anomaly
	for i := range s.Ends {
		e := &s.Ends[i]
		if k.startDoubt.differs || k.endDoubt.differs || e == k.end || e.known() > k.at {
			continue
		}
		a := s.anomaly(id, chargestream.AnomalyConflict, e.Arrival)
		a.ClosedAt = a.OpenedAt
		a.Evidence = map[string]string{"end_time": k.end.At.String(),
			"other_end_time": e.At.String(), "end_reason": k.end.Reason,
			"other_end_reason": e.Reason}
		list = append(list, a)
		break
	}
	if k.start != nil && k.end != nil && k.meter.energy().glitch {
		a := s.anomaly(id, chargestream.AnomalyMeterGlitch, k.start.At)
		a.ClosedAt = a.OpenedAt
		list = append(list, a)
	}
	return list
}
