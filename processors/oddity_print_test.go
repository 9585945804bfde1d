package processors_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"chargestream"
	"chargestream/engine"
	"chargestream/topics"
)

// oddityTold is what came out, in its order.
type oddityTold struct {
	dead      []string
	anomalies []chargestream.Anomaly
	bills     []chargestream.Invoice
	windows   map[string]chargestream.Utilization
	err       error
}

func (o *oddityTold) take(topic, key string, value []byte, headers []engine.Header) {
	var err error
	switch topic {
	case topics.DeadLetters:
		source, reason := "", ""
		for _, h := range headers {
			switch h.Key {
			case topics.HeaderSourceTopic:
				source = string(h.Value)
			case topics.HeaderReason:
				reason = string(h.Value)
			}
		}
		o.dead = append(o.dead, source+": "+reason)
	case topics.Anomalies:
		var a chargestream.Anomaly
		err = json.Unmarshal(value, &a)
		o.anomalies = append(o.anomalies, a)
	case topics.Invoices:
		var v chargestream.Invoice
		err = json.Unmarshal(value, &v)
		o.bills = append(o.bills, v)
	case topics.Utilization:
		var u chargestream.Utilization
		err = json.Unmarshal(value, &u)
		if o.windows == nil {
			o.windows = map[string]chargestream.Utilization{}
		}
		o.windows[key] = u
	}
	if err != nil && o.err == nil {
		o.err = fmt.Errorf("%s %q: %w", topic, key, err)
	}
}

// tell prints what came out since it was called last: dead letters, then anomalies by time, then
// the documents of each session in the order in which they were sent.
func (o *oddity) tell() string {
	if o.told.err != nil {
		return o.told.err.Error() + "\n"
	}
	var lines []string
	for _, text := range o.told.dead[o.next[0]:] {
		lines = append(lines, "dead letter of "+text)
	}
	anomalies := slices.Clone(o.told.anomalies[o.next[1]:])
	slices.SortStableFunc(anomalies, func(a, b chargestream.Anomaly) int {
		return cmp.Or(cmp.Compare(anomalyMoment(&a), anomalyMoment(&b)),
			cmp.Compare(a.AnomalyID, b.AnomalyID))
	})
	for i := range anomalies {
		// What only its evidence tells apart reads the same here.
		if text := o.showAnomaly(&anomalies[i]); !slices.Contains(lines, text) {
			lines = append(lines, text)
		}
	}
	bills := slices.Clone(o.told.bills[o.next[2]:])
	slices.SortStableFunc(bills, func(a, b chargestream.Invoice) int {
		return cmp.Or(cmp.Compare(a.SessionID, b.SessionID), cmp.Compare(a.StationID, b.StationID))
	})
	for i := range bills {
		lines = append(lines, o.showBill(&bills[i])...)
	}
	o.next = [3]int{len(o.told.dead), len(o.told.anomalies), len(o.told.bills)}
	lines = append(lines, o.prints...)
	o.prints = nil
	if len(lines) == 0 {
		lines = []string{"nothing"}
	}
	return strings.Join(lines, "\n") + "\n"
}

func anomalyMoment(a *chargestream.Anomaly) chargestream.Millis {
	return cmp.Or(a.ClosedAt, a.OpenedAt)
}

// showAnomaly writes an anomaly by its own times. One that was not told before it closed is a span,
// or a remark where it took no time.
func (o *oddity) showAnomaly(a *chargestream.Anomaly) string {
	what := strings.Replace(a.AnomalyID, "/", " ", 1)
	if a.SessionID != "" {
		what = strings.Replace(a.AnomalyID, "/"+string(a.StationID)+"/", " ", 1)
	}
	opened := o.opened[a.AnomalyID]
	o.opened[a.AnomalyID] = a.ClosedAt == 0
	switch {
	case a.Evidence["withdrawn"] != "":
		return fmt.Sprintf("%s withdraws %s", o.clock(a.ClosedAt), what)
	case a.ClosedAt == 0 && a.BillingHold:
		return fmt.Sprintf("%s opens %s, holds", o.clock(a.OpenedAt), what)
	case a.ClosedAt == 0:
		return fmt.Sprintf("%s opens %s, %s", o.clock(a.OpenedAt), what, a.Severity)
	case opened:
		return fmt.Sprintf("%s closes %s", o.clock(a.ClosedAt), what)
	case a.ClosedAt == a.OpenedAt:
		return fmt.Sprintf("%s notes %s, %s", o.clock(a.OpenedAt), what, a.Severity)
	}
	return fmt.Sprintf("%s to %s %s", o.clock(a.OpenedAt), o.clock(a.ClosedAt), what)
}

// clock writes a time as the scripts do.
func (o *oddity) clock(at chargestream.Millis) string {
	if at == 0 {
		return "-"
	}
	text := at.Time().Format("15:04:05.999")
	text = strings.TrimSuffix(text, ":00")
	if days := (at - o.day).Truncate(chargestream.Day) / chargestream.Day; days != 0 {
		text = fmt.Sprintf("%dd%s", days, text)
	}
	return text
}

// showBill writes a document: its moment, session, revision and sum; then what is billed, line by
// line. Of a credit note the sum says it all, as the rest is checked against what it cancels.
func (o *oddity) showBill(v *chargestream.Invoice) []string {
	sum := "nothing"
	if len(v.Lines) > 0 {
		sum = fmt.Sprintf("%s %s (%s + %s VAT)", v.TotalInclVAT, v.Currency, v.TotalExclVAT,
			v.TotalVAT)
	}
	head := fmt.Sprintf("%s %s r%d", o.clock(v.IssuedAt), v.SessionID, v.Revision)
	if v.Kind == chargestream.KindCreditNote {
		return []string{head + " credited: " + sum}
	}
	status := string(v.Status)
	if len(v.HoldReasons) > 0 {
		var reasons []string
		for _, r := range v.HoldReasons {
			reasons = append(reasons, string(r))
		}
		status += " (" + strings.Join(reasons, ", ") + ")"
	}
	lines := []string{head + " " + status + ": " + sum}
	if v.StartTime != 0 && v.EndTime != 0 {
		lines = append(lines, o.showQuantities(v))
	}
	for i := range v.Lines {
		lines = append(lines, showOddityLine(&v.Lines[i]))
	}
	if len(v.VATGroups) > 1 {
		for _, g := range v.VATGroups {
			lines = append(lines, fmt.Sprintf("    VAT %s %% of %s: %s", g.VATPercent, g.ExclVAT,
				g.VAT))
		}
	}
	for _, d := range v.Decisions {
		lines = append(lines, fmt.Sprintf("    %s: %s by %s", d.DecisionID, d.Action, d.By))
	}
	if len(v.SignedData) > 0 {
		lines = append(lines, fmt.Sprintf("    signed values: %d", len(v.SignedData)))
	}
	if v.BookingDate != v.IssuedAt.Time().Format(time.DateOnly) {
		lines = append(lines, "    booked "+v.BookingDate)
	}
	return lines
}

func (o *oddity) showQuantities(v *chargestream.Invoice) string {
	text := fmt.Sprintf("    %s-%s %s, %s kWh", o.clock(v.StartTime), o.clock(v.EndTime),
		minutes(v.DurationSeconds), trimmed(big.NewRat(int64(v.Energy), 1000).FloatString(3), 0))
	if v.Estimated {
		text += " estimated"
	}
	if v.ParkingSeconds != 0 {
		text += ", parking " + minutes(v.ParkingSeconds)
	}
	text += fmt.Sprintf(", %s at ", v.UserID)
	if v.StationID != oddityStation {
		text += string(v.StationID) + "/"
	}
	text += string(v.ConnectorID)
	if v.TariffID != "" {
		from := v.TariffValidFrom.Time().Format("2006-01-02T15:04")
		text += fmt.Sprintf(", tariff %s of %s", v.TariffID, strings.TrimSuffix(from, "T00:00"))
	}
	return text
}

func minutes(seconds int64) string {
	text := fmt.Sprintf("%d min", seconds/60)
	if rest := seconds % 60; rest != 0 {
		text += fmt.Sprintf(" %d s", rest)
	}
	return text
}

// trimmed takes zeros from the end of a decimal, down to so many decimals.
func trimmed(text string, least int) string {
	whole, fraction, _ := strings.Cut(text, ".")
	fraction = strings.TrimRight(fraction, "0")
	for len(fraction) < least {
		fraction += "0"
	}
	if fraction == "" {
		return whole
	}
	return whole + "." + fraction
}

func showOddityLine(l *chargestream.InvoiceLine) string {
	text := "    " + l.Dimension
	if !strings.HasSuffix(l.Dimension, "_PRICE") {
		text += " " + trimmed(l.Quantity, 0) + " " + l.Unit
		if l.Measured != l.Quantity {
			text += " (measured " + trimmed(l.Measured, 0) + ")"
		}
		text += " x " + trimmed(l.UnitPrice, 2)
	}
	percent := "?"
	if l.VATPercent != "" {
		percent = trimmed(l.VATPercent, 0)
	}
	text += fmt.Sprintf(" = %s + %s %% %s", l.ExclVAT, percent, l.VAT)
	if l.Estimated {
		text += ", estimated"
	}
	return text
}

// window writes the newest utilization of an hour.
func (o *oddityTold) window(connector string, at, day chargestream.Millis) string {
	key := oddityStation + "/" + connector + "/" + at.String()
	u, ok := o.windows[key]
	if !ok {
		return "no window " + key
	}
	var parts []string
	add := func(name string, seconds int64) {
		if seconds != 0 {
			parts = append(parts, name+" "+minutes(seconds))
		}
	}
	add("occupied", u.Occupied)
	add("of it charging", u.Charging)
	add("available", u.Available)
	add("reserved", u.Reserved)
	add("unavailable", u.Unavailable)
	add("faulted", u.Faulted)
	add("unknown", u.Unknown)
	return fmt.Sprintf("window %s %s: %s; %d Wh, sessions %d", connector,
		(&oddity{day: day}).clock(at), strings.Join(parts, ", "), u.Energy, u.Sessions)
}

// checkBills holds what must be true of any script: lines and groups add up to totals, a credit
// note cancels the document before it to the cent, and of each session one document is live.
func (o *oddity) checkBills(t *testing.T) {
	live, ids := map[string]*chargestream.Invoice{}, map[string]bool{}
	for i := range o.told.bills {
		v := &o.told.bills[i]
		if ids[v.InvoiceID] {
			t.Errorf("document %s was sent twice", v.InvoiceID)
		}
		ids[v.InvoiceID] = true
		checkSums(t, v)
		before := live[sessionName(v)]
		if v.Kind == chargestream.KindCreditNote {
			checkCredit(t, before, v)
			delete(live, sessionName(v))
			continue
		}
		if before != nil {
			t.Errorf("%s is sent while %s is live", v.InvoiceID, before.InvoiceID)
		}
		if held := len(v.HoldReasons) > 0; held != (v.Status == chargestream.StatusHeld) {
			t.Errorf("%s is %s with the reasons %v", v.InvoiceID, v.Status, v.HoldReasons)
		}
		live[sessionName(v)] = v
	}
	for i := range o.told.bills {
		if id := sessionName(&o.told.bills[i]); live[id] == nil {
			t.Errorf("session %s has no live document", id)
		}
	}
}

// sessionName names a session among those of all stations.
func sessionName(v *chargestream.Invoice) string {
	return string(v.StationID) + "/" + string(v.SessionID)
}

func checkCredit(t *testing.T, before, note *chargestream.Invoice) {
	if before == nil {
		t.Errorf("%s cancels nothing", note.InvoiceID)
		return
	}
	if note.Credits != before.InvoiceID || note.InvoiceID != before.InvoiceID+"-credit" {
		t.Errorf("%s credits %q, not %s", note.InvoiceID, note.Credits, before.InvoiceID)
	}
	if !opposite(before.TotalExclVAT, note.TotalExclVAT) ||
		!opposite(before.TotalVAT, note.TotalVAT) ||
		!opposite(before.TotalInclVAT, note.TotalInclVAT) ||
		len(note.Lines) != len(before.Lines) || len(note.VATGroups) != len(before.VATGroups) {
		t.Errorf("%s does not cancel %s", note.InvoiceID, before.InvoiceID)
		return
	}
	for i := range note.Lines {
		a, b := &before.Lines[i], &note.Lines[i]
		if !opposite(a.Quantity, b.Quantity) || !opposite(a.Measured, b.Measured) ||
			!opposite(a.ExclVAT, b.ExclVAT) || !opposite(a.VAT, b.VAT) ||
			!opposite(a.InclVAT, b.InclVAT) {
			t.Errorf("%s: line %d does not cancel %s", note.InvoiceID, i, before.InvoiceID)
		}
	}
	for i := range note.VATGroups {
		a, b := &before.VATGroups[i], &note.VATGroups[i]
		if a.VATPercent != b.VATPercent || !opposite(a.ExclVAT, b.ExclVAT) ||
			!opposite(a.VAT, b.VAT) || !opposite(a.InclVAT, b.InclVAT) {
			t.Errorf("%s: VAT group %d does not cancel %s", note.InvoiceID, i, before.InvoiceID)
		}
	}
}

// checkSums adds up in exact fractions.
func checkSums(t *testing.T, v *chargestream.Invoice) {
	var lines, groups [3]big.Rat
	for i := range v.Lines {
		l := &v.Lines[i]
		addTo(&lines, l.ExclVAT, l.VAT, l.InclVAT)
	}
	for i := range v.VATGroups {
		g := &v.VATGroups[i]
		addTo(&groups, g.ExclVAT, g.VAT, g.InclVAT)
	}
	for i, total := range []string{v.TotalExclVAT, v.TotalVAT, v.TotalInclVAT} {
		want := amount(total)
		if lines[i].Cmp(want) != 0 || groups[i].Cmp(want) != 0 {
			t.Errorf("%s: %s is not the sum of its lines, %s, and of its VAT groups, %s",
				v.InvoiceID, total, lines[i].FloatString(3), groups[i].FloatString(3))
		}
	}
}

func addTo(sums *[3]big.Rat, amounts ...string) {
	for i, text := range amounts {
		sums[i].Add(&sums[i], amount(text))
	}
}

// amount is a decimal as an exact number; an empty one is zero.
func amount(text string) *big.Rat {
	n, ok := new(big.Rat).SetString(cmp.Or(text, "0"))
	if !ok {
		return big.NewRat(-1, 7) // equal to nothing that has decimals
	}
	return n
}

func opposite(a, b string) bool {
	return new(big.Rat).Neg(amount(a)).Cmp(amount(b)) == 0
}

// oddityStride is how far time moves at once where a script is run again in small steps.
const oddityStride = 5 * chargestream.Minute

// checkRepeats runs a script again: with each record told twice, with time moving on by the records
// alone until the end, and in small steps. The documents of each session are the same ones, in the
// same order, and so is what each anomaly came to.
func (o *oddity) checkRepeats(t *testing.T) {
	want := documentsOf(&o.told)
	for name, step := range map[string]func(*engine.Driver, oddityStep, chargestream.Millis) error{
		"twice":        feedTwice,
		"without time": feedOnly,
		"small steps":  feedInSteps,
	} {
		var told oddityTold
		d := newOddityDriver(t, &told)
		last := chargestream.Millis(0)
		for _, s := range o.steps {
			if err := step(d, s, last); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			last = s.time
		}
		if err := d.Tick(int64(o.now)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all := documentsOf(&told)
		if len(all) != len(want) {
			t.Errorf("%s: %d sessions and anomalies, not %d", name, len(all), len(want))
		}
		for id, list := range want {
			if got := all[id]; !slices.Equal(list, got) {
				t.Errorf("%s: %s has come to\n%s\nand not\n%s", name, id,
					strings.Join(got, "\n"), strings.Join(list, "\n"))
			}
		}
	}
}

func feedTwice(d *engine.Driver, s oddityStep, _ chargestream.Millis) error {
	for range 2 {
		if err := feedStep(d, s); err != nil {
			return err
		}
	}
	return nil
}

func feedOnly(d *engine.Driver, s oddityStep, _ chargestream.Millis) error {
	if s.record == nil {
		return nil
	}
	return feedStep(d, s)
}

func feedInSteps(d *engine.Driver, s oddityStep, last chargestream.Millis) error {
	// A script that waits for months is not stepped through.
	if last != 0 && s.time-last < 7*chargestream.Day {
		for at := last + oddityStride; at < s.time; at += oddityStride {
			if err := d.Tick(int64(at)); err != nil {
				return err
			}
		}
	}
	return feedStep(d, s)
}

func feedStep(d *engine.Driver, s oddityStep) error {
	if s.record == nil {
		return d.Tick(int64(s.time))
	}
	return d.Feed(*s.record)
}

// documentsOf are the documents of each session, in their order, and what each anomaly came to.
func documentsOf(told *oddityTold) map[string][]string {
	documents := map[string][]string{}
	for i := range told.anomalies {
		a := &told.anomalies[i]
		documents["anomaly "+a.AnomalyID] = []string{fmt.Sprintf("%+v", *a)}
	}
	for i := range told.bills {
		v := &told.bills[i]
		id := "session " + sessionName(v)
		documents[id] = append(documents[id],
			fmt.Sprintf("%s %s r%d %s %v %s", v.InvoiceID, v.IssuedAt, v.Revision, v.Status,
				v.HoldReasons, v.TotalInclVAT))
	}
	return documents
}
