package pricing

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/bojanz/currency"

	"chargestream"
	"chargestream/codecs"
)

// Parse reads an OCPI 2.2.1 Tariff object. It is strict about everything that could change a
// price, unknown names included: a bill by half a tariff is worse than none. What is only shown,
// as texts and addresses, may be anything. The error wraps ErrTariff and names the place.
func Parse(raw []byte) (*Tariff, error) {
	root, err := readTree(raw)
	if err != nil {
		return nil, err
	}
	p := &parser{}
	t := p.tariff(&root)
	if p.err != nil {
		return nil, p.err
	}
	t.compile()
	return t, nil
}

// parser keeps the first error, after which what it returns means nothing.
type parser struct{ err error }

func (p *parser) refuse(path, format string, args ...any) {
	if p.err == nil {
		p.err = refuse(path, format, args...)
	}
}

// object refuses what is no object, or has other names.
func (p *parser) object(n *node, names []string) {
	if n.kind != kindObject {
		p.refuse(n.path, "is no object: {…} is taken, as OCPI 2.2.1 has it; look at the brackets")
	}
	for i, name := range n.names {
		if slices.Contains(names, name) {
			continue
		}
		do := "leave it out"
		if near := codecs.Nearest(name, names); near != "" {
			do = "did you mean " + near + "?"
		}
		p.refuse(n.members[i].path, "is not known: OCPI 2.2.1 has %s; %s",
			strings.Join(names, ", "), do)
	}
}

// The names of a Tariff: those that are read, and those that say nothing of the price. tax_included
// is of OCPI 2.3.0, which writes it into tariffs that are otherwise of 2.2.1.
func tariffNames() []string {
	return []string{"currency", "elements", "min_price", "max_price", "start_date_time",
		"end_date_time", "tax_included",
		"country_code", "party_id", "id", "type", "tariff_alt_text", "tariff_alt_url",
		"energy_mix", "last_updated"}
}

func restrictionNames() []string {
	return []string{"start_time", "end_time", "start_date", "end_date", "min_kwh", "max_kwh",
		"min_current", "max_current", "min_power", "max_power", "min_duration", "max_duration",
		"day_of_week", "reservation"}
}

func (p *parser) tariff(n *node) *Tariff {
	t := &Tariff{}
	p.object(n, tariffNames())
	t.currency = p.text(n, "currency")
	digits, ok := currency.GetDigits(t.currency)
	if !ok || digits > PriceDigits {
		p.refuse(n.path+"currency", "%q is no currency: a code of ISO 4217 such as EUR is "+
			"taken; write the code", t.currency)
	}
	t.digits = int(digits)
	if tax := n.field("tax_included"); tax != nil && tax.text != "NO" {
		p.refuse(tax.path, "%q: only prices without VAT are understood", tax.text)
	}
	t.from, t.to = p.dateTime(n.field("start_date_time")), p.dateTime(n.field("end_date_time"))
	if t.to != 0 && t.to <= t.from {
		p.refuse("end_date_time", "is not after start_date_time")
	}
	t.min = p.bound(n.field("min_price"), t.digits)
	t.max = p.bound(n.field("max_price"), t.digits)
	if t.min.set && t.max.set && (t.min.excl > t.max.excl ||
		(t.min.hasIncl && t.max.hasIncl && t.min.incl > t.max.incl)) {
		p.refuse("min_price", "is above max_price")
	}
	elements := n.field("elements")
	if elements == nil || elements.kind != kindArray || len(elements.members) == 0 {
		p.refuse("elements", "there are none")
		return t
	}
	if len(elements.members) > ElementsMax {
		p.refuse("elements", "%d, of which there may be %d", len(elements.members), ElementsMax)
		return t
	}
	for i := range elements.members {
		t.elements = append(t.elements, p.element(&elements.members[i]))
	}
	return t
}

func (p *parser) element(n *node) element {
	p.object(n, []string{"price_components", "restrictions"})
	e := element{when: unrestricted()}
	if r := n.field("restrictions"); r != nil {
		e.when = p.restriction(r)
	}
	e.when.seal()
	components := n.field("price_components")
	if components == nil || components.kind != kindArray || len(components.members) == 0 {
		p.refuse(n.path+".price_components", "there are none")
		return e
	}
	for i := range components.members {
		m := &components.members[i]
		c := p.component(m)
		same := func(o component) bool { return o.dimension == c.dimension }
		if slices.ContainsFunc(e.components, same) {
			p.refuse(m.path+".type", "%v is there twice", c.dimension)
		}
		if e.when.reservation != session && c.dimension != Flat && c.dimension != Time {
			p.refuse(m.path+".type", "a reservation has no %v", c.dimension)
		}
		e.components = append(e.components, c)
		if p.err != nil {
			return e
		}
	}
	return e
}

func (p *parser) component(n *node) component {
	p.object(n, []string{"type", "price", "vat", "step_size"})
	c := component{vat: UnknownVAT}
	name := p.text(n, "type")
	for ; c.dimension.String() != name; c.dimension++ {
		if c.dimension == ParkingTime {
			p.refuse(n.path+".type", "%q is no dimension: ENERGY, TIME, PARKING_TIME and FLAT are "+
				"taken; write one of them", name)
			break
		}
	}
	c.price = p.number(n, "price", PriceDigits, PriceMax)
	if n.field("vat") != nil {
		c.vat = VAT(p.number(n, "vat", VATDigits, int64(vatMax)))
	}
	if n.field("step_size") == nil {
		return c
	}
	switch step := p.number(n, "step_size", 0, StepMax); c.dimension {
	case Energy:
		c.step = step * 1000
	case Time, ParkingTime:
		c.step = step * int64(chargestream.Second)
	}
	return c
}

func (p *parser) bound(n *node, digits int) bound {
	if n == nil {
		return bound{}
	}
	p.object(n, []string{"excl_vat", "incl_vat"})
	b := bound{set: true, excl: p.number(n, "excl_vat", digits, AmountMax)}
	if n.field("incl_vat") != nil {
		b.hasIncl, b.incl = true, p.number(n, "incl_vat", digits, AmountMax)
		if b.incl < b.excl {
			p.refuse(n.path+".incl_vat", "is below excl_vat")
		}
	}
	return b
}

func (p *parser) restriction(n *node) restriction {
	r := unrestricted()
	p.object(n, restrictionNames())
	p.timeOfDay(n, &r)
	r.days = p.span(n, "start_date", "end_date", p.date)
	r.energy = p.span(n, "min_kwh", "max_kwh", p.limit)
	r.power = p.span(n, "min_power", "max_power", p.limit)
	r.current = p.span(n, "min_current", "max_current", p.limit)
	r.duration = p.span(n, "min_duration", "max_duration", func(n *node, name string) int64 {
		return p.number(n, name, 0, int64(SpanMax)) * int64(chargestream.Second)
	})
	r.weekdays = p.weekdays(n.field("day_of_week"))
	if f := n.field("reservation"); f != nil {
		switch f.text {
		case "RESERVATION":
			r.reservation = reserved
		case "RESERVATION_EXPIRES":
			r.reservation = expired
		default:
			p.refuse(f.path, "%q is not known", f.text)
		}
	}
	return r
}

// span reads the two limits of a restriction. One that can never hold is refused: it is a
// mistake, and nobody knows of which limit.
func (p *parser) span(n *node, low, high string, read func(*node, string) int64) span {
	s := everything()
	if n.field(low) != nil {
		s.min = read(n, low)
	}
	if n.field(high) != nil {
		s.max = read(n, high)
	}
	if s.min >= s.max {
		p.refuse(n.path+"."+low, "is not below %s", high)
	}
	return s
}

// limit is a limit in kWh, kW or A, in millionths.
func (p *parser) limit(n *node, name string) int64 { return p.number(n, name, 6, limitMax) }

// timeOfDay reads start_time and end_time. An end of 00:00 is that of the day.
func (p *parser) timeOfDay(n *node, r *restriction) {
	from, to := n.field("start_time"), n.field("end_time")
	if from == nil && to == nil {
		return
	}
	r.timeTo = chargestream.Day
	if from != nil {
		r.timeFrom = p.clock(n, "start_time")
	}
	if to != nil {
		if r.timeTo = p.clock(n, "end_time"); r.timeTo == 0 {
			r.timeTo = chargestream.Day
		}
	}
	if r.timeFrom == r.timeTo {
		p.refuse(n.path+".end_time", "is start_time, which may be always or never")
	}
	r.hasTime = r.timeFrom != 0 || r.timeTo != chargestream.Day
}

func (p *parser) clock(n *node, name string) chargestream.Millis {
	text := p.text(n, name)
	at, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		p.refuse(n.path+"."+name, "%q is no time of day, as 13:30", text)
	}
	return chargestream.Millis(at.Hour())*chargestream.Hour +
		chargestream.Millis(at.Minute())*chargestream.Minute
}

// date is a local date in days since 1970-01-01.
func (p *parser) date(n *node, name string) int64 {
	text := p.text(n, name)
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		p.refuse(n.path+"."+name, "%q is no date, as 2015-12-24", text)
	}
	return at.Unix() / int64(chargestream.Day/chargestream.Second)
}

// dateTime is an OCPI DateTime, which is in UTC whether it says so or not; zero for nil.
func (p *parser) dateTime(n *node) chargestream.Millis {
	if n == nil {
		return 0
	}
	text := n.text
	if !strings.HasSuffix(text, "Z") {
		text += "Z"
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || n.kind != kindString {
		p.refuse(n.path, "%q is no time in UTC, as 2015-06-29T20:39:09Z", n.text)
		return 0
	}
	return chargestream.MillisOf(at)
}

func (p *parser) weekdays(n *node) uint8 {
	if n == nil {
		return 0
	}
	if n.kind != kindArray {
		p.refuse(n.path, "is no list")
	}
	var mask uint8
	for i := range n.members {
		m := &n.members[i]
		day := time.Sunday
		for ; day <= time.Saturday; day++ {
			if m.text == strings.ToUpper(day.String()) {
				mask |= 1 << day
				break
			}
		}
		if day > time.Saturday {
			p.refuse(m.path, "%q is no day of the week", m.text)
		}
	}
	return mask
}

func (p *parser) text(n *node, name string) string {
	f := n.field(name)
	switch {
	case f == nil:
		p.refuse(strings.TrimPrefix(n.path+"."+name, "."),
			"is missing: OCPI 2.2.1 needs a text here; add it")
		return ""
	case f.kind != kindString:
		p.refuse(f.path, "is no text%s: a text is taken, as OCPI 2.2.1 has it; put it in quotes",
			f.quoted())
	}
	return f.text
}

// number reads a number of at most so many decimals, from zero to most, as an integer.
func (p *parser) number(n *node, name string, digits int, most int64) int64 {
	f := n.field(name)
	if f == nil {
		p.refuse(strings.TrimPrefix(n.path+"."+name, "."),
			"is missing: OCPI 2.2.1 needs a number here; add it")
		return 0
	}
	text := strings.TrimSpace(f.text)
	if _, err := codecs.ParseScaled(text, 0); f.kind != kindNumber &&
		(f.kind != kindString || err != nil) {
		p.refuse(f.path, "is no number%s: a number such as 0.40 is taken; write decimals with a "+
			"point, and no unit", f.quoted())
		return 0
	}
	v, err := exact(text, digits)
	if err == nil && (v < 0 || v > most) {
		err = fmt.Errorf("%s is not between 0 and %s", text, codecs.FormatScaled(most, digits))
	}
	if err != nil {
		p.refuse(f.path, "%v", err)
		return 0
	}
	return v
}

// exact reads a decimal that must not have more digits than are computed with.
func exact(text string, digits int) (int64, error) {
	v, err := codecs.ParseScaled(text, digits)
	if err != nil {
		return 0, err
	}
	told, ok := new(big.Rat).SetString(text)
	if !ok || told.Cmp(new(big.Rat).SetFrac(big.NewInt(v), big.NewInt(pow10(digits)))) != 0 {
		return 0, fmt.Errorf("%s has more than %d decimals", text, digits)
	}
	return v, nil
}

func pow10(n int) int64 {
	v := int64(1)
	for range n {
		v *= 10
	}
	return v
}
