package sim

import (
	"testing"
	"time"

	"chargestream"
)

func TestLocalTimeIsThatOfTheZone(t *testing.T) {
	zone, err := time.LoadLocation(TimeZone)
	if err != nil {
		t.Skipf("the host has no zone file of %s to compare with: %v", TimeZone, err)
	}
	begin := chargestream.MillisOf(time.Date(2025, 1, 1, 0, 30, 0, 0, time.UTC))
	for at := begin; at < begin+3*365*chargestream.Day; at += chargestream.Hour {
		local := at.Time().In(zone)
		midnight := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, zone)
		next := midnight.AddDate(0, 0, 1)
		weekday := local.Weekday() != time.Saturday && local.Weekday() != time.Sunday
		if localHour(at) != local.Hour() || isWeekday(at) != weekday ||
			localMidnight(at) != chargestream.MillisOf(midnight) ||
			nextMidnight(at) != chargestream.MillisOf(next) {
			t.Fatalf("%v: hour %d, midnight %v, next %v", local, localHour(at),
				localMidnight(at), nextMidnight(at))
		}
	}
}
