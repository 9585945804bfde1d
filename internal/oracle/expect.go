package oracle

import (
	"cmp"
	"slices"
)

// Expect is what must come out of rows, in whatever order they are given and arrive. Rows must
// have distinct ids, as Read makes sure.
func Expect(rows []Row, tariff Tariff) *Expected {
	x := New()
	duplicate := duplicates(rows)
	overlap := overlaps(rows, duplicate)
	rating := ratings(rows)
	connectors := map[string][]Row{}
	for _, r := range rows {
		key := ConnectorKey(r.Station, r.Connector)
		connectors[key] = append(connectors[key], r)
	}
	for _, r := range rows {
		x.Sessions[r.ID] = sessionOf(r)
		v := invoiceOf(r, duplicate[r.ID], overlap[r.ID], tariff)
		if overPower(r, rating[[2]string{r.Station, r.Connector}]) {
			v.Reasons, v.Held = append(v.Reasons, HoldOverPower), true
		}
		own := connectors[ConnectorKey(r.Station, r.Connector)]
		if before := rowBefore(r, own, duplicate); before != nil && r.HasEnergy &&
			r.EndMs > r.StartMs && repeats(before.EnergyWh, before.EndMs-before.StartMs,
			r.EnergyWh, r.EndMs-r.StartMs) {
			v.Reasons, v.Held = append(v.Reasons, HoldRepeatedEnergy), true
		}
		slices.Sort(v.Reasons)
		x.AddInvoice(r.ID, v)
	}
	x.Total()
	addWindows(x, rows, duplicate)
	addAnomalies(x, rows, duplicate)
	return x
}

// ExpectTimeOfUse is Expect by the tariff of testdata/time-of-use.json, worked out by hand: see
// timeOfUse.
func ExpectTimeOfUse(rows []Row) *Expected {
	x := Expect(rows, Tariff{})
	for id, v := range x.Invoices {
		if v.Currency, v.Lines = timeOfUseCurrency, nil; v.EndMs == noTime {
			v.Currency = ""
		}
		v.ExclCents, v.VATCents, v.InclCents = 0, 0, 0
		x.Invoices[id] = v
	}
	for _, r := range rows {
		v := x.Invoices[r.ID]
		v.Lines = timeOfUse(r)
		v.sum()
		x.Invoices[r.ID] = v
	}
	x.Total()
	return x
}

// duplicates are the ids of the sessions that another one of the same station, connector and
// start came before: by the arrival of the start, then by id.
func duplicates(rows []Row) map[string]bool {
	type place struct {
		station, connector string
		startMs            int64
	}
	groups := map[place][]Row{}
	for _, r := range rows {
		p := place{r.Station, r.Connector, r.StartMs}
		groups[p] = append(groups[p], r)
	}
	found := map[string]bool{}
	for _, group := range groups {
		for _, r := range group {
			for _, other := range group {
				if cmp.Or(cmp.Compare(other.StartArrivalMs, r.StartArrivalMs),
					cmp.Compare(other.ID, r.ID)) < 0 {
					found[r.ID] = true
				}
			}
		}
	}
	return found
}

func sessionOf(r Row) Session {
	s := Session{
		Station:   r.Station,
		Connector: r.Connector,
		User:      r.User,
		StartMs:   r.StartMs,
		EndMs:     noTime,
	}
	if !r.HasEnd {
		return s
	}
	s.HasEnd, s.EndMs = true, r.EndMs
	if r.HasEnergy {
		s.HasEnergy, s.EnergyWh = true, r.EnergyWh
	}
	return s
}

func invoiceOf(r Row, duplicate, overlap bool, tariff Tariff) Invoice {
	v := Invoice{
		Station:   r.Station,
		Connector: r.Connector,
		User:      r.User,
		Currency:  tariff.currency,
		StartMs:   r.StartMs,
		EndMs:     noTime,
		Reasons:   holdReasons(r, duplicate, overlap),
		Lines:     tariff.lines(r),
	}
	v.Held = len(v.Reasons) > 0
	if r.HasEnd {
		v.EndMs, v.DurationS = r.EndMs, wholeSeconds(r.EndMs-r.StartMs)
		if r.HasEnergy {
			v.EnergyWh = r.EnergyWh
		}
	} else {
		v.Currency = "" // no tariff is looked for
	}
	v.sum()
	return v
}

func (v *Invoice) sum() {
	for _, l := range v.Lines {
		v.ExclCents += l.ExclCents
		v.VATCents += l.VATCents
		v.InclCents += l.InclCents
	}
}

// ratings are what connectors are believed to deliver, in W. The words that have no limit of their
// own here are as CCS.
func ratings(rows []Row) map[[2]string]int64 {
	connectors := map[[2]string][]Row{}
	for _, r := range rows {
		at := [2]string{r.Station, r.Connector}
		connectors[at] = append(connectors[at], r)
	}
	found := map[[2]string]int64{}
	for at, own := range connectors {
		if found[at] = 500_000; typeOf(own) == "CHAdeMO" {
			found[at] = 100_000
		}
	}
	return found
}

// typeOf is the type that most rows of a connector tell, of equals the first in the alphabet.
func typeOf(connector []Row) string {
	counts, most := map[string]int{}, ""
	for _, r := range connector {
		if r.Type != "" {
			counts[r.Type]++
		}
	}
	for word, n := range counts {
		if n > counts[most] || n == counts[most] && word < most {
			most = word
		}
	}
	return most
}

// overPower reports whether the energy is more than the rating for the time, 10 % more, and 1 kWh:
// all times 10 hours in ms.
func overPower(r Row, ratingW int64) bool {
	return r.HasEnergy && r.HasEnd &&
		r.EnergyWh*10*hourMs > ratingW*11*(r.EndMs-r.StartMs)+1000*10*hourMs
}

// rowBefore is the session of the connector, no duplicate, that ended last of those that ended a
// minute before a session or less, and reported energy; nil where there is none.
func rowBefore(r Row, connector []Row, duplicate map[string]bool) *Row {
	var last *Row
	for i := range connector {
		o := &connector[i]
		gapMs := r.StartMs - o.EndMs
		counts := o.ID != r.ID && o.HasEnd && o.HasEnergy && o.EnergyWh >= 100 &&
			o.StartMs < o.EndMs && !duplicate[o.ID] && !duplicate[r.ID]
		if counts && 0 <= gapMs && gapMs <= minuteMs && (last == nil || o.EndMs > last.EndMs) {
			last = o
		}
	}
	return last
}

func holdReasons(r Row, duplicate, overlap bool) []string {
	var reasons []string
	if overlap {
		reasons = append(reasons, HoldOverlap)
	}
	if unknownUser(r.User) {
		reasons = append(reasons, HoldUnknownUser)
	}
	if duplicate {
		reasons = append(reasons, HoldDuplicate)
	}
	if !r.HasEnd {
		reasons = append(reasons, HoldNotEnded)
	}
	if r.HasEnd && !r.HasEnergy {
		reasons = append(reasons, HoldNoEnergy)
	}
	if startSkewed(r) || endSkewed(r) {
		reasons = append(reasons, HoldClockSkew)
	}
	if r.HasEnd && r.EndMs < r.StartMs {
		reasons = append(reasons, HoldNegativeDuration)
	}
	slices.Sort(reasons)
	return reasons
}

func startSkewed(r Row) bool { return r.StartMs-r.StartArrivalMs > skewMs }

func endSkewed(r Row) bool { return r.HasEnd && r.EndMs-r.EndArrivalMs > skewMs }
