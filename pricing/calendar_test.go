package pricing_test

import (
	"testing"
	"time"

	"chargestream"
	"chargestream/pricing"
)

// minutes are the billed minutes by price, in whole units of the currency an hour.
func minutes(b *pricing.Bill) map[int64]int64 {
	m := map[int64]int64{}
	for _, l := range b.Lines {
		m[l.Price/1_000_000] += l.Billed / 60_000
	}
	return m
}

// two is a tariff of 2 an hour where restrictions hold, and of 1 elsewhere.
func two(restrictions string) string {
	return euro(element(restrictions, component("TIME", "2", "0", 1)),
		element("", component("TIME", "1", "0", 1)))
}

func TestCalendar(t *testing.T) {
	night := two(`"start_time":"22:00","end_time":"06:00"`)
	early := two(`"start_time":"02:00","end_time":"03:00"`)
	half := two(`"start_time":"02:30","end_time":"05:00"`)
	cases := []struct {
		name    string
		tariff  string
		zone    string
		start   string
		minutes float64
		dear    int64 // minutes at 2
	}{
		{"over midnight", night, "Europe/Berlin", "2026-06-01 21:00", 600, 480},
		{"from before the wrapped end", night, "Europe/Berlin", "2026-06-01 05:30", 60, 30},
		{"the start counts, the end does not", two(`"start_time":"10:00","end_time":"10:01"`),
			"Europe/Berlin", "2026-06-01 10:00", 2, 1},
		{"an end of 00:00 is midnight", two(`"start_time":"23:00","end_time":"00:00"`),
			"Europe/Berlin", "2026-06-01 22:00", 180, 60},
		{"only a start", two(`"start_time":"23:00"`), "Europe/Berlin", "2026-06-01 22:00", 180, 60},
		{"a whole day is no restriction", two(`"start_time":"00:00","end_time":"00:00"`),
			"Europe/Berlin", "2026-06-01 22:00", 180, 180},

		// On 29 March 2026 the clock goes from 02:00 to 03:00.
		{"spring, the night has seven hours", night, "Europe/Berlin", "2026-03-28 21:00", 600, 420},
		{"spring, an hour that is not", early, "Europe/Berlin", "2026-03-29 01:00", 120, 0},
		{"spring, a start that is not", half, "Europe/Berlin", "2026-03-29 01:00", 120, 60},
		// On 25 October 2026 the clock goes from 03:00 back to 02:00.
		{"autumn, the night has nine hours", night, "Europe/Berlin", "2026-10-24 21:00", 660, 540},
		{"autumn, an hour that is twice", early, "Europe/Berlin", "2026-10-25 01:00", 240, 120},
		{"autumn, a start that is twice", half, "Europe/Berlin", "2026-10-25 01:00", 240, 120},
		// In Lord Howe the clock is moved by half an hour, at 02:00.
		{"half an hour back", early, "Australia/Lord_Howe", "2026-04-05 01:00", 180, 60},
		{"an offset of 5:45", night, "Asia/Kathmandu", "2026-06-01 21:30", 60, 30},

		{"days over midnight", two(`"day_of_week":["MONDAY"]`), "Europe/Berlin",
			"2026-05-31 23:00", 25*60 + 30, 24 * 60},
		{"a day of 23 hours", two(`"day_of_week":["SUNDAY"]`), "Europe/Berlin",
			"2026-03-28 23:00", 26 * 60, 23 * 60},
		{"a day of 25 hours", two(`"day_of_week":["SUNDAY"]`), "Europe/Berlin",
			"2026-10-24 23:00", 28 * 60, 25 * 60},
		// All restrictions hold of the same moment: the night from Monday on is Tuesday's after
		// midnight, and Monday's own small hours count.
		{"a night and a day", two(`"start_time":"22:00","end_time":"06:00",
			"day_of_week":["MONDAY"]`), "Europe/Berlin", "2026-05-31 22:00", 48 * 60, 8 * 60},

		{"from a date", two(`"start_date":"2026-06-02"`), "Europe/Berlin",
			"2026-06-01 23:00", 90, 30},
		{"until a date", two(`"end_date":"2026-06-02"`), "Europe/Berlin",
			"2026-06-01 23:00", 90, 60},
		{"a leap day", two(`"start_date":"2028-02-29","end_date":"2028-03-01"`),
			"Europe/Berlin", "2028-02-28 23:00", 26 * 60, 24 * 60},
		{"no leap day", two(`"start_date":"2027-02-28","end_date":"2027-03-01"`),
			"Europe/Berlin", "2027-02-27 23:00", 26 * 60, 24 * 60},
		{"a date in another zone", two(`"start_date":"2026-06-02"`), "Pacific/Auckland",
			"2026-06-01 23:30", 60, 30},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			u := usage(c.start, zone(t, c.zone), charge(c.minutes, 1))
			got := minutes(price(t, parse(t, c.tariff), u))
			if got[2] != c.dear || got[1] != int64(c.minutes)-c.dear {
				t.Errorf("%d min at 2 and %d at 1, want %d and %d", got[2], got[1], c.dear,
					int64(c.minutes)-c.dear)
			}
		})
	}
}

func TestDurationAndEnergyLimits(t *testing.T) {
	tariff := parse(t, euro(
		element(`"max_duration":1800`, component("TIME", "0", "0", 1)),
		element(`"min_duration":3600`, component("TIME", "3", "0", 1)),
		element("", component("TIME", "1", "0", 1)),
		element(`"min_kwh":10,"max_kwh":20`, component("ENERGY", "2", "0", 1)),
		element("", component("ENERGY", "1", "0", 1))))
	b := price(t, tariff, usage("2026-06-01 10:00", time.UTC, charge(10, 9.999_999),
		charge(50, 5), charge(20, 10)))
	byPrice := map[int64]int64{}
	for _, l := range b.Lines {
		if l.Dimension == pricing.Energy {
			byPrice[l.Price/1_000_000] = l.Measured
		}
	}
	if got := minutes(b); got[0] != 30 || got[3] != 20 {
		t.Errorf("minutes %v, want 30 at 0, 30 at 1 and 20 at 3", got)
	}
	if byPrice[1] != 15*kWh-1 || byPrice[2] != 10*kWh {
		t.Errorf("energy by price %v", byPrice)
	}
}

// TestInterpolated: one period over three prices, whose energy no third divides.
func TestInterpolated(t *testing.T) {
	tariff := parse(t, euro(
		element(`"end_time":"11:00"`, component("ENERGY", "1", "0", 0)),
		element(`"end_time":"12:00"`, component("ENERGY", "2", "0", 0)),
		element("", component("ENERGY", "3", "0", 0))))
	b := price(t, tariff, usage("2026-06-01 10:00", time.UTC, charge(180, 10)))
	for i, want := range []int64{3_333_333, 3_333_333, 3_333_334} {
		if got := b.Lines[i].Measured; got != want || !b.Lines[i].Estimated {
			t.Errorf("line %d has %d mWh, want %d: %+v", i, got, want, b.Lines[i])
		}
	}
}

// TestEstimated: what was guessed shows, and only that.
func TestEstimated(t *testing.T) {
	byTime := euro(element(`"end_time":"10:10"`, component("ENERGY", "2", "0", 1)),
		element("", component("ENERGY", "1", "0", 1)))
	byStep := euro(element(`"end_time":"10:10"`, component("ENERGY", "1", "0", 1)),
		element("", component("ENERGY", "1", "0", 500)))
	byEnergy := euro(element(`"max_kwh":1`, component("ENERGY", "2", "0", 1)),
		element("", component("ENERGY", "1", "0", 1)))
	timeByEnergy := euro(element(`"max_kwh":1`, component("TIME", "2", "0", 1)))
	byPower := euro(element(`"min_power":11`, component("ENERGY", "2", "0", 1)),
		element("", component("ENERGY", "1", "0", 1)))
	ranged := charge(10, 2)
	power := func(low, mean, high int64) *pricing.Usage {
		u := usage("2026-06-01 10:00", time.UTC, ranged)
		u.Periods[0].Power = pricing.Range{Min: low, Mean: mean, Max: high, Known: true}
		return u
	}
	from := func(parts ...part) *pricing.Usage {
		return usage("2026-06-01 10:00", time.UTC, parts...)
	}
	told := from(charge(10, 2))
	told.Periods[0].Estimated = true
	cases := []struct {
		name   string
		tariff string
		usage  *pricing.Usage
		want   bool
	}{
		{"cut within a quarter hour", byTime, from(charge(15, 2)), false},
		{"cut within more", byTime, from(charge(16, 2)), true},
		{"cut between steps of one price", byStep, from(charge(16, 2)), true},
		{"no energy to cut", byTime, from(part{minutes: 16, parking: true}), false},
		{"cut at a bound of periods", byTime, from(charge(10, 2), charge(60, 2)), false},
		{"an amount is exact", byEnergy, from(charge(60, 2)), false},
		{"its time is not", timeByEnergy, from(charge(60, 2)), true},
		{"power within a limit", byPower, power(12_000, 13_000, 14_000), false},
		{"power below a limit", byPower, power(1_000, 3_000, 10_999), false},
		{"power across a limit", byPower, power(10_000, 13_000, 14_000), true},
		{"power told from energy", byPower, from(charge(10, 2)), true},
		{"told by the caller", byTime, told, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if b := price(t, parse(t, c.tariff), c.usage); b.Estimated != c.want {
				t.Errorf("estimated %v: %+v", b.Estimated, b)
			}
		})
	}
}

// TestPowerFromEnergy: 2 kWh in ten minutes are 12 kW.
func TestPowerFromEnergy(t *testing.T) {
	for _, c := range []struct {
		limit string
		want  int64
	}{{"12", 400}, {"12.000001", 200}} {
		tariff := parse(t, euro(
			element(`"min_power":`+c.limit, component("ENERGY", "2", "0", 1)),
			element("", component("ENERGY", "1", "0", 1))))
		b := price(t, tariff, usage("2026-06-01 10:00", time.UTC, charge(10, 2)))
		if b.Total.Excl != c.want {
			t.Errorf("from %s kW on it costs %d, want %d", c.limit, b.Total.Excl, c.want)
		}
	}
}

// TestFlatFee: it is charged once, whatever else changes, and by the first that is active.
func TestFlatFee(t *testing.T) {
	flat := func(price string) string { return component("FLAT", price, "0", 1) }
	day := element(`"start_time":"08:00","end_time":"20:00"`, flat("1"))
	cases := []struct {
		name     string
		elements []string
		usage    *pricing.Usage
		want     int64
	}{
		{
			"from night to day",
			[]string{day},
			usage("2026-06-01 07:00", time.UTC, charge(120, 1)),
			100,
		},
		{"from day to night", []string{day, element("", flat("3"))},
			usage("2026-06-01 19:00", time.UTC, charge(120, 1)), 100},
		{"from the other", []string{day, element("", flat("3"))},
			usage("2026-06-01 07:00", time.UTC, charge(120, 1)), 300},
		{"by night only", []string{day}, usage("2026-06-01 21:00", time.UTC, charge(60, 1)), 0},
		{"after a duration", []string{element(`"min_duration":600`, flat("5"))},
			usage("2026-06-01 21:00", time.UTC, charge(60, 1)), 500},
		{"of a session of no length", []string{day}, usage("2026-06-01 08:00", time.UTC), 100},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if b := price(t, parse(t, euro(c.elements...)), c.usage); b.Total.Excl != c.want {
				t.Errorf("costs %d, want %d", b.Total.Excl, c.want)
			}
		})
	}
}

func TestReservationByNight(t *testing.T) {
	tariff := parse(t, euro(
		element(`"reservation":"RESERVATION","start_time":"22:00","end_time":"06:00"`,
			component("TIME", "1", "0", 900)),
		element(`"reservation":"RESERVATION"`, component("TIME", "2", "0", 60)),
		element("", component("TIME", "10", "0", 900))))
	u := withReservation(usage("2026-06-01 22:10", time.UTC, charge(20, 5)), 20)
	b := price(t, tariff, u)
	// 10 min at 2 and 10 at 1, which become 20 by the last step of 15; 20 min become 30.
	want := []pricing.Line{
		{Dimension: pricing.Time, Reservation: true, Price: 1_000_000, Measured: 600_000,
			Billed: 1_200_000, Money: pricing.Money{Excl: 33, Incl: 33}},
		{Dimension: pricing.Time, Reservation: true, Price: 2_000_000, Measured: 600_000,
			Billed: 600_000, Money: pricing.Money{Excl: 33, Incl: 33}},
		{Dimension: pricing.Time, Price: 10_000_000, Measured: 1_200_000, Billed: 1_800_000,
			Money: pricing.Money{Excl: 500, Incl: 500}},
	}
	// 1/3 and 1/3 and 5 are 5.666..., so the cent that is left goes to the first third.
	want[0].Excl, want[0].Incl = 34, 34
	if len(b.Lines) != len(want) {
		t.Fatalf("lines %+v", b.Lines)
	}
	for i := range want {
		if b.Lines[i] != want[i] {
			t.Errorf("line %+v, want %+v", b.Lines[i], want[i])
		}
	}
}

func TestExpiredTakesThePlaceOfReserved(t *testing.T) {
	// The order of the elements does not matter here: what expires is priced by what is said of
	// expiry, and else as any reservation.
	tariff := parse(t, reservationTariff(
		element(`"reservation":"RESERVATION"`, component("FLAT", "1", "0", 1),
			component("TIME", "2", "0", 1)),
		element(`"reservation":"RESERVATION_EXPIRES"`, component("FLAT", "4", "0", 1))))
	if b := price(t, tariff, expiredAfter(60)); b.Total.Excl != 600 {
		t.Errorf("expired: %+v", b)
	}
	u := withReservation(usage("2026-06-01 12:00", time.UTC, charge(60, 2)), 60)
	if b := price(t, tariff, u); b.Total.Excl != 100+200+50+50 {
		t.Errorf("used: %+v", b)
	}
	u.Reservation.End -= 5 * chargestream.Minute
	if b := price(t, tariff, u); b.Total.Excl != 100+183+50+50 {
		t.Errorf("used, with a gap: %+v", b)
	}
}
