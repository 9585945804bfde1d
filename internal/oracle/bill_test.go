package oracle

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// clock is a moment of 2 March 2026, a Monday, in UTC, as "13:10" or "13:10:30"; a leading "+1 "
// is the day after.
func clock(text string) int64 {
	days := 0
	if rest, ok := strings.CutPrefix(text, "+1 "); ok {
		days, text = 1, rest
	}
	if len(text) == len("13:10") {
		text += ":00"
	}
	at, err := time.Parse(time.RFC3339, "2026-03-02T"+text+"Z")
	if err != nil {
		panic(err)
	}
	return at.AddDate(0, 0, days).UnixMilli()
}

const (
	flatRate = `{"currency":"EUR","elements":[{"price_components":[` +
		`{"type":"ENERGY","price":0.30,"vat":20,"step_size":1},` +
		`{"type":"PARKING_TIME","price":6,"vat":20,"step_size":60}]}]}`
	doubleRate = `{"currency":"EUR","elements":[{"price_components":[` +
		`{"type":"ENERGY","price":0.60,"vat":20,"step_size":1}]}]}`
)

// plainFacts are a session from 12:00 to 13:00 with 10 kWh at 0.30: 3.00 and 0.60 of VAT.
func plainFacts() Facts {
	long := clock("12:00") - 30*dayMs
	return Facts{Session: "s", Station: "E1",
		Starts: []StartFact{{AtMs: clock("12:00"), ArrivalMs: clock("12:00:01"), Connector: "1",
			User: "card", MeterWh: number64(1000)}},
		Ends: []EndFact{{AtMs: clock("13:00"), ArrivalMs: clock("13:00:05"),
			MeterWh: number64(11000)}},
		Registry: []RegistryFact{{ArrivalMs: long, Zone: "Europe/Paris", Tariff: "t",
			MaxPowerW: 22000}},
		Tariffs: []TariffFact{{ID: "t", ArrivalMs: long,
			Versions: []TariffVersion{{long, []byte(flatRate)}}}},
	}
}

// lineOf is a document in a line: when, what, why and how much in cents.
func lineOf(d Document) string {
	at := time.UnixMilli(d.IssuedAtMs).UTC()
	text := at.Format("15:04")
	if at.Day() != 2 {
		text = at.Format("Jan 2 15:04")
	}
	switch {
	case d.Credit:
		text += fmt.Sprint(" credits ", d.Credits)
	case d.Held:
		text += " held " + strings.Join(d.Reasons, ",")
	default:
		text += " issued"
	}
	return fmt.Sprintf("%s %d", text, d.Incl)
}

type telling struct {
	name  string
	alter func(f *Facts)
	want  []string
}

func sample(at string, register, watts int64) SampleFact {
	m := SampleFact{AtMs: clock(at), ArrivalMs: clock(at) + 500, Connector: "1", Session: "s"}
	if register >= 0 {
		m.RegisterWh = number64(register)
	}
	if watts >= 0 {
		m.PowerW = number64(watts)
	}
	return m
}

func report(at, word string) StatusFact {
	return StatusFact{AtMs: clock(at), ArrivalMs: clock(at) + 500, Connector: "1", Word: word}
}

func decision(at, id, action string) DecisionFact {
	return DecisionFact{ID: id, ArrivalMs: clock(at), Action: action}
}

func end(at, arrival string, meter int64) EndFact {
	return EndFact{AtMs: clock(at), ArrivalMs: clock(arrival), MeterWh: number64(meter)}
}

func tellings() []telling {
	var all []telling
	for _, part := range [][]telling{tellingsOfTime(), tellingsOfTerms(), tellingsOfEnergy(),
		tellingsOfEnergyDoubts(), tellingsOfParking(), tellingsOfOthers(), tellingsOfDecisions(),
		tellingsOfCorrections()} {
		all = append(all, part...)
	}
	return all
}

func tellingsOfTime() []telling {
	plain := "13:10 issued 360"
	return []telling{
		{"plain", func(*Facts) {}, []string{plain}},
		{"the end told again", func(f *Facts) {
			f.Ends = append(f.Ends, end("13:00", "15:00", 11000))
		}, []string{plain}},
		{"another end", func(f *Facts) { f.Ends = append(f.Ends, end("13:00", "14:07", 12000)) },
			[]string{plain, "14:15 credits 0 -360", "14:15 held conflicting_events 360"}},
		{"another end, exactly at a quarter hour", func(f *Facts) {
			f.Ends = append(f.Ends, end("13:00", "14:15", 12000))
		}, []string{plain, "14:15 credits 0 -360", "14:15 held conflicting_events 360"}},
		{"an end a minute later holds nothing", func(f *Facts) {
			f.Ends = append(f.Ends, end("13:01", "13:01:05", 11000))
		}, []string{plain}},
		{"an end more than a minute later", func(f *Facts) {
			f.Ends = append(f.Ends, end("13:01:01", "13:02", 11000))
		}, []string{plain, "13:11 credits 0 -360", "13:11 held conflicting_events 360"}},
		{
			"the end comes late",
			func(f *Facts) { f.Ends = []EndFact{end("13:00", "13:10:01", 11000)} },
			[]string{"13:15 issued 360"},
		},
		{"the end comes a day late", func(f *Facts) {
			f.Ends = []EndFact{end("13:00", "+1 12:01", 11000)}
		}, []string{"Mar 3 12:00 held session_not_ended 0", "Mar 3 12:15 credits 0 0",
			"Mar 3 12:15 issued 360"}},
		{"no end, and a late start", func(f *Facts) {
			f.Ends, f.Starts[0].ArrivalMs = nil, clock("+1 12:05")
		}, []string{"Mar 3 12:15 held session_not_ended 0"}},
		{"no start", func(f *Facts) { f.Starts = nil },
			[]string{"13:10 held stop_without_start,unknown_user 0"}},
		{"the start comes after the end", func(f *Facts) {
			f.Starts[0].ArrivalMs = clock("13:40")
		}, []string{"13:10 held stop_without_start,unknown_user 0", "13:45 credits 0 0",
			"13:45 issued 360"}},
		{"a record", func(f *Facts) {
			f.Starts[0].RecordMs, f.Ends[0].RecordMs = clock("13:00"), clock("13:00")
			f.Starts[0].ArrivalMs, f.Ends[0].ArrivalMs = clock("13:00:30"), clock("13:00:30")
		}, []string{plain}},
		{
			"ends before it starts",
			func(f *Facts) { f.Ends = []EndFact{end("11:00", "13:00", 11000)} },
			[]string{"13:00 held negative_duration,over_power 0"},
		},
		{"clock ahead by more than five minutes", func(f *Facts) {
			f.Starts[0].ArrivalMs = clock("11:54:59")
		}, []string{"13:10 held clock_skew 360"}},
		{"clock ahead by five minutes", func(f *Facts) {
			f.Starts[0].ArrivalMs = clock("11:55")
		}, []string{plain}},
		{"a start of 1970 is none", func(f *Facts) { f.Starts[0].AtMs = 1000 },
			[]string{"13:10 held stop_without_start,unknown_user 0"}},
		{"nothing at all", func(f *Facts) { f.Starts, f.Ends = nil, nil }, nil},
		{"not yet known", func(f *Facts) { f.UntilMs = clock("13:09:59") }, nil},
		{"nobody to pay", func(f *Facts) { f.Starts[0].User = "NULL" },
			[]string{"13:10 held unknown_user 360"}},
	}
}

func tellingsOfTerms() []telling {
	plain := "13:10 issued 360"
	again := func(f *Facts, arrival, rate string, from int64) {
		f.Tariffs = append(f.Tariffs, TariffFact{ID: "t", ArrivalMs: clock(arrival),
			Versions: []TariffVersion{{from, []byte(rate)}}})
	}
	return []telling{
		{"a later tariff changes nothing", func(f *Facts) {
			again(f, "13:20", doubleRate, 0)
			f.Samples = append(f.Samples, sample("12:59", -1, 10000))
			f.Samples[0].ArrivalMs = clock("15:00")
		}, []string{plain}},
		{"a tariff in time", func(f *Facts) { again(f, "13:08", doubleRate, 0) },
			[]string{"13:10 issued 720"}},
		{"a tariff a second too late", func(f *Facts) { again(f, "13:08:01", doubleRate, 0) },
			[]string{plain}},
		{"a version from the start on", func(f *Facts) {
			v := &f.Tariffs[0].Versions
			*v = append(*v, TariffVersion{clock("12:00"), []byte(doubleRate)})
		}, []string{"13:10 issued 720"}},
		{"a version from after the start on", func(f *Facts) {
			v := &f.Tariffs[0].Versions
			*v = append(*v, TariffVersion{clock("12:00:01"), []byte(doubleRate)})
		}, []string{plain}},
		{"the tariff comes late", func(f *Facts) { f.Tariffs[0].ArrivalMs = clock("13:30") },
			[]string{"13:10 held no_tariff 0", "13:45 credits 0 0", "13:45 issued 360"}},
		{"the registry comes late", func(f *Facts) { f.Registry[0].ArrivalMs = clock("13:31") },
			[]string{"13:10 held no_tariff 0", "13:45 credits 0 0", "13:45 issued 360"}},
		{"the entry names another tariff, and is mended", func(f *Facts) {
			mended := f.Registry[0]
			f.Registry[0].Tariff, mended.ArrivalMs = "x", clock("13:31")
			f.Registry = append(f.Registry, mended)
		}, []string{"13:10 held no_tariff 0", "13:45 credits 0 0", "13:45 issued 360"}},
		{"a decision after the tariff", func(f *Facts) {
			f.Tariffs[0].ArrivalMs = clock("13:30")
			f.Decisions = []DecisionFact{decision("13:40", "d", ActRelease)}
		}, []string{"13:10 held no_tariff 0", "13:40 credits 0 0", "13:40 issued 360"}},
		{"an entry after the start", func(f *Facts) {
			f.Registry = append(f.Registry, RegistryFact{ArrivalMs: clock("12:00:01"), Tariff: "x"})
		}, []string{plain}},
		{"an entry at the start", func(f *Facts) {
			f.Registry = append(f.Registry, RegistryFact{ArrivalMs: clock("12:00"), Tariff: "x"})
		}, []string{"13:10 held no_tariff 0"}},
		{"no zone for a tariff by the clock", func(f *Facts) {
			f.Registry[0].Zone = ""
			f.Tariffs[0].Versions[0].JSON = []byte(strings.Replace(flatRate, `"price_components"`,
				`"restrictions":{"start_time":"09:00"},"price_components"`, 1))
		}, []string{"13:10 held unsupported_tariff 0"}},
		{"no zone for a tariff without one", func(f *Facts) { f.Registry[0].Zone = "" },
			[]string{plain}},
		{"a tariff that is over", func(f *Facts) {
			f.Tariffs[0].Versions[0].JSON = []byte(strings.Replace(flatRate, `"currency"`,
				`"end_date_time":"2026-03-02T12:00:00Z","currency"`, 1))
		}, []string{"13:10 held unsupported_tariff 0"}},
		{"no VAT", func(f *Facts) {
			f.Tariffs[0].Versions[0].JSON = []byte(strings.ReplaceAll(flatRate, `"vat":20,`, ""))
		}, []string{"13:10 held vat_unknown 300"}},
	}
}

func tellingsOfEnergy() []telling {
	plain := "13:10 issued 360"
	return []telling{
		{"energy that is told goes first", func(f *Facts) { f.Ends[0].EnergyWh = number64(9800) },
			[]string{"13:10 issued 353"}},
		{"energy that is told contradicts the registers", func(f *Facts) {
			f.Ends[0].EnergyWh = number64(9000)
		}, []string{"13:10 held energy_mismatch 324"}},
		{"nothing is told, and the registers show something", func(f *Facts) {
			f.Ends[0].EnergyWh = number64(0)
		}, []string{"13:10 held energy_mismatch 0"}},
		{"nothing tells it", func(f *Facts) { f.Ends[0].MeterWh = nil },
			[]string{"13:10 held no_energy 0"}},
		{"the last sample stands for the end", func(f *Facts) {
			f.Ends[0].MeterWh = nil
			f.Samples = []SampleFact{sample("12:30", 5000, -1), sample("12:50", 10000, -1),
				sample("13:00:01", 90000, -1)}
		}, []string{"13:10 issued 324"}},
		{"two samples and nothing else", func(f *Facts) {
			f.Ends[0].MeterWh, f.Starts[0].MeterWh = nil, nil
			f.Samples = []SampleFact{sample("12:30", 5000, -1), sample("12:50", 10000, -1)}
		}, []string{"13:10 held estimated_energy 180"}},
		{"one sample and nothing else", func(f *Facts) {
			f.Ends[0].MeterWh, f.Starts[0].MeterWh = nil, nil
			f.Samples = []SampleFact{sample("12:30", 5000, -1)}
		}, []string{"13:10 held no_energy 0"}},
		{"samples of no session", func(f *Facts) {
			f.Ends[0].MeterWh = nil
			for i, id := range []string{"", "0", "-1"} {
				m := sample("12:30", int64(5000+i), -1)
				m.Session, m.AtMs = id, m.AtMs+int64(i)
				f.Samples = append(f.Samples, m)
			}
			other := sample("12:50", 10000, -1)
			other.Session = "x"
			f.Samples = append(f.Samples, other)
		}, []string{"13:10 issued 144"}},
		{"a sample that comes late", func(f *Facts) {
			f.Ends[0].MeterWh = nil
			f.Samples = []SampleFact{sample("12:30", 5000, -1), sample("12:50", 10000, -1)}
			f.Samples[1].ArrivalMs = clock("13:31")
		}, []string{"13:10 issued 144", "13:45 credits 0 -144", "13:45 issued 324"}},
		{"it came back", func(f *Facts) {
			f.Samples = []SampleFact{sample("12:20", 5000, -1), sample("12:21", 0, -1),
				sample("12:22", 5100, -1)}
		}, []string{plain}},
	}
}

func tellingsOfEnergyDoubts() []telling {
	return []telling{
		{"it fell for good", func(f *Facts) {
			f.Samples = []SampleFact{sample("12:20", 5000, -1), sample("12:40", 300, -1)}
			f.Ends[0].MeterWh = number64(2300)
		}, []string{"13:10 held meter_regression 216"}},
		{"it fell for good, but the end tells the energy", func(f *Facts) {
			f.Samples = []SampleFact{sample("12:20", 5000, -1), sample("12:40", 300, -1)}
			f.Ends[0].MeterWh, f.Ends[0].EnergyWh = nil, number64(10000)
		}, []string{"13:10 held meter_regression 360"}},
		{"the end is below the start", func(f *Facts) { f.Ends[0].MeterWh = number64(999) },
			[]string{"13:10 held negative_energy 0"}},
		{"late baseline", func(f *Facts) {
			f.Starts[0].MeterWh = number64(0)
			f.Samples = []SampleFact{sample("12:10", 501_000, -1)}
			f.Ends[0].MeterWh = number64(511_000)
		}, []string{"13:10 held lifetime_register 360"}},
		{"a first sample that can have been delivered", func(f *Facts) {
			// 22 kW in 10 minutes, 10 % more, and 1 kWh: 5033
			f.Starts[0].MeterWh = number64(0)
			f.Samples = []SampleFact{sample("12:10", 5033, -1)}
			f.Ends[0].MeterWh = number64(10_000)
		}, []string{"13:10 issued 360"}},
		{"the meter's life is told as energy", func(f *Facts) {
			f.Ends[0].EnergyWh = number64(11000)
		}, []string{"13:10 held lifetime_register 360"}},
		{"as much as the connector can deliver", func(f *Facts) {
			f.Ends[0].EnergyWh, f.Ends[0].MeterWh = number64(25_200), nil
		}, []string{"13:10 issued 907"}},
		{"more than that", func(f *Facts) {
			f.Ends[0].EnergyWh, f.Ends[0].MeterWh = number64(25_201), nil
		}, []string{"13:10 held over_power 907"}},
		{"kWh as Wh", func(f *Facts) {
			f.Ends[0].EnergyWh, f.Ends[0].MeterWh = number64(11), nil
			for m := range 10 {
				f.Samples = append(f.Samples, sample(fmt.Sprintf("12:%d", 10+m), -1, 10_000))
			}
		}, []string{"13:10 held unit_mismatch 0"}},
		{"Wh as kWh", func(f *Facts) {
			f.Ends[0].EnergyWh = number64(10_001)
			f.Samples = []SampleFact{sample("12:10", -1, 100)}
		}, []string{"13:10 held unit_mismatch 360"}},
	}
}

func tellingsOfParking() []telling {
	return []telling{
		{"parks for 20 minutes", func(f *Facts) {
			f.Statuses = []StatusFact{report("12:40", "SuspendedEV")}
		}, []string{"13:10 issued 600"}}, // 2.00 and its VAT more
		{"the station has suspended it", func(f *Facts) {
			f.Statuses = []StatusFact{report("12:40", "suspendedevse")}
		}, []string{"13:10 issued 360"}},
		{"charges again", func(f *Facts) {
			f.Statuses = []StatusFact{report("12:40", "Finishing"), report("12:50", "Charging")}
		}, []string{"13:10 issued 480"}},
		{"a report from before the start", func(f *Facts) {
			f.Statuses = []StatusFact{report("11:59:59", "SuspendedEV")}
		}, []string{"13:10 issued 360"}},
		{"a minute of power in it", func(f *Facts) {
			f.Statuses = []StatusFact{report("12:40", "SuspendedEV")}
			f.Samples = []SampleFact{sample("12:45:30", -1, 100)}
		}, []string{"13:10 issued 588"}},
		{"broken", func(f *Facts) {
			f.Statuses = []StatusFact{report("12:40", "Faulted")}
			f.Samples = []SampleFact{sample("12:50", -1, 0)}
		}, []string{"13:10 issued 360"}},
		// idle in the minute of 12:20 and for 15 minutes after it
		{"the meter tells", func(f *Facts) { f.Samples = []SampleFact{sample("12:20", -1, 99)} },
			[]string{"13:10 issued 552"}},
		{"the meter tells after a word that does not", func(f *Facts) {
			f.Statuses = []StatusFact{report("12:30", "Occupied")}
			f.Samples = []SampleFact{sample("12:20", -1, 99), sample("12:33", -1, 99),
				sample("12:33:10", -1, 100)}
		}, []string{"13:10 issued 516"}}, // from 12:20 to 12:33
		{"a report that comes late", func(f *Facts) {
			f.Statuses = []StatusFact{report("12:40", "SuspendedEV")}
			f.Statuses[0].ArrivalMs = clock("13:20")
		}, []string{"13:10 issued 360", "13:30 credits 0 -360", "13:30 issued 600"}},
	}
}

func other(id, from, to string) OtherSession {
	return OtherSession{ID: id,
		Starts: []StartFact{{AtMs: clock(from), ArrivalMs: clock(from) + 500, Connector: "1"}},
		Ends:   []EndFact{{AtMs: clock(to), ArrivalMs: clock(to) + 500}}}
}

func tellingsOfOthers() []telling {
	plain := "13:10 issued 360"
	return []telling{
		{"one that ends where this begins", func(f *Facts) {
			f.Others = []OtherSession{other("o", "11:00", "12:00")}
		}, []string{plain}},
		{"an overlap", func(f *Facts) {
			f.Others = []OtherSession{other("o", "11:00", "12:00:01")}
		}, []string{"13:10 held overlapping_sessions 360"}},
		{"an overlap with one that ends later", func(f *Facts) {
			f.Others = []OtherSession{other("o", "12:59", "14:00")}
		}, []string{plain, "14:10 credits 0 -360", "14:10 held overlapping_sessions 360"}},
		{"an overlap with one that never ends", func(f *Facts) {
			f.Others = []OtherSession{other("o", "11:00", "14:00")}
			f.Others[0].Ends = nil
		}, []string{plain}},
		{"a copy of one that came before", func(f *Facts) {
			f.Others = []OtherSession{other("o", "12:00", "13:00")}
		}, []string{"13:10 held duplicate_session 360"}},
		{"a copy that came after", func(f *Facts) {
			f.Others = []OtherSession{other("o", "12:00", "13:00")}
			f.Others[0].Starts[0].ArrivalMs = clock("12:00:02")
		}, []string{plain}},
		{"another connector", func(f *Facts) {
			f.Others = []OtherSession{other("o", "11:00", "12:30")}
			f.Others[0].Starts[0].Connector = "2"
		}, []string{plain}},
	}
}

func tellingsOfDecisions() []telling {
	conflict := func(f *Facts) { f.Ends = append(f.Ends, end("13:00", "13:00:09", 12000)) }
	held := "13:10 held conflicting_events 360"
	return []telling{
		{"release", func(f *Facts) {
			conflict(f)
			f.Decisions = []DecisionFact{decision("14:00", "d", ActRelease)}
		}, []string{held, "14:00 credits 0 -360", "14:00 issued 360"}},
		{"release of something else", func(f *Facts) {
			conflict(f)
			d := decision("14:00", "d", ActRelease)
			d.Holds = []string{HoldOverlap}
			f.Decisions = []DecisionFact{d}
		}, []string{held, "14:00 credits 0 -360", "14:00 held conflicting_events 360"}},
		{"release before it is due", func(f *Facts) {
			conflict(f)
			f.Decisions = []DecisionFact{decision("13:05", "d", ActRelease)}
		}, []string{held}},
		{"a reason that comes up after the release", func(f *Facts) {
			f.Ends[0].EnergyWh, f.Ends[0].MeterWh = number64(25_201), nil
			f.Ends = append(f.Ends, end("13:00", "14:20", 12000))
			f.Decisions = []DecisionFact{decision("14:00", "d", ActRelease)}
		}, []string{"13:10 held over_power 907", "14:00 credits 0 -907", "14:00 issued 907",
			"14:30 credits 2 -907", "14:30 held conflicting_events 907"}},
		{"release of what cannot be", func(f *Facts) {
			f.Ends[0].MeterWh = nil
			f.Decisions = []DecisionFact{decision("14:00", "d", ActRelease)}
		}, []string{"13:10 held no_energy 0", "14:00 credits 0 0", "14:00 held no_energy 0"}},
		{"cancel", func(f *Facts) {
			f.Decisions = []DecisionFact{decision("14:00", "d", ActCancel)}
		}, []string{"13:10 issued 360", "14:00 credits 0 -360", "14:00 held cancelled 0"}},
		{"cancel, and priced after all", func(f *Facts) {
			f.Decisions = []DecisionFact{decision("13:00", "d", ActCancel),
				decision("14:00", "e", ActReprice)}
		}, []string{"13:10 held cancelled 0", "14:00 credits 0 0", "14:00 issued 360"}},
		{"reprice", func(f *Facts) {
			f.Tariffs = append(f.Tariffs, TariffFact{ID: "t", ArrivalMs: clock("13:50"),
				Versions: []TariffVersion{{0, []byte(doubleRate)}}})
			f.Decisions = []DecisionFact{decision("14:00", "d", ActReprice)}
		}, []string{"13:10 issued 360", "14:00 credits 0 -360", "14:00 issued 720"}},
		{"reprice too soon", func(f *Facts) {
			f.Tariffs = append(f.Tariffs, TariffFact{ID: "t", ArrivalMs: clock("13:58:01"),
				Versions: []TariffVersion{{0, []byte(doubleRate)}}})
			f.Decisions = []DecisionFact{decision("14:00", "d", ActReprice)}
		}, []string{"13:10 issued 360", "14:00 credits 0 -360", "14:00 issued 360"}},
		{"the same decision again", func(f *Facts) {
			f.Decisions = []DecisionFact{decision("14:00", "d", ActCancel),
				decision("15:00", "d", ActCancel)}
		}, []string{"13:10 issued 360", "14:00 credits 0 -360", "14:00 held cancelled 0"}},
	}
}

func tellingsOfCorrections() []telling {
	corrected := func(at string, alter func(d *DecisionFact)) []DecisionFact {
		d := decision(at, "d", ActCorrect)
		alter(&d)
		return []DecisionFact{d}
	}
	return []telling{
		{"energy", func(f *Facts) {
			f.Ends[0].MeterWh = nil
			f.Decisions = corrected("14:00", func(d *DecisionFact) { d.EnergyWh = number64(5000) })
		}, []string{"13:10 held no_energy 0", "14:00 credits 0 0", "14:00 issued 180"}},
		{"a user", func(f *Facts) {
			f.Starts[0].User = "000"
			f.Decisions = corrected("14:00", func(d *DecisionFact) { d.User = "card" })
		}, []string{"13:10 held unknown_user 360", "14:00 credits 0 -360", "14:00 issued 360"}},
		{"an end without energy", func(f *Facts) {
			f.Ends = nil
			f.Decisions = corrected("14:00", func(d *DecisionFact) { d.EndMs = clock("13:00") })
		}, []string{"14:00 held no_energy 0"}},
		{"an end with a sample before it", func(f *Facts) {
			f.Ends, f.Samples = nil, []SampleFact{
				sample("12:30", 5000, -1),
				sample("13:30", 6000, -1),
			}
			f.Decisions = corrected("14:00", func(d *DecisionFact) { d.EndMs = clock("13:00") })
		}, []string{"14:00 issued 144"}},
		{"a start", func(f *Facts) {
			f.Starts = nil
			f.Ends[0].EnergyWh = number64(10000)
			f.Decisions = corrected("14:00", func(d *DecisionFact) {
				d.StartMs, d.User = clock("12:00"), "card"
			})
		}, []string{"13:10 held stop_without_start,unknown_user 0", "14:00 credits 0 0",
			"14:00 issued 360"}},
		{"another tariff", func(f *Facts) {
			for _, arrival := range []string{"13:58", "13:58:01"} {
				f.Tariffs = append(f.Tariffs, TariffFact{ID: "u", ArrivalMs: clock(arrival),
					Versions: []TariffVersion{{0, []byte(doubleRate)}}})
			}
			f.Tariffs[2].Versions[0].JSON = []byte(flatRate)
			f.Decisions = corrected("14:00", func(d *DecisionFact) { d.Tariff = "u" })
		}, []string{"13:10 issued 360", "14:00 credits 0 -360", "14:00 issued 720"}},
	}
}

func TestHistoryByHand(t *testing.T) {
	for _, c := range tellings() {
		t.Run(c.name, func(t *testing.T) {
			f := plainFacts()
			c.alter(&f)
			var got []string
			for _, d := range History(f) {
				got = append(got, lineOf(d))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("\n got %s\nwant %s", strings.Join(got, "\n     "),
					strings.Join(c.want, "\n     "))
			}
		})
	}
}
