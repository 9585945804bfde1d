package chargestream

import "testing"

// TestStatusAskedFor: what is cancelled waits for nobody, and is found by its own word.
func TestStatusAskedFor(t *testing.T) {
	for _, c := range []struct {
		status  InvoiceStatus
		reasons []HoldReason
		is      InvoiceStatus
	}{
		{StatusIssued, nil, StatusIssued},
		{StatusHeld, []HoldReason{HoldNoTariff}, StatusHeld},
		{StatusHeld, []HoldReason{HoldCancelled}, StatusCancelled},
		{StatusHeld, []HoldReason{HoldCancelled, HoldNoTariff}, StatusHeld},
	} {
		v := Invoice{Status: c.status, HoldReasons: c.reasons}
		for _, asked := range []InvoiceStatus{StatusIssued, StatusHeld, StatusCancelled} {
			if v.Is(asked) != (asked == c.is) {
				t.Errorf("%s %q is %s: %v", c.status, c.reasons, asked, v.Is(asked))
			}
		}
		if !v.Is("") {
			t.Errorf("%s %q is not among all", c.status, c.reasons)
		}
	}
}
