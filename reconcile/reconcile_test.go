package reconcile_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"chargestream"
	"chargestream/reconcile"
)

// march is 2026-03-01T00:00:00Z.
const march = chargestream.Millis(1772323200000)

// The times of most cases: a session of an hour at noon of the first.
const (
	noon = march + 12*chargestream.Hour
	one  = noon + chargestream.Hour
)

func wh(energy chargestream.WattHours) *chargestream.WattHours { return &energy }

// ran is a session from noon to one that told its energy.
func ran(id chargestream.SessionID, energy chargestream.WattHours) reconcile.Session {
	return reconcile.Session{ID: id, StationID: "st", ConnectorID: "1", Start: noon, End: one,
		Energy: wh(energy), Due: one + 10*chargestream.Minute}
}

// bill is an issued invoice.
func bill(id chargestream.SessionID, energy chargestream.WattHours) chargestream.Invoice {
	return chargestream.Invoice{InvoiceID: string(id) + "-1", SessionID: id, StationID: "st",
		ConnectorID: "1", Kind: chargestream.KindInvoice, Status: chargestream.StatusIssued,
		StartTime: noon, EndTime: one, Energy: energy, Currency: "EUR", TotalExclVAT: "1.80",
		TotalVAT: "0.36", TotalInclVAT: "2.16",
		Lines: []chargestream.InvoiceLine{{Dimension: "ENERGY", Quantity: "4.000",
			ExclVAT: "1.80", VATPercent: "20", VAT: "0.36", InclVAT: "2.16"}},
		VATGroups: []chargestream.VATGroup{{VATPercent: "20", ExclVAT: "1.80", VAT: "0.36",
			InclVAT: "2.16"}}}
}

// held holds a bill.
func held(v chargestream.Invoice, reasons ...chargestream.HoldReason) chargestream.Invoice {
	v.Status, v.HoldReasons = chargestream.StatusHeld, reasons
	return v
}

// credit is the credit note of an invoice.
func credit(v chargestream.Invoice) chargestream.Invoice {
	minus := func(text string) string { return "-" + text }
	v.Credits, v.InvoiceID = v.InvoiceID, v.InvoiceID+"-credit"
	v.Kind = chargestream.KindCreditNote
	v.TotalExclVAT, v.TotalVAT = minus(v.TotalExclVAT), minus(v.TotalVAT)
	v.TotalInclVAT = minus(v.TotalInclVAT)
	v.Lines = slices.Clone(v.Lines)
	for i := range v.Lines {
		l := &v.Lines[i]
		l.Quantity, l.ExclVAT, l.VAT, l.InclVAT = minus(l.Quantity), minus(l.ExclVAT),
			minus(l.VAT), minus(l.InclVAT)
	}
	v.VATGroups = slices.Clone(v.VATGroups)
	for i := range v.VATGroups {
		g := &v.VATGroups[i]
		g.ExclVAT, g.VAT, g.InclVAT = minus(g.ExclVAT), minus(g.VAT), minus(g.InclVAT)
	}
	return v
}

// next is an invoice in the place of another.
func next(v chargestream.Invoice, change func(*chargestream.Invoice)) chargestream.Invoice {
	v.InvoiceID = strings.TrimSuffix(v.InvoiceID, "1") + "2"
	if change != nil {
		change(&v)
	}
	return v
}

// read is the register of the connector; each reading is minutes from noon and Wh.
func read(readings ...[2]int64) []reconcile.Register {
	r := reconcile.Register{StationID: "st", ConnectorID: "1"}
	for _, v := range readings {
		r.Readings = append(r.Readings, reconcile.Reading{
			At:     noon + chargestream.Millis(v[0])*chargestream.Minute,
			Energy: chargestream.WattHours(v[1])})
	}
	return []reconcile.Register{r}
}

// whole is the register of a connector before and after a session of 4 kWh.
func whole() []reconcile.Register {
	return read([2]int64{-60, 1000}, [2]int64{0, 1000}, [2]int64{30, 3000}, [2]int64{60, 5000},
		[2]int64{90, 5000})
}

// check runs Check over March.
func check(s []reconcile.Session, r []reconcile.Register,
	d []chargestream.Invoice) *reconcile.Report {
	return reconcile.Check(&reconcile.Input{From: march, To: march + 31*chargestream.Day,
		AsOf: march + 31*chargestream.Day, Sessions: s, Registers: r, Documents: d})
}

// told is a balance without what is zero: gaps and notes as their energy by name.
type told struct {
	metered, invoiced, held, unexplained chargestream.WattHours
	gaps                                 map[reconcile.GapName]chargestream.WattHours
	notes                                map[reconcile.NoteName]chargestream.WattHours
	findings                             []reconcile.FindingKind
}

func tell(r *reconcile.Report) told {
	t := told{metered: r.Sum.Metered, invoiced: r.Sum.Invoiced, held: r.Sum.Held,
		unexplained: r.Sum.Unexplained}
	for _, g := range r.Sum.Gaps {
		if t.gaps == nil {
			t.gaps = map[reconcile.GapName]chargestream.WattHours{}
		}
		t.gaps[g.Name] = g.Energy
	}
	for _, n := range r.Sum.Notes {
		if t.notes == nil {
			t.notes = map[reconcile.NoteName]chargestream.WattHours{}
		}
		t.notes[n.Name] = n.Energy
	}
	for _, f := range r.Findings {
		t.findings = append(t.findings, f.Kind)
	}
	return t
}

// gaps and notes of one name.
func gap(name reconcile.GapName,
	energy chargestream.WattHours) map[reconcile.GapName]chargestream.WattHours {
	return map[reconcile.GapName]chargestream.WattHours{name: energy}
}

func note(name reconcile.NoteName,
	energy chargestream.WattHours) map[reconcile.NoteName]chargestream.WattHours {
	return map[reconcile.NoteName]chargestream.WattHours{name: energy}
}

// oneCase is one way in which things may be.
type oneCase struct {
	sessions  []reconcile.Session
	registers []reconcile.Register
	documents []chargestream.Invoice
	want      told
}

func (c *oneCase) run(t *testing.T) {
	r := check(c.sessions, c.registers, c.documents)
	if diff := cmp.Diff(c.want, tell(r), cmp.AllowUnexported(told{})); diff != "" {
		t.Errorf("(-want +got):\n%s%+v", diff, r.Findings)
	}
	if r.AddsUp() != (len(c.want.findings) == 0) {
		t.Errorf("adds up: %v, with %v", r.AddsUp(), r.Findings)
	}
}

// soundCases add up.
func soundCases() map[string]oneCase {
	s, energy := []reconcile.Session{ran("s", 4000)}, chargestream.WattHours(4000)
	v := bill("s", energy)
	corrected := next(v, func(v *chargestream.Invoice) {
		v.Energy = 3900
		v.Decisions = []chargestream.AppliedDecision{{Action: chargestream.ActionCorrect}}
	})
	fine := told{metered: 4000, invoiced: 4000}
	return map[string]oneCase{
		"nothing":           {},
		"issued":            {s, nil, []chargestream.Invoice{v}, fine},
		"with its register": {s, whole(), []chargestream.Invoice{v}, fine},
		"held": {s, nil, []chargestream.Invoice{held(v, chargestream.HoldNoTariff)},
			told{metered: 4000, held: 4000}},
		"billed again": {s, nil, []chargestream.Invoice{v, credit(v), next(v, nil)}, fine},
		"corrected": {s, nil, []chargestream.Invoice{v, credit(v), corrected},
			told{metered: 4000, invoiced: 3900, gaps: gap(reconcile.GapCorrected, 100)}},
		"cancelled": {s, nil, []chargestream.Invoice{held(bill("s", 0),
			chargestream.HoldCancelled)},
			told{metered: 4000, gaps: gap(reconcile.GapCancelled, 4000)}},
		"cancelled with energy": {s, nil, []chargestream.Invoice{held(v,
			chargestream.HoldCancelled)},
			told{metered: 4000, held: 4000, gaps: gap(reconcile.GapCancelled, 0)}},
		"doubted": {s, nil, []chargestream.Invoice{held(bill("s", 4100),
			chargestream.HoldMeterRegression)},
			told{metered: 4000, held: 4100, gaps: gap(reconcile.GapDoubted, -100)}},
		"another month": {[]reconcile.Session{{ID: "s", StationID: "st", ConnectorID: "1",
			Start: march - chargestream.Hour, End: march - 1, Energy: &energy, Due: march}}, nil,
			nil, told{}},
		"not due": {[]reconcile.Session{{ID: "s", StationID: "st", ConnectorID: "1", Start: noon,
			End: one, Energy: &energy, Due: march + 32*chargestream.Day}}, nil, nil,
			told{metered: 4000, gaps: gap(reconcile.GapNotDue, 4000)}},
		"runs": {[]reconcile.Session{{ID: "s", StationID: "st", ConnectorID: "1", Start: noon}},
			whole(), nil, told{metered: 4000, gaps: gap(reconcile.GapNotDue, 4000)}},
		"no energy": {[]reconcile.Session{{ID: "s", StationID: "st", ConnectorID: "1",
			Start: noon, End: one, Due: one}}, whole(),
			[]chargestream.Invoice{held(bill("s", 0), chargestream.HoldNoEnergy)},
			told{metered: 4000, gaps: gap(reconcile.GapNoEnergy, 4000)}},
		"not ended": {[]reconcile.Session{{ID: "s", StationID: "st", ConnectorID: "1",
			Start: noon, Due: noon + chargestream.Day}}, whole(),
			[]chargestream.Invoice{held(bill("s", 0), chargestream.HoldNotEnded)},
			told{metered: 4000, gaps: gap(reconcile.GapNotEnded, 4000)}},
		"negative energy": {[]reconcile.Session{ran("s", -700)}, whole(),
			[]chargestream.Invoice{held(bill("s", 0), chargestream.HoldNegativeEnergy)},
			told{metered: 4000, gaps: gap(reconcile.GapDoubted, 4000)}},
		"copy": {append(s, reconcile.Session{ID: "t", StationID: "st", ConnectorID: "1",
			Start: noon, End: one, Energy: &energy, CopyOf: "s", Due: one}), whole(),
			[]chargestream.Invoice{v, held(bill("t", 4000), chargestream.HoldDuplicate)},
			told{metered: 4000, invoiced: 4000, notes: note(reconcile.NoteCopy, 4000)}},
	}
}

func TestAddsUp(t *testing.T) {
	for name, c := range soundCases() {
		t.Run(name, c.run)
	}
}

// registerCases are about growth that no session told.
func registerCases() map[string]oneCase {
	s, v := []reconcile.Session{ran("s", 4000)}, []chargestream.Invoice{bill("s", 4000)}
	outside := func(energy chargestream.WattHours) told {
		return told{metered: 4000 + energy, invoiced: 4000,
			gaps: gap(reconcile.GapOutside, energy)}
	}
	return map[string]oneCase{
		"before": {s, read([2]int64{-60, 700}, [2]int64{0, 1000}, [2]int64{60, 5000}), v,
			outside(300)},
		"after": {s, read([2]int64{0, 1000}, [2]int64{60, 5000}, [2]int64{90, 5004}), v,
			outside(4)},
		"over start and end": {s, read([2]int64{-5, 900}, [2]int64{5, 1500}, [2]int64{55, 4500},
			[2]int64{65, 5000}), v, outside(100)},
		"of the month before": {s, read([2]int64{-1440, 0}, [2]int64{-1000, 500},
			[2]int64{0, 500}, [2]int64{60, 4500}), v, told{metered: 4000, invoiced: 4000}},
		"beyond the session": {s, read([2]int64{0, 1000}, [2]int64{60, 5250}), v,
			told{metered: 4250, invoiced: 4000, gaps: gap(reconcile.GapBeyond, 250)}},
		"less than the session": {s, read([2]int64{-5, 1000}, [2]int64{5, 1000},
			[2]int64{65, 4400}), v, told{metered: 4000, invoiced: 4000,
			notes: note(reconcile.NoteTold, 600)}},
		"less, but not read after": {s, read([2]int64{-5, 1000}, [2]int64{55, 4400}), v,
			told{metered: 4000, invoiced: 4000}},
		"glitch": {s, read([2]int64{0, 1000}, [2]int64{15, 0}, [2]int64{30, 0},
			[2]int64{60, 5000}), v, told{metered: 4000, invoiced: 4000,
			notes: note(reconcile.NoteGlitch, -2000)}},
		"spike": {s, read([2]int64{0, 1000}, [2]int64{1, 900000}, [2]int64{60, 5000}), v,
			told{metered: 4000, invoiced: 4000, notes: note(reconcile.NoteGlitch, 899000)}},
		"new meter": {s, read([2]int64{-90, 90000}, [2]int64{-60, 10}, [2]int64{0, 12},
			[2]int64{60, 4012}, [2]int64{61, 4012}), v, told{metered: 4002, invoiced: 4000,
			gaps:  gap(reconcile.GapOutside, 2),
			notes: note(reconcile.NoteFall, -89990)}},
		"jump": {s, read([2]int64{-91, 0}, [2]int64{-90, 90000}, [2]int64{-60, 90000},
			[2]int64{0, 90000}, [2]int64{60, 94000}), v, told{metered: 4000, invoiced: 4000,
			notes: note(reconcile.NoteJump, 90000)}},
	}
}

func TestRegisters(t *testing.T) {
	for name, c := range registerCases() {
		t.Run(name, c.run)
	}
}

// TestEdgeOfTwoSessions: growth over the end of one session and the start of the next goes to
// each as far as it told more than was read within.
func TestEdgeOfTwoSessions(t *testing.T) {
	second := reconcile.Session{ID: "t", StationID: "st", ConnectorID: "1",
		Start: one + 2*chargestream.Minute, End: one + chargestream.Hour, Energy: wh(2000),
		Due: one + 2*chargestream.Hour}
	c := oneCase{[]reconcile.Session{ran("s", 4000), second}, read([2]int64{0, 0},
		[2]int64{55, 3700}, [2]int64{65, 4350}, [2]int64{120, 6300}),
		[]chargestream.Invoice{bill("s", 4000), bill("t", 2000)},
		told{metered: 6300, invoiced: 6000, gaps: gap(reconcile.GapOutside, 300)}}
	c.run(t)
}

// faultCases do not add up.
func faultCases() map[string]oneCase {
	s, v := []reconcile.Session{ran("s", 4000)}, bill("s", 4000)
	bad := func(change func(*chargestream.Invoice)) []chargestream.Invoice {
		n := credit(v)
		change(&n)
		return []chargestream.Invoice{v, n, next(v, nil)}
	}
	is := func(metered, invoiced, heldEnergy chargestream.WattHours,
		kinds ...reconcile.FindingKind) told {
		return told{metered: metered, invoiced: invoiced, held: heldEnergy,
			unexplained: metered - invoiced - heldEnergy, findings: kinds}
	}
	creditDiffers := is(4000, 4000, 0, reconcile.FindingCredit)
	other := bill("s", 4001)
	return map[string]oneCase{
		"no invoice": {s, whole(), nil, is(4000, 0, 0, reconcile.FindingMissing)},
		"no invoice of nothing": {[]reconcile.Session{ran("s", 0)}, nil, nil,
			is(0, 0, 0, reconcile.FindingMissing)},
		"credited only": {s, nil, []chargestream.Invoice{v, credit(v)},
			is(4000, 0, 0, reconcile.FindingMissing)},
		"two": {s, nil, []chargestream.Invoice{v, next(v, nil)},
			is(4000, 8000, 0, reconcile.FindingTwice, reconcile.FindingTwice)},
		"one and a held one": {s, nil, []chargestream.Invoice{v, held(next(v, nil))},
			is(4000, 4000, 4000, reconcile.FindingTwice, reconcile.FindingTwice)},
		"other energy": {s, nil, []chargestream.Invoice{other},
			is(4000, 4001, 0, reconcile.FindingEnergy)},
		"other energy, held for its tariff": {s, nil, []chargestream.Invoice{held(other,
			chargestream.HoldNoTariff)}, is(4000, 0, 4001, reconcile.FindingEnergy)},
		"stranger": {s, nil, []chargestream.Invoice{v, bill("x", 500)},
			is(4000, 4500, 0, reconcile.FindingStranger)},
		"copy billed": {append(slices.Clone(s), reconcile.Session{ID: "t", StationID: "st",
			ConnectorID: "1", Start: noon, End: one, Energy: wh(4000), CopyOf: "s", Due: one}), nil,
			[]chargestream.Invoice{v, bill("t", 4000)}, told{metered: 4000, invoiced: 8000,
				unexplained: -4000, notes: note(reconcile.NoteCopy, 4000),
				findings: []reconcile.FindingKind{reconcile.FindingCopy}}},
		"credit of nothing": {s, nil, []chargestream.Invoice{v, credit(bill("s", 7)), credit(
			next(v, nil))}, is(4000, 0, 0, reconcile.FindingCredit,
			reconcile.FindingCreditOfNothing, reconcile.FindingMissing)},
		"credit of a credit": {s, nil, []chargestream.Invoice{v, credit(v), next(v, nil),
			credit(credit(v))}, is(4000, 4000, 0, reconcile.FindingCreditOfNothing)},
		"credited twice": {s, nil, append(bad(func(*chargestream.Invoice) {}),
			bad(func(n *chargestream.Invoice) { n.InvoiceID = "s-1-credit-2" })[1]),
			is(4000, 4000, 0, reconcile.FindingCreditTwice, reconcile.FindingCreditTwice)},
		"credit of more energy": {s, nil, bad(func(n *chargestream.Invoice) { n.Energy-- }),
			creditDiffers},
		"credit negates the energy": {s, nil, bad(func(n *chargestream.Invoice) {
			n.Energy = -n.Energy
		}), creditDiffers},
		"credit at another price": {s, nil, bad(func(n *chargestream.Invoice) {
			n.Lines[0].UnitPrice = "0.44"
		}), creditDiffers},
		"credit of a cent less": {s, nil, bad(func(n *chargestream.Invoice) {
			n.TotalInclVAT = "-2.15"
		}), creditDiffers},
		"credit of other VAT": {s, nil, bad(func(n *chargestream.Invoice) {
			n.VATGroups[0].VAT = "-0.35"
		}), creditDiffers},
		"credit not negated": {s, nil, bad(func(n *chargestream.Invoice) {
			n.Lines[0].InclVAT = "2.16"
		}), creditDiffers},
		"credit without lines": {s, nil, bad(func(n *chargestream.Invoice) { n.Lines = nil }),
			creditDiffers},
		"credit in another currency": {s, nil, bad(func(n *chargestream.Invoice) {
			n.Currency = "CHF"
		}), creditDiffers},
	}
}

// TestPlantedFaults holds that every fault is found.
func TestPlantedFaults(t *testing.T) {
	for name, c := range faultCases() {
		t.Run(name, c.run)
	}
}

// TestOneIdAtTwoStations: a session id is unique at a station, and two stations may have the same.
func TestOneIdAtTwoStations(t *testing.T) {
	moved := func(v chargestream.Invoice) chargestream.Invoice {
		v.StationID, v.InvoiceID = "other", v.InvoiceID+"-other"
		return v
	}
	there := ran("s", 7000)
	there.StationID = "other"
	in := reconcile.Input{From: march, To: march + 31*chargestream.Day,
		AsOf: march + 31*chargestream.Day, Sessions: []reconcile.Session{ran("s", 4000), there},
		Documents: []chargestream.Invoice{bill("s", 4000), moved(bill("s", 7000))}}
	r := reconcile.Check(&in)
	if !r.AddsUp() || r.Sum.Sessions != 2 || r.Sum.Invoiced != 11_000 || len(r.Connectors) != 2 {
		t.Errorf("%+v", r)
	}
	in.Documents[1] = moved(next(bill("s", 7000), nil))
	in.Documents[1].StationID = "st"
	r = reconcile.Check(&in)
	var kinds []reconcile.FindingKind
	for _, f := range r.Findings {
		kinds = append(kinds, f.Kind)
	}
	want := []reconcile.FindingKind{reconcile.FindingMissing, reconcile.FindingTwice,
		reconcile.FindingTwice}
	if !slices.Equal(kinds, want) {
		t.Errorf("both bills at one station: %v, want %v", kinds, want)
	}
}

func TestCreditOfNothingCostsNothing(t *testing.T) {
	v := bill("s", 0)
	v.TotalExclVAT, v.TotalVAT, v.TotalInclVAT, v.Lines, v.VATGroups = "0.00", "0.00", "0.00",
		nil, nil
	n := credit(v)
	n.TotalExclVAT, n.TotalVAT = "0.00", "0.00"
	c := oneCase{[]reconcile.Session{ran("s", 0)}, nil, []chargestream.Invoice{v, n, next(v, nil)},
		told{}}
	c.run(t)
}

// depot is a month of sessions on three connectors with their registers and bills, from a seed.
func depot(r *rand.Rand) ([]reconcile.Session, []reconcile.Register, []chargestream.Invoice) {
	var sessions []reconcile.Session
	var registers []reconcile.Register
	var bills []chargestream.Invoice
	for _, connector := range []chargestream.ConnectorID{"1", "2", "3"} {
		register := reconcile.Register{StationID: "st", ConnectorID: connector}
		total, at := chargestream.WattHours(r.IntN(1e6)), march+chargestream.Hour
		show := func() {
			register.Readings = append(register.Readings, reconcile.Reading{At: at, Energy: total})
		}
		for i := range 20 {
			start, began := at, total
			for range r.IntN(6) {
				show()
				at += chargestream.Quarter
				total += chargestream.WattHours(r.IntN(3000))
			}
			at += chargestream.Minute
			id := chargestream.SessionID(string(connector) + "-" + string(rune('a'+i)))
			s := reconcile.Session{ID: id, StationID: "st", ConnectorID: connector, Start: start,
				End: at, Energy: wh(total - began), Due: at + chargestream.Quarter}
			v := bill(id, total-began)
			v.ConnectorID, v.EndTime = connector, at
			if r.IntN(4) == 0 {
				v = held(v, chargestream.HoldOverlap)
			}
			if r.IntN(4) == 0 {
				bills = append(bills, v, credit(v))
				v = next(v, nil)
			}
			sessions, bills = append(sessions, s), append(bills, v)
			at += chargestream.Hour
			total += chargestream.WattHours(r.IntN(2) * r.IntN(20))
		}
		show()
		registers = append(registers, register)
	}
	return sessions, registers, bills
}

// TestAnyOrder holds for random months that they add up, that the order of the sources does not
// matter, that all growth of the registers is counted, and that a bill that is lost is missed.
func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		random := rand.New(rand.NewPCG(seed, 1))
		sessions, registers, bills := depot(random)
		want := check(sessions, registers, bills)
		if !want.AddsUp() {
			t.Fatalf("does not add up: %+v", want)
		}
		var grown chargestream.WattHours
		for _, r := range registers {
			grown += r.Readings[len(r.Readings)-1].Energy - r.Readings[0].Energy
		}
		if want.Sum.Metered != grown {
			t.Fatalf("metered %d, the registers grew by %d", want.Sum.Metered, grown)
		}
		for i := range registers {
			list := registers[i].Readings
			random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		}
		random.Shuffle(len(sessions), func(i, j int) {
			sessions[i], sessions[j] = sessions[j], sessions[i]
		})
		random.Shuffle(len(bills), func(i, j int) { bills[i], bills[j] = bills[j], bills[i] })
		if diff := cmp.Diff(want, check(sessions, registers, bills)); diff != "" {
			t.Fatalf("in another order (-want +got):\n%s", diff)
		}
		lost := random.IntN(len(bills))
		if r := check(sessions, registers, slices.Delete(bills, lost, lost+1)); r.AddsUp() {
			t.Fatalf("a document was lost, and nobody missed it")
		}
	})
}
