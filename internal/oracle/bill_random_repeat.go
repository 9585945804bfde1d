package oracle

import (
	"math/rand/v2"
	"slices"
)

// repeatEnergy makes of some sessions one that follows another within about a minute and tells its
// energy and more, or about so much. It draws by itself, so that the other draws of a seed stay.
func repeatEnergy(seed uint64, f *Facts) {
	rng := rand.New(rand.NewPCG(seed, 2))
	if rng.IntN(12) != 0 || len(f.Starts) == 0 || len(f.Ends) == 0 {
		return
	}
	start, end := f.Starts[0], f.Ends[0]
	lengthMs := max(end.AtMs-start.AtMs, 0)
	beforeMs := (1 + rng.Int64N(90)) * minuteMs
	wh := 50 + rng.Int64N(20_000)
	added := wh * lengthMs / beforeMs * pick[int64](rng, 0, 50, 100, 108, 112, 200) / 100
	told := max(0, pick(rng, wh+added, wh+added, wh+added, added, wh-1))
	to := start.AtMs - pick[int64](rng, 0, 2, 10, 59, 60, 61, -5)*secondMs
	o := OtherSession{ID: pick(rng, "a-before", "z-before"), Starts: []StartFact{{
		AtMs: to - beforeMs, Connector: start.Connector, User: start.User,
		ArrivalMs: to - beforeMs + secondMs}}, Ends: []EndFact{{AtMs: to,
		ArrivalMs: to + pick[int64](rng, 1, 1, 1, 100, 3000)*secondMs, EnergyWh: &wh}}}
	if rng.IntN(6) == 0 {
		f.Others = nil // else there may be several
	}
	f.Others = append(f.Others, o)
	for i := range f.Starts {
		f.Starts[i].MeterWh = nil
	}
	for i := range f.Ends {
		f.Ends[i].MeterWh, f.Ends[i].EnergyWh = nil, &told
	}
	if rng.IntN(6) > 0 {
		f.Samples = slices.DeleteFunc(f.Samples, func(m SampleFact) bool {
			return m.RegisterWh != nil
		})
	}
}
