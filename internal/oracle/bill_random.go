package oracle

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// draw is a session in the making.
type draw struct {
	rng            *rand.Rand
	f              Facts
	connector      string
	startMs, endMs int64
	watts          int64 // while it charges
	parkMs         int64 // from then on it does not; the end where it never parks
	registerWh     int64 // of the meter at the start
	energyWh       int64
	withoutStart   bool
	withoutEnd     bool
}

// RandomFacts draws a session with much of what goes wrong: repeats, contradictions, late and
// swapped facts, no start, no end, registers that fall, come back, are those of a whole life or of
// another unit, samples without a session, overlaps, copies, clocks that are ahead, dead letters,
// decisions of all kinds, tariffs that come late or change by the time of day, nights on which the
// clocks change. The same seed gives the same facts. Most sessions have few oddities.
//
// Not drawn, because 0010 leaves them open: two facts of different content with the same arrival
// or, of samples and reports, the same event time; a deleted entry or tariff; a tariff that asks
// for power.
func RandomFacts(seed uint64) Facts {
	d := draw{rng: rand.New(rand.NewPCG(seed, 1)), connector: "1"}
	d.f.Session, d.f.Station = fmt.Sprint("s-", seed), "FR*RND*E1"
	d.times()
	d.reference()
	d.starts()
	d.samples()
	d.ends()
	d.statuses()
	d.others()
	d.decisions()
	d.signed()
	d.apart()
	d.quiet()
	repeatEnergy(seed, &d.f)
	return d.f
}

func (d *draw) chance(percent int) bool { return chance(d.rng, percent) }

// between is a time of whole seconds.
func (d *draw) between(fromMs, toMs int64) int64 {
	if toMs-fromMs < secondMs {
		return fromMs
	}
	return fromMs + d.rng.Int64N((toMs-fromMs)/secondMs)*secondMs
}

// arrival is when a fact arrives: mostly at once, sometimes late, days late or too soon.
func (d *draw) arrival(atMs int64, onTimePercent int) int64 {
	if d.chance(onTimePercent) {
		return atMs + d.rng.Int64N(90)*secondMs
	}
	switch d.rng.IntN(8) {
	case 0: // at the bounds themselves
		return pick(d.rng, atMs, atMs+graceMs, ceilTo(atMs+graceMs+1, quarterMs))
	case 1:
		return atMs - pick[int64](d.rng, 60, 299, 300, 301, 1200, 90_000)*secondMs
	case 2:
		return atMs + d.rng.Int64N(3*dayMs/secondMs)*secondMs
	case 3:
		return atMs + pick[int64](d.rng, 31*dayMs, 8*dayMs, 399*dayMs, 401*dayMs)
	}
	return atMs + d.rng.Int64N(3*hourMs/secondMs)*secondMs
}

// times draws when the session is: on days with and without a change of clocks, at any hour.
func (d *draw) times() {
	zone := zoneNamed("Europe/Paris")
	day := pick(d.rng, randomDays()...)
	if d.chance(50) {
		day = day.AddDate(0, 0, d.rng.IntN(28))
	}
	start := time.Date(day.Year(), day.Month(), day.Day(), pick(d.rng, randomHours()...),
		d.rng.IntN(60), d.rng.IntN(60), 0, zone)
	d.startMs = start.UnixMilli()
	length := 5*minuteMs + d.rng.Int64N(100)*minuteMs
	if d.chance(20) {
		length = d.rng.Int64N(12 * hourMs)
	}
	if d.chance(3) { // more than a day: it is called not ended in between
		length += 20*hourMs + d.rng.Int64N(10*hourMs)
	}
	if d.chance(50) {
		length -= length % minuteMs
	}
	switch d.rng.IntN(60) {
	case 0:
		length = 0
	case 1:
		length = -d.rng.Int64N(hourMs)
	}
	d.endMs = d.startMs + length - length%secondMs
	d.watts = pick[int64](d.rng, 1400, 3700, 7400, 11000, 22000, 50000)
	d.parkMs = max(d.endMs, d.startMs)
	if d.chance(40) {
		d.parkMs = d.between(d.startMs, d.parkMs)
	}
	d.energyWh = d.metered(d.parkMs)
	d.registerWh = pick(d.rng, 0, d.rng.Int64N(1000), 1_000_000+d.rng.Int64N(1_000_000))
	d.withoutStart, d.withoutEnd = d.chance(5), d.chance(7)
}

// metered is the energy delivered by a moment.
func (d *draw) metered(ms int64) int64 {
	return d.watts * max(0, min(ms, d.parkMs)-d.startMs) / hourMs
}

func number64(n int64) *int64 { return &n }

func (d *draw) starts() {
	user := "card-1"
	if d.chance(9) {
		user = pick(d.rng, "", "Unknown", "0000", "0001", "N/A")
	}
	s := StartFact{AtMs: d.startMs, Connector: d.connector, User: user}
	s.ArrivalMs = d.arrival(s.AtMs, 85)
	if d.chance(85) {
		s.MeterWh = number64(d.registerWh)
		if d.chance(8) {
			s.MeterWh = number64(0)
		}
	}
	if d.withoutStart {
		return
	}
	d.f.Starts = append(d.f.Starts, s)
	for d.chance(25) {
		s.ArrivalMs = d.arrival(s.AtMs, 50)
		again := s
		if d.chance(30) {
			again.User = pick(d.rng, strings.ToUpper(s.User), " "+s.User)
		}
		d.f.Starts = append(d.f.Starts, again)
	}
	if d.chance(3) { // of a station that has not set its clock yet
		unset := s
		unset.AtMs = d.rng.Int64N(dayMs)
		d.f.Starts = append(d.f.Starts, unset)
	}
	if d.chance(8) {
		switch d.rng.IntN(3) {
		case 0:
			s.AtMs += pick[int64](d.rng, -20, -1, 1, 20, 1000) * minuteMs / 4
		case 1:
			s.User = "card-2"
		default:
			s.MeterWh = number64(d.registerWh + 10)
		}
		s.ArrivalMs = d.arrival(s.AtMs, 50)
		d.f.Starts = append(d.f.Starts, s)
	}
}

func (d *draw) ends() {
	e := EndFact{AtMs: d.endMs, Connector: pick(d.rng, "", d.connector), Reason: "Local"}
	e.ArrivalMs = d.arrival(e.AtMs, 80)
	kind := d.rng.IntN(10)
	if kind < 6 {
		e.MeterWh = number64(d.registerWh + d.energyWh)
	}
	if kind > 3 && kind < 9 {
		e.EnergyWh = number64(d.energyWh)
	}
	if d.chance(10) {
		d.oddEnd(&e)
	}
	if d.withoutEnd {
		return
	}
	d.f.Ends = append(d.f.Ends, e)
	for d.chance(25) {
		e.ArrivalMs = d.arrival(e.AtMs, 50)
		d.f.Ends = append(d.f.Ends, e)
	}
	if d.chance(12) {
		switch d.rng.IntN(4) {
		case 0:
			e.Reason = "" // what the simulator of a vendor sends
		case 1:
			e.AtMs += pick[int64](d.rng, -120, 30, 60, 61, 4000) * secondMs
		case 2:
			e.EnergyWh = number64(d.energyWh + 100)
		default:
			e.MeterWh = number64(d.registerWh + d.energyWh + 1)
		}
		e.ArrivalMs = d.arrival(e.AtMs, 50)
		d.f.Ends = append(d.f.Ends, e)
	}
	if len(d.f.Starts) == 1 && len(d.f.Ends) == 1 && d.chance(20) {
		d.record()
	}
}

// record tells start and end as one fact.
func (d *draw) record() {
	s, e := &d.f.Starts[0], &d.f.Ends[0]
	e.Connector, e.ArrivalMs = s.Connector, d.arrival(max(s.AtMs, e.AtMs), 80)
	s.ArrivalMs = e.ArrivalMs
	s.RecordMs = max(s.AtMs, e.AtMs)
	e.RecordMs = s.RecordMs
}

// oddEnd makes an end of another unit, below the start, of the meter's life or far too much.
func (d *draw) oddEnd(e *EndFact) {
	switch d.rng.IntN(7) {
	case 0, 6:
		e.MeterWh, e.EnergyWh = number64(max(0, d.registerWh-d.rng.Int64N(500))), nil
		if d.chance(60) {
			d.f.Samples = nil
		}
	case 1:
		e.EnergyWh, e.MeterWh = number64(d.registerWh+d.energyWh), number64(d.registerWh+d.energyWh)
	case 2:
		e.EnergyWh = number64(d.energyWh / 1000)
	case 3:
		e.EnergyWh = number64(d.energyWh * 1000)
	case 4:
		e.EnergyWh = number64(3_000_000)
	default:
		e.EnergyWh, e.MeterWh = nil, nil
	}
}

// samples draws those of the session, and some after its end.
func (d *draw) samples() {
	if d.chance(20) {
		return
	}
	every := pick[int64](d.rng, 60, 60, 300, 900) * secondMs
	onTime := pick(d.rng, 100, 100, 98, 80)
	odd := d.rng.IntN(12)
	offset := d.rng.Int64N(every/secondMs) * secondMs
	edges := d.rng.IntN(8)
	session := pick(d.rng, d.f.Session, d.f.Session, d.f.Session, "", "0", "-1")
	lateMs := int64(0) // a station that was offline sends all at once
	if d.chance(12) {
		lateMs = d.between(d.endMs, d.endMs+pick(d.rng, 2*hourMs, 2*dayMs))
	}
	until := max(d.endMs, d.startMs) + d.rng.Int64N(3)*every
	for at, n := d.startMs+offset, 0; at <= until && n < 200; at, n = at+every, n+1 {
		m := SampleFact{AtMs: at, Connector: d.connector, Session: session}
		if d.chance(5) {
			continue
		}
		m.ArrivalMs = d.arrival(at, onTime)
		if lateMs > at {
			m.ArrivalMs = lateMs
		}
		d.reading(&m, odd, n)
		d.f.Samples = append(d.f.Samples, m)
		if d.chance(4) {
			m.ArrivalMs = d.arrival(at, 50)
			d.f.Samples = append(d.f.Samples, m)
		}
		if edges == 3 && m.RegisterWh != nil { // the begin again and again, with another time
			frozen := m
			frozen.RegisterWh, frozen.Context = number64(d.registerWh), "Transaction.Begin"
			d.f.Samples = append(d.f.Samples, frozen)
		}
	}
	if edges < 3 {
		d.edgeSamples(session)
	}
}

// edgeSamples draws readings of the begin and the end, in time or a little beside it, and of a
// station whose meter was not read yet.
func (d *draw) edgeSamples(session string) {
	add := func(at int64, wh int64, context string) {
		m := SampleFact{AtMs: at, Connector: d.connector, Session: session, RegisterWh: &wh,
			Context: context}
		m.ArrivalMs = d.arrival(at, 95)
		d.f.Samples = append(d.f.Samples, m)
	}
	beside := func() int64 { return pick[int64](d.rng, 0, 0, -600, 600, -20_000, 20_000, -61_000) }
	begin := d.registerWh
	if d.chance(20) {
		begin = 0
	}
	if d.chance(80) {
		add(d.startMs+beside(), begin, pick(d.rng, "Transaction.Begin", "transaction.begin", ""))
	}
	if d.chance(80) {
		add(d.endMs-beside(), d.registerWh+d.energyWh, pick(d.rng, "Transaction.End", ""))
	}
}

// reading fills in what a sample says, with the oddity of the session.
func (d *draw) reading(m *SampleFact, odd, n int) {
	register, watts := d.registerWh+d.metered(m.AtMs), d.watts
	if m.AtMs >= d.parkMs {
		watts = pick[int64](d.rng, 0, 5, 99, 100)
		if m.AtMs < d.endMs && d.chance(95) {
			watts = 0
		}
	}
	switch {
	case odd == 0 && n == 5: // fell, and came back
		register = 0
	case odd == 1 && n >= 5: // fell for good
		register = d.metered(m.AtMs) / 2
	case odd == 2: // of the session, where start and end have the meter's life
		register = d.metered(m.AtMs)
	case odd == 3: // of the meter's life, where the start may have none
		register += 5_000_000
	}
	if odd != 4 {
		m.RegisterWh = number64(register)
	}
	if odd != 5 {
		m.PowerW = number64(watts)
	}
}

func (d *draw) statuses() {
	if d.chance(35) {
		return
	}
	report := func(at int64, word string) {
		r := StatusFact{AtMs: at, Connector: d.connector, Word: word}
		r.ArrivalMs = d.arrival(at, 92)
		d.f.Statuses = append(d.f.Statuses, r)
		if d.chance(6) {
			r.ArrivalMs = d.arrival(at, 50)
			d.f.Statuses = append(d.f.Statuses, r)
		}
	}
	report(d.startMs-30*secondMs, "Preparing")
	if d.chance(80) {
		report(d.startMs+d.rng.Int64N(60)*secondMs, pick(d.rng, "Charging", "charging", "Occupied"))
	}
	if d.parkMs < d.endMs && d.chance(80) {
		report(d.parkMs+d.rng.Int64N(40)*secondMs,
			pick(d.rng, "SuspendedEV", "SuspendedEV", "Finishing", "SuspendedEVSE", "Occupied"))
	}
	for d.chance(20) {
		report(d.between(d.startMs, max(d.startMs, d.endMs)), pick(d.rng, "Charging", "SuspendedEV",
			"SuspendedEVSE", "Faulted", "Unavailable", "Available", "EVConnected", "occupied"))
	}
	if d.chance(70) {
		report(max(d.startMs, d.endMs)+20*secondMs, "Available")
	}
}

// others draws sessions before, after, within or as copies of this one.
func (d *draw) others() {
	for n := 0; d.chance(30) && n < 3; n++ {
		o := OtherSession{ID: fmt.Sprint(pick(d.rng, "a-", "z-"), n)}
		from := d.between(d.startMs-2*hourMs, max(d.startMs, d.endMs)+hourMs)
		to := d.between(from, from+hourMs)
		switch d.rng.IntN(4) {
		case 0:
			from = d.startMs // a copy
		case 1:
			to = d.startMs // right before it
			from = min(from, to)
		}
		s := StartFact{AtMs: from, Connector: pick(d.rng, d.connector, d.connector, "2"),
			User: "card-9"}
		s.ArrivalMs = d.arrival(from, 70)
		o.Starts = append(o.Starts, s)
		if d.chance(85) {
			e := EndFact{AtMs: to, EnergyWh: number64(1000), ArrivalMs: d.arrival(to, 70)}
			o.Ends = append(o.Ends, e)
		}
		if d.chance(10) {
			s.ArrivalMs, s.AtMs = d.arrival(from, 30), from+minuteMs
			o.Starts = append(o.Starts, s)
		}
		d.f.Others = append(d.f.Others, o)
		d.strange(o.ID, s.Connector, from, to)
	}
}

// strange draws samples of another session, and some of nobody's on another connector.
func (d *draw) strange(id, connector string, from, to int64) {
	for n := 0; d.chance(60) && n < 5; n++ {
		m := SampleFact{AtMs: d.between(from, to) + int64(n), Connector: connector, Session: id,
			RegisterWh: number64(d.rng.Int64N(10_000_000)), PowerW: number64(d.rng.Int64N(50_000))}
		if d.chance(30) {
			m.Connector, m.Session = "3", ""
		}
		m.ArrivalMs = d.arrival(m.AtMs, 80)
		d.f.Samples = append(d.f.Samples, m)
	}
}

func (d *draw) decisions() {
	last := max(d.startMs, d.endMs)
	if d.chance(4) { // released, taken away and brought back
		for i, action := range []string{ActRelease, ActCancel, ActReprice} {
			at := last + hourMs + int64(i)*d.rng.Int64N(hourMs)
			d.f.Decisions = append(d.f.Decisions,
				DecisionFact{ID: "r-" + action, ArrivalMs: at, Action: action})
		}
	}
	for n := 0; d.chance(22) && n < 4; n++ {
		c := DecisionFact{ID: "d-" + strconv.Itoa(n)}
		c.ArrivalMs = d.between(d.startMs, last+pick(d.rng, hourMs, 2*dayMs, 3*dayMs))
		c.Action = pick(
			d.rng,
			ActRelease,
			ActRelease,
			ActCorrect,
			ActCorrect,
			ActCancel,
			ActReprice,
		)
		switch c.Action {
		case ActRelease:
			if d.chance(40) {
				c.Holds = []string{
					pick(d.rng, HoldEstimated, HoldConflict, HoldOverlap, HoldNoEnergy,
						HoldClockSkew, HoldVATUnknown, HoldDuplicate, HoldMeterRegression),
				}
			}
		case ActCorrect:
			d.correction(&c)
		}
		d.f.Decisions = append(d.f.Decisions, c)
		if d.chance(15) {
			c.ArrivalMs += d.rng.Int64N(hourMs/secondMs) * secondMs
			d.f.Decisions = append(d.f.Decisions, c)
		}
	}
}

func (d *draw) correction(c *DecisionFact) {
	if d.chance(50) {
		c.EnergyWh = number64(d.energyWh + d.rng.Int64N(100))
	}
	if d.chance(25) {
		c.EndMs = d.between(d.startMs+minuteMs, max(d.startMs, d.endMs)+hourMs)
	}
	if d.chance(20) {
		c.StartMs = d.between(d.startMs-hourMs, d.startMs+5*minuteMs)
	}
	// Nobody decides about what is to come, or sets an end that is before the start.
	c.StartMs, c.EndMs = min(c.StartMs, c.ArrivalMs), min(c.EndMs, c.ArrivalMs)
	if c.EndMs != 0 && c.EndMs <= c.StartMs {
		c.StartMs = 0
	}
	if d.chance(25) {
		c.User = "card-3"
	}
	if d.chance(15) || c.EnergyWh == nil && c.EndMs == 0 && c.StartMs == 0 && c.User == "" {
		c.Tariff = pick(d.rng, "day", "other", "missing")
	}
}

// quiet leaves nothing but what is surely of the session where reference data came late: a bill
// waits for the next fact of its session then.
func (d *draw) quiet() {
	late := func(ms int64) bool { return ms > d.startMs }
	if !slices.ContainsFunc(d.f.Registry, func(r RegistryFact) bool { return late(r.ArrivalMs) }) &&
		!slices.ContainsFunc(d.f.Tariffs, func(t TariffFact) bool { return late(t.ArrivalMs) }) {
		return
	}
	from, to := d.startMs, max(d.startMs, d.endMs)
	alone := len(d.f.Starts) == 0 // an end, for some time at least
	for _, s := range d.f.Starts {
		from, alone = max(from, s.AtMs), alone || s.ArrivalMs > s.AtMs+graceMs
	}
	for _, e := range d.f.Ends {
		to = min(to, e.AtMs)
	}
	for _, c := range d.f.Decisions {
		from, to = max(from, c.StartMs), min(to, cmp.Or(c.EndMs, to))
	}
	d.f.Others = nil
	told := map[int64]bool{} // a repeat may count as a fact
	d.f.Samples = slices.DeleteFunc(d.f.Samples, func(m SampleFact) bool {
		named := slices.Contains([]string{d.f.Session, "", "0", "-1"}, m.Session)
		drop := alone || !named || m.Connector != d.connector || m.AtMs < from || m.AtMs > to
		drop, told[m.AtMs] = drop || told[m.AtMs], true
		return drop
	})
	d.f.Statuses = slices.DeleteFunc(d.f.Statuses, func(s StatusFact) bool {
		return alone || s.AtMs < from || s.AtMs >= to
	})
}

// apart moves facts of different content that arrive, and samples and reports that happen, at the
// same moment, apart by milliseconds.
func (d *draw) apart() {
	taken := map[int64]bool{}
	free := func(ms int64) int64 {
		for taken[ms] {
			ms++
		}
		taken[ms] = true
		return ms
	}
	for i := range d.f.Starts {
		d.f.Starts[i].ArrivalMs = free(d.f.Starts[i].ArrivalMs)
	}
	for i := range d.f.Ends {
		if d.f.Ends[i].RecordMs == 0 {
			d.f.Ends[i].ArrivalMs = free(d.f.Ends[i].ArrivalMs)
		} else {
			d.f.Ends[i].ArrivalMs = d.f.Starts[0].ArrivalMs
		}
	}
	for i := range d.f.Decisions {
		d.f.Decisions[i].ArrivalMs = free(d.f.Decisions[i].ArrivalMs)
	}
	for _, o := range d.f.Others {
		for i := range o.Starts {
			o.Starts[i].ArrivalMs = free(o.Starts[i].ArrivalMs)
		}
		for i := range o.Ends {
			o.Ends[i].ArrivalMs = free(o.Ends[i].ArrivalMs)
		}
	}
	times := map[string]string{} // what was said of a moment
	d.f.Statuses = slices.DeleteFunc(d.f.Statuses, func(s StatusFact) bool {
		key := fmt.Sprint(s.AtMs)
		if other, ok := times[key]; ok {
			return other != s.Word
		}
		times[key] = s.Word
		return false
	})
}
