package billing

import (
	"fmt"
	"slices"

	"chargestream"
	"chargestream/tables"
)

// anomalies are those of the session when the list of its invoices reaches up to a moment: what
// holds its bill, or held it, and what holds none.
func (s *Session) anomalies(history []chargestream.Invoice, upTo chargestream.Millis) (
	[]chargestream.Anomaly, error) {
	var list []chargestream.Anomaly
	for i := range history {
		v := &history[i]
		for j := range v.Holds {
			if v.Holds[j].Reason != chargestream.HoldCancelled { // which is nothing to look at
				list = s.open(list, &v.Holds[j], v)
			}
		}
		for j := range list {
			a := &list[j]
			if a.ClosedAt == 0 && !holds(v, a.Kind) {
				a.ClosedAt, a.BillingHold = v.IssuedAt, false
			}
		}
	}
	informational, err := s.informational(upTo)
	return append(list, informational...), err
}

func holds(v *chargestream.Invoice, kind chargestream.AnomalyKind) bool {
	return slices.ContainsFunc(v.HoldReasons, func(r chargestream.HoldReason) bool {
		return chargestream.AnomalyOf(r) == kind
	})
}

// open adds an anomaly, or opens it again.
func (s *Session) open(list []chargestream.Anomaly, h *chargestream.Hold,
	v *chargestream.Invoice) []chargestream.Anomaly {
	kind := chargestream.AnomalyOf(h.Reason)
	for i := range list {
		if list[i].Kind != kind {
			continue
		}
		if list[i].ClosedAt != 0 {
			list[i].OpenedAt, list[i].ClosedAt, list[i].BillingHold = v.IssuedAt, 0, true
		}
		return list
	}
	a := s.anomaly(kind, v.IssuedAt)
	a.BillingHold, a.Severity = true, chargestream.SeverityWarning
	a.Evidence = map[string]string{"energy_wh": fmt.Sprint(int64(v.Energy)),
		"start_time": v.StartTime.String(), "end_time": v.EndTime.String()}
	for name, value := range h.Evidence {
		a.Evidence[name] = fmt.Sprint(value)
	}
	return append(list, a)
}

func (s *Session) anomaly(kind chargestream.AnomalyKind,
	at chargestream.Millis) chargestream.Anomaly {
	return chargestream.Anomaly{AnomalyID: string(kind) + "/" + string(s.Station) + "/" +
		string(s.ID), Kind: kind, Severity: chargestream.SeverityInfo, StationID: s.Station,
		ConnectorID: s.Row.ConnectorID(), SessionID: s.ID, OpenedAt: at}
}

// informational anomalies hold no bill: stops that were reported twice, and registers that fell
// and came back.
func (s *Session) informational(upTo chargestream.Millis) ([]chargestream.Anomaly, error) {
	row := s.Row
	if first := row.FirstDue(); first == 0 || first > upTo {
		return nil, nil
	}
	if len(row.Ends) < 2 && (!row.Both() || len(row.Quarters) == 0) {
		unnamed, err := s.unnamed()
		if err != nil || !unnamed {
			return nil, err // nothing can have been reported twice, and nothing can have fallen
		}
	}
	b := s.biller(s.Book)
	k, err := b.knownAt(upTo, &chargestream.Correction{})
	if err != nil || !k.due() {
		return nil, err
	}
	var list []chargestream.Anomaly
	for i := range row.Ends {
		e := &row.Ends[i]
		if k.startDoubt.differs || k.endDoubt.differs || e == k.end || e.Known() > k.at {
			continue
		}
		a := s.anomaly(chargestream.AnomalyConflict, e.Arrival)
		a.ClosedAt = a.OpenedAt
		a.Evidence = map[string]string{"end_time": k.end.At.String(),
			"other_end_time": e.At.String(), "end_reason": k.end.Reason,
			"other_end_reason": e.Reason}
		list = append(list, a)
		break
	}
	if k.start == nil || k.end == nil {
		return list, nil
	}
	if err := b.seal(k); err != nil {
		return nil, err
	}
	connector := b.terms.connector(k.start.ConnectorID)
	k.meter.rating = ratingOf(&connector)
	if e := k.meter.energy(); e.glitch {
		a := s.anomaly(chargestream.AnomalyMeterGlitch, k.start.At)
		a.ClosedAt = a.OpenedAt
		a.Evidence = map[string]string{"fell_from_wh": fmt.Sprint(int64(e.fellFrom)),
			"fell_to_wh": fmt.Sprint(int64(e.fellTo)), "fell_at": e.fellAt.String()}
		list = append(list, a)
	}
	return list, nil
}

// unnamed reports whether the session's hours may hold samples that name no session.
func (s *Session) unnamed() (bool, error) {
	for _, start := range s.Row.Windows() {
		h, err := s.hour(s.Row.ConnectorID(), start)
		if err != nil {
			return false, err
		}
		if h != nil && slices.ContainsFunc(h.Quarters, func(q tables.Quarter) bool {
			return !q.Named
		}) {
			return true, nil
		}
	}
	return false, nil
}
