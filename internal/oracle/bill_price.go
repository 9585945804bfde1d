package oracle

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// priced is what the quantities of a sheet cost.
type priced struct {
	lines           []DocumentLine
	groups          []DocumentGroup
	excl, vat, incl int64
	bounded         bool
	vatUnknown      bool
	unsure          bool
}

func (p priced) fill(d *Document) {
	d.Lines, d.Groups = slices.Clone(p.lines), slices.Clone(p.groups)
	d.Excl, d.VAT, d.Incl = p.excl, p.vat, p.incl
	d.Bounded, d.EstimatedUnsure = p.bounded, p.unsure
}

// priceUnheld prices what is to be billed; ok is false where the document has no lines. Without
// energy there are none at all, none for parking either: the whole bill is in doubt.
func (s *story) priceUnheld(v sheet) (priced, bool) {
	if v.end.AtMs < v.start.AtMs || !v.energy.known || v.terms.tariff == nil || !s.supported(v) {
		return priced{}, false
	}
	u := s.usage(v)
	key := fmt.Sprint(string(v.terms.tariff.JSON), usageText(u))
	if p, ok := s.prices[key]; ok {
		return p, true
	}
	t := s.read(v.terms.tariff)
	p := s.rules.priceLines(t.prices, u, digitsOf(t.Currency))
	s.prices[key] = p
	return p, true
}

// usage is cut at every reading and wherever parking begins or ends.
func (s *story) usage(v sheet) Usage {
	u := Usage{StartMs: v.start.AtMs, EndMs: v.end.AtMs, Zone: time.UTC}
	if zone := s.zone(v.terms); zone != nil && s.rules.flaw != flawUTC {
		u.Zone = zone
	}
	points, parking := s.delivered(v), s.parking(v)
	var cuts []int64
	for _, p := range points {
		cuts = append(cuts, p.atMs)
	}
	for _, p := range parking {
		cuts = append(cuts, p.from, p.to)
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	milli := big.NewRat(1000, 1)
	for i := 1; i < len(cuts); i++ {
		from, to := cuts[i-1], cuts[i]
		wh := new(big.Rat).Sub(deliveredBy(points, to), deliveredBy(points, from))
		u.Periods = append(u.Periods, UsagePeriod{FromMs: from, ToMs: to, exact: wh.Mul(wh, milli),
			Parking: slices.ContainsFunc(parking, func(p span) bool {
				return p.from <= from && from < p.to
			})})
	}
	if u.StartMs == u.EndMs { // all of it at one moment
		u.Periods = []UsagePeriod{{FromMs: u.StartMs, ToMs: u.EndMs,
			exact: big.NewRat(v.energy.wh*1000, 1)}}
	}
	return u
}

func usageText(u Usage) string {
	var text strings.Builder
	fmt.Fprint(&text, u.StartMs, u.EndMs, u.Zone)
	for _, p := range u.Periods {
		fmt.Fprint(&text, " ", p.FromMs, " ", p.exact, p.Parking)
	}
	return text.String()
}

// supported reports whether a tariff asks for nothing that is not known: the current, the clock of
// a charger without a zone, or a date outside of its own. The power is asked for by none here.
func (s *story) supported(v sheet) bool {
	t, zone := s.read(v.terms.tariff), s.zone(v.terms)
	if t.Start != nil && v.start.AtMs < instant(*t.Start) ||
		t.End != nil && v.start.AtMs >= instant(*t.End) {
		return false
	}
	for _, e := range t.prices.Elements {
		if e.limits.onClock() && zone == nil ||
			(e.limits.MinCurrent != nil || e.limits.MaxCurrent != nil) && v.energy.wh > 0 {
			return false
		}
	}
	return true
}

func instant(text string) int64 {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(fmt.Sprintf("tariff date: %v", err)) // what does not parse never is reference data
	}
	return t.UnixMilli()
}

func (l *priceLimits) onClock() bool {
	return l.StartTime != nil || l.EndTime != nil || l.StartDate != nil || l.EndDate != nil ||
		len(l.DayOfWeek) > 0
}

func (l *priceLimits) inTime() bool {
	return l.onClock() || l.MinDuration != nil || l.MaxDuration != nil
}

// stepFor is how often a tariff is to be asked so that no limit in time lies within a step: by the
// quarter hour, of which every zone is whole ones away from UTC, else by the minute or the second.
func stepFor(t *priceTariff) int64 {
	step := quarterMs
	fit := func(ms int64) {
		for ms%step != 0 {
			step = map[int64]int64{quarterMs: minuteMs, minuteMs: secondMs}[step]
		}
	}
	for _, e := range t.Elements {
		for _, d := range []*int64{e.limits.MinDuration, e.limits.MaxDuration} {
			if d != nil {
				fit(*d * secondMs)
			}
		}
		for _, at := range []*string{e.limits.StartTime, e.limits.EndTime} {
			if at != nil {
				fit(int64(minuteOfDay(*at)) * minuteMs)
			}
		}
	}
	return step
}

// exactLine is a line before rounding.
type exactLine struct {
	line      DocumentLine
	component *priceComponent
	cost      *big.Rat
}

func (b billing) priceLines(t *priceTariff, u Usage, digits int) priced {
	rules := priceRules()
	used := newLedger()
	t.walkSteps(u, used, stepFor(t))
	if u.StartMs == u.EndMs && len(u.Periods) > 0 {
		m := moment{local: localTime(u, u.StartMs), milliWh: new(big.Rat)}
		used.add(t.active(dimEnergy, m), u.Periods[0].energy())
	}
	measured := map[*priceComponent]*big.Rat{}
	for c, quantity := range used.used {
		measured[c] = new(big.Rat).Set(quantity)
	}
	rules.stepLedger(used)
	var total Price
	rules.bill(&total, t, digits, used)
	p := priced{bounded: total.BoundApplied != ""}
	p.excl, p.vat = minorOf(total.Excl), minorOf(total.VAT)
	p.incl = minorOf(total.Incl)

	var lines []exactLine
	for i, e := range t.Elements {
		p.unsure = p.unsure || e.limits.inTime()
		for j, c := range e.Components {
			quantity := used.used[c]
			if quantity == nil {
				continue
			}
			l := exactLine{component: c, cost: c.cost(quantity)}
			l.line = DocumentLine{Dimension: c.Type, Element: i, Position: j,
				Quantity: micro(c, quantity), Measured: micro(c, measured[c]),
				UnitPrice: exactText(&c.Price.rat)}
			if c.VAT != nil {
				l.line.VATPercent = exactText(&c.VAT.rat)
			} else if l.cost.Sign() > 0 {
				p.vatUnknown = true
			}
			lines = append(lines, l)
		}
	}
	b.share(&p, lines, digits)
	p.vatUnknown = p.vatUnknown || p.bounded && t.minimumOfNothing(p.groups)
	if !p.bounded && (b.flaw == flawLineRounding || b.flaw == flawVATOfRounded) {
		p.excl, p.vat, p.incl = 0, 0, 0
		for _, g := range p.groups {
			p.excl, p.vat, p.incl = p.excl+g.Excl, p.vat+g.VAT, p.incl+g.Incl
		}
	}
	return p
}

// minimumOfNothing reports whether a bound adds to a bill of nothing by a tariff of several rates:
// then nobody knows which of them it is taxed by.
func (t *priceTariff) minimumOfNothing(groups []DocumentGroup) bool {
	rates := map[string]bool{}
	for _, e := range t.Elements {
		for _, c := range e.Components {
			rates[c.vatGroup()] = true
		}
	}
	var excl int64
	for _, g := range groups {
		excl += g.Excl
	}
	return excl == 0 && len(rates) > 1
}

// minorOf reads the money of a Price as minor units.
func minorOf(text string) int64 {
	n, ok := new(big.Int).SetString(strings.Replace(text, ".", "", 1), 10)
	if !ok || !n.IsInt64() {
		panic("money " + text) // it was printed as money
	}
	return n.Int64()
}

// micro is a quantity in millionths of a kWh, an hour or a session.
func micro(c *priceComponent, quantity *big.Rat) int64 {
	x := new(big.Rat).Set(quantity)
	switch c.Type {
	case dimTime, dimParking:
		x.Mul(x, big.NewRat(1_000_000, hourMs))
	case dimFlat:
		x.Mul(x, big.NewRat(1_000_000, 1))
	}
	return wholeHalfUp(x)
}

// share rounds each VAT group once and shares its amounts out to its lines.
func (b billing) share(p *priced, lines []exactLine, digits int) {
	byGroup := map[string][]int{}
	for i, l := range lines {
		g := l.component.vatGroup()
		byGroup[g] = append(byGroup[g], i)
	}
	for _, members := range byGroup {
		exact, percent := new(big.Rat), new(big.Rat)
		var quotas []*big.Rat
		for _, i := range members {
			exact.Add(exact, lines[i].cost)
			minor := new(big.Rat).SetInt(tenTo(digits))
			quotas = append(quotas, minor.Mul(minor, lines[i].cost))
			if v := lines[i].component.VAT; v != nil {
				percent.Set(&v.rat)
			}
		}
		g := DocumentGroup{VATPercent: lines[members[0]].line.VATPercent}
		g.Excl = roundMinor(exact, digits).Int64()
		g.VAT = roundMinor(vatOf(exact, percent), digits).Int64()
		if b.flaw == flawVATOfRounded {
			g.VAT = roundHalfUp(vatOf(big.NewRat(g.Excl, 1), percent))
		}
		excl := largestRemainder(g.Excl, quotas)
		if b.flaw == flawLineRounding {
			g.Excl = 0
			for k, q := range quotas {
				excl[k] = roundHalfUp(q)
				g.Excl += excl[k]
			}
		}
		weights := make([]*big.Rat, len(excl))
		for k, n := range excl {
			weights[k] = big.NewRat(n, 1)
		}
		vat := largestRemainder(g.VAT, inProportion(g.VAT, weights))
		for k, i := range members {
			l := &lines[i].line
			l.Excl, l.VAT, l.Incl = excl[k], vat[k], excl[k]+vat[k]
		}
		g.Incl = g.Excl + g.VAT
		p.groups = append(p.groups, g)
	}
	slices.SortFunc(p.groups, func(x, y DocumentGroup) int {
		return cmp.Compare(x.VATPercent, y.VATPercent)
	})
	for _, l := range lines {
		p.lines = append(p.lines, l.line)
	}
}

// inProportion are the quotas of total by weight. Where all weights are zero the first gets it all.
func inProportion(total int64, weights []*big.Rat) []*big.Rat {
	sum := new(big.Rat)
	for _, w := range weights {
		sum.Add(sum, w)
	}
	quotas := make([]*big.Rat, len(weights))
	for i, w := range weights {
		quotas[i] = new(big.Rat)
		switch {
		case sum.Sign() != 0:
			quotas[i].Mul(big.NewRat(total, 1), w).Quo(quotas[i], sum)
		case i == 0:
			quotas[i].SetInt64(total)
		}
	}
	return quotas
}

// largestRemainder shares total out by quotas, of which it is the rounded sum: what is whole
// first, then one each to the largest remainders, the first of equals first.
func largestRemainder(total int64, quotas []*big.Rat) []int64 {
	out, order := make([]int64, len(quotas)), make([]int, len(quotas))
	remainders := make([]*big.Rat, len(quotas))
	rest := total
	for i, q := range quotas {
		out[i] = new(big.Int).Quo(q.Num(), q.Denom()).Int64()
		remainders[i] = new(big.Rat).Sub(q, big.NewRat(out[i], 1))
		rest -= out[i]
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int { return remainders[y].Cmp(remainders[x]) })
	for _, i := range order[:rest] {
		out[i]++
	}
	return out
}
