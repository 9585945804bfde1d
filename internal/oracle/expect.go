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
	for _, r := range rows {
		x.Sessions[r.ID] = sessionOf(r)
		x.AddInvoice(r.ID, invoiceOf(r, duplicate[r.ID], overlap[r.ID], tariff))
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

// parisRatingW is the rating of a connector where the registry tells none.
const parisRatingW = 1_000_000

func holdReasons(r Row, duplicate, overlap bool) []string {
	var reasons []string
	if overlap {
		reasons = append(reasons, HoldOverlap)
	}
	if unknownUser(r.User) {
		reasons = append(reasons, HoldUnknownUser)
	}
	// More than 1 MW for its time, 10 % more, and 1 kWh: all times 10 hours in ms.
	if r.HasEnergy && r.HasEnd &&
		r.EnergyWh*10*hourMs > parisRatingW*11*(r.EndMs-r.StartMs)+1000*10*hourMs {
		reasons = append(reasons, HoldOverPower)
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
