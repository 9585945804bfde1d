package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"chargestream"
)

// FindingKind is what is wrong.
type FindingKind string

// The kinds of a Finding.
const (
	// FindingMissing: a session is due, and has no live document.
	FindingMissing FindingKind = "missing_invoice"
	// FindingTwice: a session has more than one live document.
	FindingTwice FindingKind = "two_live_invoices"
	// FindingEnergy: a document bills another energy than its session told, and nothing says why.
	FindingEnergy FindingKind = "energy_differs"
	// FindingStranger: a live document is of a session that nobody knows.
	FindingStranger FindingKind = "unknown_session"
	// FindingCopy: a session that was delivered twice is billed twice.
	FindingCopy FindingKind = "copy_billed"
	// FindingCreditOfNothing: a credit note names no invoice that there is.
	FindingCreditOfNothing FindingKind = "credit_of_nothing"
	// FindingCreditTwice: an invoice is cancelled by more than one credit note.
	FindingCreditTwice FindingKind = "credited_twice"
	// FindingCredit: a credit note does not cancel exactly what it names.
	FindingCredit FindingKind = "credit_differs"
)

// Finding is something that is wrong.
type Finding struct {
	Kind        FindingKind              `json:"kind"`
	StationID   chargestream.StationID   `json:"station_id"`
	ConnectorID chargestream.ConnectorID `json:"connector_id"`
	SessionID   chargestream.SessionID   `json:"session_id"`
	InvoiceID   string                   `json:"invoice_id,omitempty"`
	Detail      string                   `json:"detail"`
}

func compareFindings(a, b Finding) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.StationID, b.StationID),
		cmp.Compare(a.ConnectorID, b.ConnectorID), cmp.Compare(a.SessionID, b.SessionID),
		cmp.Compare(a.InvoiceID, b.InvoiceID), cmp.Compare(a.Detail, b.Detail))
}

// books are the documents by what they are looked up by.
type books struct {
	byID    map[string]*chargestream.Invoice
	notes   map[string][]*chargestream.Invoice // credit notes by what they name
	live    map[sessionKey][]*chargestream.Invoice
	session map[sessionKey]*Session // filled while sessions are visited
}

func openBooks(list []chargestream.Invoice) *books {
	b := &books{byID: map[string]*chargestream.Invoice{},
		notes:   map[string][]*chargestream.Invoice{},
		live:    map[sessionKey][]*chargestream.Invoice{},
		session: map[sessionKey]*Session{}}
	for i := range list {
		v := &list[i]
		if b.byID[v.InvoiceID] != nil {
			continue
		}
		b.byID[v.InvoiceID] = v
		if v.Kind == chargestream.KindCreditNote {
			b.notes[v.Credits] = append(b.notes[v.Credits], v)
		}
	}
	for _, v := range b.byID {
		if v.Kind != chargestream.KindCreditNote && len(b.notes[v.InvoiceID]) == 0 {
			b.live[keyOf(v)] = append(b.live[keyOf(v)], v)
		}
	}
	for _, live := range b.live {
		slices.SortFunc(live, func(a, b *chargestream.Invoice) int {
			return cmp.Compare(a.InvoiceID, b.InvoiceID)
		})
	}
	return b
}

// decided reports whether the live bill of a session is issued by a decision.
func (b *books) decided(s sessionKey) bool {
	return slices.ContainsFunc(b.live[s], func(v *chargestream.Invoice) bool {
		return v.Status == chargestream.StatusIssued && len(v.Decisions) > 0
	})
}

// book adds a document to a balance.
func (b *Balance) book(v *chargestream.Invoice) {
	if v.Status == chargestream.StatusHeld {
		b.Held += v.Energy
	} else {
		b.Invoiced += v.Energy
	}
}

func (c *check) find(kind FindingKind, s *Session, invoice, format string, args ...any) {
	c.findings = append(c.findings, Finding{Kind: kind, StationID: s.StationID,
		ConnectorID: s.ConnectorID, SessionID: s.ID, InvoiceID: invoice,
		Detail: fmt.Sprintf(format, args...)})
}

// session books one session of the period.
func (c *check) session(s *span) {
	b := c.balance(place{s.StationID, s.ConnectorID})
	b.Sessions++
	c.books.session[s.key()] = s.Session
	live := c.books.live[s.key()]
	metered := s.metered(b)
	b.Metered += metered
	switch {
	case len(live) == 0 && s.Due != 0 && s.Due <= c.in.AsOf:
		c.find(FindingMissing, s.Session, "", "due since %s", s.Due)
	case len(live) == 0 && !s.copied:
		b.gap(GapNotDue, metered)
	case len(live) == 1 && s.copied:
		c.copied(b, s, live[0])
	case len(live) == 1:
		b.book(live[0])
		c.explain(b, s, live[0], metered-live[0].Energy)
	case len(live) > 1:
		for _, v := range live {
			b.book(v)
			c.find(FindingTwice, s.Session, v.InvoiceID, "%d documents are live", len(live))
		}
	}
}

// metered is what a session's own meters told, else what the register grew by; what that grew by
// more is a gap, and metered as well. A copy has no energy of its own.
func (s *span) metered(b *Balance) chargestream.WattHours {
	if s.copied {
		return 0
	}
	if s.Energy == nil || *s.Energy < 0 {
		return s.grown
	}
	if beyond := s.grown - *s.Energy; beyond > 0 {
		b.Metered += beyond
		b.gap(GapBeyond, beyond)
	}
	more := *s.Energy - s.grown - s.taken
	if more > 0 && s.before && s.after && !s.broken {
		b.note(NoteTold, more)
	}
	return *s.Energy
}

// copied looks at the bill of a copy, which is held and in no sum.
func (c *check) copied(b *Balance, s *span, v *chargestream.Invoice) {
	b.note(NoteCopy, v.Energy)
	if v.Status != chargestream.StatusHeld {
		b.book(v)
		c.find(FindingCopy, s.Session, v.InvoiceID, "it is the same session as %q", s.CopyOf)
	}
}

// explain names what was metered and is not on the bill, if anything is.
func (c *check) explain(
	b *Balance,
	s *span,
	v *chargestream.Invoice,
	off chargestream.WattHours,
) {
	holds := func(r chargestream.HoldReason) bool { return slices.Contains(v.HoldReasons, r) }
	decided := func(what chargestream.DecisionAction) bool {
		return slices.ContainsFunc(v.Decisions, func(d chargestream.AppliedDecision) bool {
			return d.Action == what
		})
	}
	switch {
	case holds(chargestream.HoldCancelled):
		b.gap(GapCancelled, off)
	case off == 0:
	case decided(chargestream.ActionCorrect):
		b.gap(GapCorrected, off)
	case holds(chargestream.HoldNoEnergy):
		b.gap(GapNoEnergy, off)
	case holds(chargestream.HoldNotEnded):
		b.gap(GapNotEnded, off)
	case v.Estimated, decided(chargestream.ActionRelease),
		slices.ContainsFunc(v.HoldReasons, doubtsEnergy):
		b.gap(GapDoubted, off)
	default:
		c.find(FindingEnergy, s.Session, v.InvoiceID, "%d Wh were metered, %d Wh are billed",
			v.Energy+off, v.Energy)
	}
}

// doubtsEnergy reports whether a bill that is held for this reason may have another energy than the
// station told.
func doubtsEnergy(r chargestream.HoldReason) bool {
	switch r {
	case chargestream.HoldEstimated, chargestream.HoldNegativeEnergy,
		chargestream.HoldMeterRegression, chargestream.HoldLifetimeRegister,
		chargestream.HoldConflict, chargestream.HoldNoStart, chargestream.HoldNegativeDuration:
		return true
	}
	return false
}

// strangers books the live documents of the period whose session nobody knows.
func (c *check) strangers(known map[sessionKey]bool) {
	for key, live := range c.books.live {
		if known[key] {
			continue
		}
		for _, v := range live {
			if at := cmp.Or(v.EndTime, v.StartTime, v.IssuedAt); c.within(at) {
				c.balance(place{v.StationID, v.ConnectorID}).book(v)
				c.find(FindingStranger, sessionOf(v), v.InvoiceID, "%d Wh are billed", v.Energy)
			}
		}
	}
}

// sessionOf is the session of a document, as far as a finding names it.
func sessionOf(v *chargestream.Invoice) *Session {
	return &Session{ID: v.SessionID, StationID: v.StationID, ConnectorID: v.ConnectorID}
}

// credits looks at the credit notes of the period.
func (c *check) credits() {
	for credited, notes := range c.books.notes {
		v := c.books.byID[credited]
		for _, n := range notes {
			if !c.concerns(n) {
				continue
			}
			switch {
			case v == nil:
				c.find(FindingCreditOfNothing, sessionOf(n), n.InvoiceID, "%q is no document",
					credited)
			case v.Kind == chargestream.KindCreditNote:
				c.find(FindingCreditOfNothing, sessionOf(n), n.InvoiceID,
					"%q is a credit note itself", credited)
			case len(notes) > 1:
				c.find(FindingCreditTwice, sessionOf(n), n.InvoiceID,
					"%d credit notes cancel %q", len(notes), credited)
			}
			if v == nil {
				continue
			}
			if field := unlike(n, v); field != "" {
				c.find(FindingCredit, sessionOf(n), n.InvoiceID, "%s does not cancel that of %q",
					field, credited)
			}
		}
	}
}

// concerns reports whether a document is of the period: by its session, else by its own times.
func (c *check) concerns(v *chargestream.Invoice) bool {
	if c.books.session[keyOf(v)] != nil {
		return true
	}
	return c.within(cmp.Or(v.EndTime, v.StartTime, v.IssuedAt))
}

// unlike is the first field in which a credit note does not cancel an invoice; empty for none. Its
// lines, groups and totals are those of the invoice negated, the rest is as it was.
func unlike(note, v *chargestream.Invoice) string {
	switch {
	case note.SessionID != v.SessionID:
		return "session_id"
	case note.StationID != v.StationID:
		return "station_id"
	case note.Currency != v.Currency:
		return "currency"
	case note.Energy != v.Energy:
		return "energy_wh"
	case !negated(note.TotalExclVAT, v.TotalExclVAT):
		return "total_excl_vat"
	case !negated(note.TotalVAT, v.TotalVAT):
		return "total_vat"
	case !negated(note.TotalInclVAT, v.TotalInclVAT):
		return "total_incl_vat"
	case !slices.EqualFunc(note.Lines, v.Lines, negatedLine):
		return "lines"
	case !slices.EqualFunc(note.VATGroups, v.VATGroups, negatedGroup):
		return "vat_groups"
	}
	return ""
}

func negatedLine(n, v chargestream.InvoiceLine) bool {
	return n.Dimension == v.Dimension && n.VATPercent == v.VATPercent &&
		n.UnitPrice == v.UnitPrice && negated(n.Quantity, v.Quantity) &&
		negated(n.ExclVAT, v.ExclVAT) && negated(n.VAT, v.VAT) && negated(n.InclVAT, v.InclVAT)
}

func negatedGroup(n, v chargestream.VATGroup) bool {
	return n.VATPercent == v.VATPercent && negated(n.ExclVAT, v.ExclVAT) &&
		negated(n.VAT, v.VAT) && negated(n.InclVAT, v.InclVAT)
}

// negated reports whether one decimal text is the other with its sign turned; nothing is nothing,
// with or without a sign.
func negated(one, other string) bool {
	zero := func(text string) bool { return strings.Trim(text, "-0.") == "" }
	if zero(one) && zero(other) {
		return true
	}
	if rest, ok := strings.CutPrefix(one, "-"); ok {
		return rest == other
	}
	return "-"+one == other
}
