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
	for _, r := range rows {
		x.Sessions[r.ID] = sessionOf(r)
		x.AddInvoice(r.ID, invoiceOf(r, duplicate[r.ID], tariff))
	}
	x.Total()
	addWindows(x, rows, duplicate)
	addAnomalies(x, rows, duplicate)
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

func invoiceOf(r Row, duplicate bool, tariff Tariff) Invoice {
	v := Invoice{
		Station:   r.Station,
		Connector: r.Connector,
		User:      r.User,
		Currency:  tariff.currency,
		StartMs:   r.StartMs,
		EndMs:     noTime,
		Reasons:   holdReasons(r, duplicate),
		Lines:     tariff.lines(r),
	}
	v.Held = len(v.Reasons) > 0
	if r.HasEnd {
		v.EndMs, v.DurationS = r.EndMs, wholeSeconds(r.EndMs-r.StartMs)
		if r.HasEnergy {
			v.EnergyWh = r.EnergyWh
		}
	}
	for _, l := range v.Lines {
		v.ExclCents += l.ExclCents
		v.VATCents += l.VATCents
		v.InclCents += l.InclCents
	}
	return v
}

func holdReasons(r Row, duplicate bool) []string {
	var reasons []string
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
