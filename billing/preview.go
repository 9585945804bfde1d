package billing

import (
	"slices"

	"chargestream"
	"chargestream/tables"
)

// Preview is what a decision that arrives at a moment makes of the session's bill.
type Preview struct {
	// Before and After are the last document without the decision and with it, as of the moment, or
	// of when the decided end makes one due; nil for none.
	Before, After *chargestream.Invoice
	// Doubts are what would hold a bill of the corrected energy if the station had reported it: a
	// decision vouches for it, so After does not show them.
	Doubts []chargestream.Hold
}

// Preview bills the session with a decision that was not taken yet. The row is not changed.
func (s *Session) Preview(d *chargestream.Decision, at chargestream.Millis) (Preview, error) {
	var p Preview
	due := at
	if d.Correction.EndTime != 0 {
		due = max(due, d.Correction.EndTime+chargestream.Grace)
	}
	before, err := s.History(due)
	if err != nil {
		return p, err
	}
	p.Before = last(before)
	row := *s.Row
	row.Decisions = append(slices.Clone(row.Decisions), tables.Decision{Arrival: at, Decision: *d})
	decided := Session{ID: s.ID, Station: s.Station, Row: &row, Hours: s.Hours, Book: s.Book}
	after, err := decided.History(due)
	if err != nil {
		return p, err
	}
	p.After = last(after)
	if p.After == nil || d.Correction == (chargestream.Correction{}) {
		return p, nil
	}
	p.Doubts, err = s.asReported(p.After, due)
	return p, err
}

func last(list []chargestream.Invoice) *chargestream.Invoice {
	if len(list) == 0 {
		return nil
	}
	return &list[len(list)-1]
}

// asReported are the doubts about the quantities of a document if the station had reported them.
func (s *Session) asReported(v *chargestream.Invoice, due chargestream.Millis) ([]chargestream.Hold,
	error) {
	if v.StartTime == 0 || v.EndTime == 0 {
		return nil, nil
	}
	row := *s.Row
	energy := v.Energy
	row.Decisions, row.Low, row.LastStart, row.LastEnd = nil, v.StartTime, v.StartTime, v.EndTime
	row.Starts = []tables.Start{{At: v.StartTime, Arrival: v.StartTime, ReportedAt: v.StartTime,
		ConnectorID: v.ConnectorID, UserID: v.UserID}}
	row.Ends = []tables.End{{At: v.EndTime, Arrival: v.EndTime, ReportedAt: v.EndTime,
		Energy: &energy}}
	told := Session{ID: s.ID, Station: s.Station, Row: &row, Hours: s.Hours, Book: s.Book}
	list, err := told.History(max(due, v.EndTime+chargestream.Grace))
	if err != nil || len(list) == 0 {
		return nil, err
	}
	doubtful := []chargestream.HoldReason{chargestream.HoldOverPower, chargestream.HoldUnitMismatch,
		chargestream.HoldNegativeEnergy, chargestream.HoldNegativeDuration}
	return slices.DeleteFunc(slices.Clone(last(list).Holds), func(h chargestream.Hold) bool {
		return !slices.Contains(doubtful, h.Reason)
	}), nil
}
