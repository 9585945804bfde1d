package tables

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"chargestream"
)

// holdReasons are the doubts about the session, in alphabetical order. Those about the tariff
// are added by Invoice.
func (s *Session) holdReasons() []chargestream.HoldReason {
	var reasons []chargestream.HoldReason
	hold := func(doubt bool, reason chargestream.HoldReason) {
		if doubt {
			reasons = append(reasons, reason)
		}
	}
	ended := len(s.Starts) > 0 && len(s.Ends) > 0
	energy := s.energy()
	regressed, _ := s.regression()
	hold(s.skewed(), chargestream.HoldClockSkew)
	hold(len(s.Starts) > 1 || len(s.Ends) > 1, chargestream.HoldConflict)
	hold(s.Verdict.DuplicateOf.ID != "", chargestream.HoldDuplicate)
	hold(ended && energy.estimated, chargestream.HoldEstimated)
	hold(regressed != 0, chargestream.HoldMeterRegression)
	hold(ended && s.Ends[0].At < s.Starts[0].At, chargestream.HoldNegativeDuration)
	hold(energy.negative, chargestream.HoldNegativeEnergy)
	hold(ended && !energy.known, chargestream.HoldNoEnergy)
	hold(s.Overdue, chargestream.HoldNotEnded)
	return reasons
}

func (s *Session) skewed() bool {
	for i := range s.Starts {
		if skewed(s.Starts[i].At, s.Starts[i].Arrival) {
			return true
		}
	}
	for i := range s.Ends {
		if skewed(s.Ends[i].At, s.Ends[i].Arrival) {
			return true
		}
	}
	return false
}

// Billable tells whether the session's invoice is due: it is settled and known to be no copy or
// to be one, or it is overdue.
func (s *Session) Billable() bool {
	if len(s.Starts) == 0 {
		return false
	}
	return s.Overdue || (len(s.Ends) > 0 && s.Settled && s.Verdict.Known)
}

// Invoice bills the session by the version of the tariff that was in force at its start; tariff
// may be nil. It is a pure function of its arguments, and its id is made of all that it says: an
// invoice that says something else has another id, so none is ever rewritten. ok is false while
// the session is not Billable.
func (s *Session) Invoice(
	id chargestream.SessionID,
	tariff *chargestream.TariffHistory,
) (chargestream.Invoice, bool) {
	if !s.Billable() {
		return chargestream.Invoice{}, false
	}
	start := &s.Starts[0]
	v := chargestream.Invoice{SessionID: id, Revision: 1, Kind: chargestream.KindInvoice,
		Status: chargestream.StatusIssued, HoldReasons: s.holdReasons(), StationID: s.StationID,
		ConnectorID: start.ConnectorID, UserID: start.UserID, StartTime: start.At,
		Lines: []chargestream.InvoiceLine{}}
	if s.lateEnd() {
		v.Revision = 2 // the first said that there was no end
	}
	energy := s.energy()
	ended := len(s.Ends) > 0
	if ended {
		v.EndTime = s.Ends[0].At
		v.DurationSeconds = int64(max(v.EndTime-v.StartTime, 0) / chargestream.Second)
		v.Energy, v.Estimated = energy.total, energy.estimated
	}
	version := TariffAt(tariff, start.At)
	if version == nil {
		v.HoldReasons = append(v.HoldReasons, chargestream.HoldNoTariff)
		version = &chargestream.TariffVersion{}
	} else {
		v.TariffID, v.TariffValidFrom = tariff.TariffID, version.ValidFrom
		v.Currency = version.Tariff.Currency
	}
	q := quantities{ended: ended, metered: energy.known && !energy.negative,
		energy: v.Energy, seconds: v.DurationSeconds}
	if err := price(&v, &version.Tariff, q); err != nil {
		v.HoldReasons = append(v.HoldReasons, chargestream.HoldTariffUnsupported)
	}
	if len(v.HoldReasons) > 0 {
		v.Status = chargestream.StatusHeld
		slices.Sort(v.HoldReasons)
	}
	v.InvoiceID = string(id) + "-" + fingerprint(&v)
	return v, true
}

// fingerprint is ten hexadecimal digits of the SHA-256 of all that an invoice says.
func fingerprint(v *chargestream.Invoice) string {
	text, err := json.Marshal(v)
	if err != nil {
		// It cannot be: an invoice is plain data.
		panic(fmt.Sprintf("encode invoice: %v", err))
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:5])
}

// CreditNote cancels an invoice to the cent.
func CreditNote(v chargestream.Invoice) chargestream.Invoice {
	v.Credits = v.InvoiceID
	v.InvoiceID += "-credit"
	v.Kind = chargestream.KindCreditNote
	v.Lines = slices.Clone(v.Lines)
	for i := range v.Lines {
		l := &v.Lines[i]
		l.Quantity, l.ExclVAT = negate(l.Quantity), negate(l.ExclVAT)
		l.VAT, l.InclVAT = negate(l.VAT), negate(l.InclVAT)
	}
	v.TotalExclVAT, v.TotalVAT = negate(v.TotalExclVAT), negate(v.TotalVAT)
	v.TotalInclVAT = negate(v.TotalInclVAT)
	return v
}

// negate changes the sign of decimal text; zero stays without one.
func negate(text string) string {
	if len(text) > 0 && text[0] == '-' {
		return text[1:]
	}
	for i := range len(text) {
		if text[i] != '0' && text[i] != '.' {
			return "-" + text
		}
	}
	return text
}

// TariffAt is the version of a tariff in force at a moment; nil where there is none. Of versions
// that begin at the same moment the last in the list counts.
func TariffAt(t *chargestream.TariffHistory, at chargestream.Millis) *chargestream.TariffVersion {
	if t == nil {
		return nil
	}
	var found *chargestream.TariffVersion
	for i := range t.Versions {
		v := &t.Versions[i]
		if v.ValidFrom <= at && (found == nil || v.ValidFrom >= found.ValidFrom) {
			found = v
		}
	}
	return found
}

// errTariff is wrapped by every reason why a tariff is not understood here.
var errTariff = errors.New("tariff not understood")

// present tells whether a part of a tariff that is not read here says anything.
func present(raw json.RawMessage) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) > 0 && !bytes.Equal(raw, []byte("null")) && !bytes.Equal(raw, []byte("{}"))
}

// understood refuses whatever would change the price and is not read: a bill by half a tariff
// is worse than none.
func understood(t *chargestream.Tariff) error {
	if t.Currency == "" && len(t.Elements) > 0 {
		return fmt.Errorf("%w: no currency", errTariff)
	}
	if present(t.MinPrice) || present(t.MaxPrice) {
		return fmt.Errorf("%w: min_price or max_price", errTariff)
	}
	for _, e := range t.Elements {
		if present(e.Restrictions) {
			return fmt.Errorf("%w: restrictions", errTariff)
		}
		for _, c := range e.PriceComponents {
			if !slices.Contains(dimensions, c.Type) {
				return fmt.Errorf("%w: dimension %q", errTariff, c.Type)
			}
		}
	}
	return nil
}

// dimensions are those that are billed, in the order of the lines.
var dimensions = []string{"FLAT", "ENERGY", "TIME"}

// component is the price component that is active for a dimension: the first (OCPI 2.2.1
// mod_tariffs, Tariff Elements).
func component(t *chargestream.Tariff, dimension string) *chargestream.PriceComponent {
	for i := range t.Elements {
		for j := range t.Elements[i].PriceComponents {
			if c := &t.Elements[i].PriceComponents[j]; c.Type == dimension {
				return c
			}
		}
	}
	return nil
}
