package oracle_test

import (
	"slices"
	"testing"

	"chargestream/internal/oracle"
)

func TestEndOnTheHourTouchesOneHour(t *testing.T) {
	x := oracle.Expect([]oracle.Row{row("a", 0, 3600, 1)}, tariff(t))
	if len(x.Windows) != 1 {
		t.Errorf("windows: %v, want one", x.Windows)
	}
}

func TestDuplicateIsWhatArrivedLater(t *testing.T) {
	first, again := row("z", 0, 60, 1), row("a", 0, 60, 1)
	again.StartArrivalMs = ms(1)
	x := oracle.Expect([]oracle.Row{again, first}, tariff(t))
	if x.Invoices["z"].Held || !x.Invoices["a"].Held {
		t.Errorf("z %v, a %v: want only a held", x.Invoices["z"].Reasons, x.Invoices["a"].Reasons)
	}
	again.StartArrivalMs = first.StartArrivalMs
	x = oracle.Expect([]oracle.Row{first, again}, tariff(t))
	if x.Invoices["a"].Held || !x.Invoices["z"].Held {
		t.Errorf("arrived together: z %v, a %v: want only z held", x.Invoices["z"].Reasons,
			x.Invoices["a"].Reasons)
	}
}

func TestNeverEndedIsNotCalledWithoutEnergy(t *testing.T) {
	open := row("a", 0, 0, 0)
	open.HasEnd, open.EndMs, open.EndArrivalMs, open.HasEnergy = false, 0, 0, false
	open.StartArrivalMs = ms(3600 + 601)
	x := oracle.Expect([]oracle.Row{open}, tariff(t))
	if got := x.Invoices["a"].Reasons; !slices.Equal(got, []string{oracle.HoldNotEnded}) {
		t.Errorf("held for %v, want %s", got, oracle.HoldNotEnded)
	}
	w := x.Windows[oracle.WindowKey("S1", "P1", ms(0))]
	if w.Revision != 1 || w.Sessions != 1 || w.OccupiedS != 0 {
		t.Errorf("window %+v: want it told once, by a late start", w)
	}
}

func TestVATIsOfTheExactAmount(t *testing.T) {
	// 1 kWh costs 0.0262, rounded 0.03, of which 19 % are 0.0057; of 0.0262 they are 0.004978
	made, err := oracle.NewTariff("EUR", "0.0262", "0", "19")
	if err != nil {
		t.Fatal(err)
	}
	v := oracle.Expect([]oracle.Row{row("a", 0, 60, 1000)}, made).Invoices["a"]
	if v.ExclCents != 3 || v.VATCents != 0 || v.InclCents != 3 {
		t.Errorf("%d + %d = %d cents, want 3 + 0 = 3", v.ExclCents, v.VATCents, v.InclCents)
	}
}

func TestUnionCountsEachSecondOnce(t *testing.T) {
	// one within another, one across its end, and a gap of 10 s before the last
	x := oracle.Expect([]oracle.Row{row("a", 0, 100, 1), row("b", 10, 20, 1),
		row("c", 90, 110, 1), row("d", 120, 130, 1)}, tariff(t))
	if got := x.Connectors["S1/P1"]; got != 120 {
		t.Errorf("%d s in use, want 120", got)
	}
}
