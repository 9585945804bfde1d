package oracle

// vectorsOwn are worked out by hand; each holds a rule that OCPI's examples leave untested.
func vectorsOwn() []vector {
	energy := func(limits, price string) string {
		return element(limits, component("ENERGY", price, "", 1))
	}
	time := func(limits, price string) string {
		return element(limits, component("TIME", price, "", 1))
	}
	return []vector{
		// 1.005 as a binary fraction lies below itself.
		{name: "half a cent that floats lose", tariff: tariffOf(energy("", "0.15")),
			usage: session(monday, charge(60, 6700)), excl: "1.005", rounded: "1.01 1.01"},
		// 21 % of 0.115 is 0.02415, of 0.12 it is 0.0252.
		{name: "vat of the exact amount",
			tariff: tariffOf(element("", component("ENERGY", "0.115", "21", 1))),
			usage:  session(monday, charge(60, 1000)), incl: "0.13915", rounded: "0.12 0.14"},
		// Two amounts of 0.005 in one group are a cent, in two groups they are two.
		{name: "one group", tariff: tariffOf(element("", component("ENERGY", "0.005", "10", 1),
			component("FLAT", "0.005", "10.0", 1))),
			usage: session(monday, charge(60, 1000)), excl: "0.01", rounded: "0.01 0.01"},
		{name: "two groups", tariff: tariffOf(element("", component("ENERGY", "0.005", "10", 1),
			component("FLAT", "0.005", "20", 1))),
			usage: session(monday, charge(60, 1000)), excl: "0.01", rounded: "0.02 0.02"},
		// 10 kWh in 70 minutes; the bound of 3 kWh is passed after 21 minutes.
		{name: "by energy so far", tariff: tariffOf(element(`"max_kwh":3`,
			component("ENERGY", "0.10", "", 1), component("TIME", "1.00", "", 1)),
			element(`"min_kwh":3`,
				component("ENERGY", "0.40", "", 1), component("TIME", "2.00", "", 1))),
			usage: session(monday, charge(70, 10000)),
			excl:  "61/12"}, // 0.3 + 2.8 + 21/60 + 2*49/60
		// A third of a Wh a second: the bound lies between two seconds.
		{name: "bound within a second", tariff: tariffOf(
			energy(`"max_kwh":0.0005`, "3000"), energy("", "0")),
			usage: session(monday, charge(1, 20)), excl: "1.5"},
		{name: "fee once", tariff: tariffOf(
			element(`"max_duration":600`, component("FLAT", "1.00", "", 1)),
			element("", component("FLAT", "3.00", "", 1))),
			usage: session(monday, charge(30, 1), charge(30, 1)), excl: "1"},
		{name: "two groups without vat", tariff: tariffOf(element("",
			component("ENERGY", "0.005", "0", 1), component("FLAT", "0.005", "", 1))),
			usage: session(monday, charge(60, 1000)), excl: "0.01", rounded: "0.02 0.02"},
		{name: "negative price", tariff: tariffOf(element("", component("FLAT", "-0.005", "", 1))),
			usage: session(monday), excl: "-0.005", rounded: "-0.01 -0.01"},
		{name: "fee of a reservation without length",
			tariff: tariffOf(element(`"reservation":"RESERVATION"`,
				component("FLAT", "1.00", "", 1)), element("", component("FLAT", "0.5", "", 1))),
			usage: reserve(0, session(monday)), excl: "1.5"},
		{name: "fee of a session without length",
			tariff: tariffOf(element("", component("FLAT", "1.00", "", 1))),
			usage:  session(monday), excl: "1", rounded: "1.00 1.00"},
		{name: "nothing matches", tariff: tariffOf(energy(`"min_kwh":1`, "1")),
			usage: session(monday, charge(30, 1000)), excl: "0", rounded: "0.00 0.00"},
		{name: "power that is not known", tariff: tariffOf(
			energy(`"min_power":0`, "1"), energy(`"max_current":99`, "2"), energy("", "3")),
			usage: session(monday, charge(30, 1000)), excl: "3"},
		{name: "power at its bounds", tariff: tariffOf(
			energy(`"max_power":11`, "1"), energy(`"min_power":11,"max_power":22`, "2"),
			energy(`"min_power":22`, "4")),
			usage: session(monday, watts(10999, charge(30, 1000)), watts(11000, charge(30, 1000)),
				watts(22000, charge(30, 1000))), excl: "7"},
		{name: "current at its bounds", tariff: tariffOf(
			energy(`"max_current":16`, "1"), energy(`"min_current":16,"max_current":32`, "2"),
			energy(`"min_current":32`, "4")),
			usage: session(monday, amps(15, charge(30, 1000)), amps(16, charge(30, 1000)),
				amps(32, charge(30, 1000))), excl: "7"},
		{name: "length at its bounds", tariff: tariffOf(
			time(`"min_duration":1800,"max_duration":3600`, "2"), time("", "1")),
			usage: session(monday, charge(90, 0)), excl: "2"},
		{name: "parking in between", tariff: tariffOf(element("",
			component("TIME", "6.00", "", 600), component("PARKING_TIME", "12.00", "", 600))),
			usage: session(monday, charge(10, 100), park(5), charge(7, 100)),
			excl:  "3.7", chargingS: 17 * 60, parkingS: 10 * 60},
		// The second element is in force when the session ends, but no energy flows in it.
		{name: "step of the last energy", tariff: tariffOf(
			element(`"max_duration":3600`, component("ENERGY", "1", "", 1000)),
			element("", component("ENERGY", "2", "", 5000))),
			usage: session(monday, charge(60, 1500), park(60)), excl: "2", milliWh: 2_000_000},
		{name: "exact multiple", tariff: tariffOf(element("",
			component("TIME", "1", "", 1800), component("ENERGY", "1", "", 500))),
			usage: session(monday, charge(30, 1000)),
			excl:  "1.5", chargingS: 1800, milliWh: 1_000_000},
		{name: "reservation beside charging time", tariff: tariffOf(
			element(`"reservation":"RESERVATION"`, component("TIME", "2", "", 600)),
			element("", component("TIME", "4", "", 900), component("FLAT", "1", "", 1))),
			usage: reserve(12, session(monday, charge(20, 0))),
			excl:  "11/3", chargingS: 1800}, // 20 min at 2, 30 min at 4, the fee
	}
}

// vectorsClock are about the charger's own clock and calendar.
func vectorsClock() []vector {
	time := func(limits, price string) string {
		return element(limits, component("TIME", price, "", 1))
	}
	hour := charge(60, 0)
	night := tariffOf(time(`"start_time":"22:00","end_time":"06:00"`, "1"), time("", "3"))
	early := tariffOf(time(`"end_time":"03:00"`, "1"), time(`"start_time":"03:00"`, "2"))
	gap := tariffOf(time(`"start_time":"02:00","end_time":"03:00"`, "60"))
	return []vector{
		{name: "window over midnight", tariff: night,
			usage: session("2025-06-16 21:00:00", charge(10*60, 0)), excl: "14"},
		{name: "window to the end of the day", tariff: tariffOf(
			time(`"start_time":"22:00","end_time":"00:00"`, "1"), time("", "3")),
			usage: session("2025-06-16 21:00:00", charge(240, 0)), excl: "8"},
		{name: "window of a whole day", tariff: tariffOf(
			time(`"start_time":"00:00","end_time":"00:00"`, "1"), time("", "3")),
			usage: session("2025-06-16 23:30:00", hour), excl: "1"},
		{name: "window that is empty", tariff: tariffOf(
			time(`"start_time":"10:00","end_time":"10:00"`, "1"), time("", "3")),
			usage: session("2025-06-16 09:30:00", hour), excl: "3"},
		{name: "dates", tariff: tariffOf(
			time(`"start_date":"2025-06-17","end_date":"2025-06-18"`, "1"), time("", "3")),
			usage: session("2025-06-16 23:00:00", charge(26*60, 0)), excl: "30"},
		{name: "weekday changes at midnight", tariff: tariffOf(
			time(`"day_of_week":["FRIDAY"],"start_time":"22:00","end_time":"06:00"`, "1")),
			usage: session("2025-06-13 21:00:00", charge(10*60, 0)), excl: "2"},
		{name: "first element wins", tariff: tariffOf(
			time(`"day_of_week":["MONDAY"]`, "1"), time(`"start_time":"09:00"`, "2")),
			usage: session(monday, hour), excl: "1"},
		{name: "dimensions by themselves", tariff: tariffOf(
			time(`"min_kwh":99`, "1"),
			element("", component("ENERGY", "0.5", "", 1)), time("", "2")),
			usage: session(monday, charge(60, 1000)), excl: "2.5"},
		// 29 March 2026 is 23 hours long: 01:00, 03:00, 04:00.
		{name: "hour that is left out", tariff: early,
			usage: session("2026-03-29 01:00:00", charge(120, 0)), excl: "3"},
		{name: "no window in it", tariff: gap,
			usage: session("2026-03-29 01:00:00", charge(180, 0)), excl: "0"},
		{name: "day of 23 hours", tariff: tariffOf(time(`"start_date":"2026-03-29",`+
			`"end_date":"2026-03-30"`, "1")),
			usage: session("2026-03-28 23:00:00", charge(26*60, 0)), excl: "23"},
		// 26 October 2025 is 25 hours long: 02:00 comes twice.
		{name: "hour that comes twice", tariff: gap,
			usage: session("2025-10-26 01:00:00", charge(240, 0)), excl: "120"},
		{name: "later after the hour that comes twice", tariff: early,
			usage: session("2025-10-26 01:00:00", charge(240, 0)), excl: "5"},
		{name: "day of 25 hours", tariff: tariffOf(time(`"start_date":"2025-10-26",`+
			`"end_date":"2025-10-27"`, "1")),
			usage: session("2025-10-25 23:00:00", charge(28*60, 0)), excl: "25"},
		{name: "half an hour that comes twice",
			tariff: tariffOf(time(`"start_time":"01:30","end_time":"02:00"`, "60")),
			usage:  sessionIn("Australia/Lord_Howe", "2025-04-06 01:00:00", charge(120, 0)),
			excl:   "60"},
	}
}

func vectorsBounds() []vector {
	energy := element("", component("ENERGY", "1", "20", 1))
	kWh := func(n int64) Usage { return session(monday, charge(60, n*1000)) }
	return []vector{
		{name: "least price reached", tariff: tariffOf(energy, bounds("min_price", "2", "2.3")),
			usage: kWh(2), excl: "2", incl: "2.4", rounded: "2.00 2.40"},
		{name: "least price with VAT", tariff: tariffOf(energy, bounds("min_price", "2", "2.5")),
			usage: kWh(2), excl: "25/12", incl: "2.5", rounded: "2.08 2.50"},
		{name: "most price with VAT", tariff: tariffOf(energy, bounds("max_price", "9", "8.4")),
			usage: kWh(8), excl: "7", incl: "8.4", rounded: "7.00 8.40"},
		{name: "most price without VAT", tariff: tariffOf(energy, bounds("max_price", "9", "13")),
			usage: kWh(10), excl: "9", incl: "10.8", rounded: "9.00 10.80"},
		{name: "between both", tariff: tariffOf(energy, bounds("min_price", "2", "2.4"),
			bounds("max_price", "9", "10.8")),
			usage: kWh(5), excl: "5", incl: "6", rounded: "5.00 6.00"},
		{name: "at the most price", tariff: tariffOf(energy, bounds("max_price", "9", "10.8")),
			usage: kWh(9), excl: "9", incl: "10.8", rounded: "9.00 10.80"},
	}
}

// vectorsFine have a bound between two seconds, or begin there. A price of 3600 is 1 a second.
func vectorsFine() []vector {
	time := func(limits, price string) string {
		return element(limits, component("TIME", price, "", 1))
	}
	length := func(ms, milliWh int64) UsagePeriod { return UsagePeriod{ToMs: ms, MilliWh: milliWh} }
	byClock := tariffOf(time(`"end_time":"17:00"`, "3600"), time("", "7200"))
	reserved := reserve(0, session("2025-06-16 17:00:01"))
	reserved.Reservation.StartMs -= 2000
	return []vector{
		{name: "window within a session's second", tariff: byClock,
			usage: session("2025-06-16 16:59:59.5", length(1000, 0)), excl: "1.5"},
		{name: "window within a minute", tariff: byClock,
			usage: session("2025-06-16 16:59:30", length(60_000, 0)), excl: "90"},
		{name: "length within a second of the clock",
			tariff: tariffOf(time(`"max_duration":1`, "3600"), time("", "7200")),
			usage:  session("2025-06-16 12:00:00.5", length(2000, 0)), excl: "3"},
		{name: "energy within a second",
			tariff: tariffOf(time(`"max_kwh":0.0005`, "3600"), time("", "7200")),
			usage:  session(monday, length(60_000, 20_000)), excl: "118.5"},
		{name: "energy of all periods",
			tariff: tariffOf(time(`"max_kwh":0.003`, "3600"), time("", "7200")),
			usage:  session(monday, length(20_000, 2000), length(20_000, 2000)), excl: "50"},
		{name: "window within a reservation",
			tariff: tariffOf(
				time(`"reservation":"RESERVATION","end_time":"17:00"`, "3600"),
				time(`"reservation":"RESERVATION"`, "7200")),
			usage: reserved, excl: "3"},
		{name: "before the epoch",
			tariff: tariffOf(time(`"end_time":"23:59"`, "3600"), time("", "7200")),
			usage:  sessionIn("UTC", "1969-12-31 23:58:59.5", length(2000, 0)), excl: "3.5"},
	}
}
