package sim

import (
	"time"

	"chargestream"
)

// TimeZone is the IANA name of the world's time zone.
const TimeZone = "Europe/Paris"

// offset is what local time is ahead of UTC. The rule of the European Union (summer time from
// the last Sunday of March to that of October, 01:00 UTC) is written out, so that a world does
// not depend on the zone files of the host.
func offset(t chargestream.Millis) chargestream.Millis {
	year := t.Time().Year()
	if t >= lastSunday(year, time.March) && t < lastSunday(year, time.October) {
		return 2 * chargestream.Hour
	}
	return chargestream.Hour
}

// lastSunday is 01:00 UTC of the last Sunday of a month that has 31 days.
func lastSunday(year int, month time.Month) chargestream.Millis {
	last := time.Date(year, month, 31, 1, 0, 0, 0, time.UTC)
	return chargestream.MillisOf(last.AddDate(0, 0, -int(last.Weekday())))
}

// localHour is the hour of the local day, 0 to 23.
func localHour(t chargestream.Millis) int {
	local := t + offset(t)
	return int((local - local.Truncate(chargestream.Day)) / chargestream.Hour)
}

// localMidnight is the begin of the local day that holds t, in UTC. Clocks never change between
// midnight and 02:00 local time, so the offset at midnight is that of the hour after it.
func localMidnight(t chargestream.Millis) chargestream.Millis {
	midnight := (t + offset(t)).Truncate(chargestream.Day)
	return midnight - offset(midnight-chargestream.Hour)
}

// nextMidnight is the first local midnight after t.
func nextMidnight(t chargestream.Millis) chargestream.Millis {
	return localMidnight(localMidnight(t) + chargestream.Day + 2*chargestream.Hour)
}

// isWeekday reports whether the local day that holds t is one of Monday to Friday.
func isWeekday(t chargestream.Millis) bool {
	day := (t + offset(t)).Time().Weekday()
	return day != time.Saturday && day != time.Sunday
}
