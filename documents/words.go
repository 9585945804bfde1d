package documents

import (
	"fmt"
	"math/big"
	"strconv"
	"time"

	"chargestream"
)

// zone writes times as a clock at the station shows them.
type zone struct {
	at   *time.Location
	note string // how times are shown, for people
}

// zoneOf is the zone of a document: the station's, and UTC where that is not known.
func zoneOf(v *chargestream.Invoice) zone {
	switch at, err := time.LoadLocation(v.TimeZone); {
	case v.TimeZone == "" || v.TimeZone == "Local":
		return zone{time.UTC, "UTC, as the station's time zone is not known"}
	case err != nil:
		return zone{time.UTC, "UTC, as the time zone " + v.TimeZone + " is not known"}
	default:
		return zone{at, v.TimeZone}
	}
}

// Forms of a time. The offset separates the two hours that a clock shows twice in autumn.
const (
	dayForm    = "2006-01-02"
	secondForm = "2006-01-02 15:04:05"
	clockForm  = secondForm + " -07:00"
	offsetForm = "2006-01-02T15:04:05.999-07:00"
)

func (z zone) format(m chargestream.Millis, form string) string {
	if m == 0 {
		return ""
	}
	return m.Time().In(z.at).Format(form)
}

func (z zone) day(m chargestream.Millis) string { return z.format(m, dayForm) }

func (z zone) second(m chargestream.Millis) string { return z.format(m, clockForm) }

// rfc3339 is a time with the offset that held there.
func (z zone) rfc3339(m chargestream.Millis) string { return z.format(m, offsetForm) }

// span is a start and an end for people.
func (z zone) span(start, end chargestream.Millis) string {
	from, to := "no start", "no end"
	if start != 0 {
		from = z.second(start)
	}
	if end != 0 {
		to = z.second(end)
	}
	const day, second = len(dayForm), len(secondForm)
	if start != 0 && end != 0 && from[:day] == to[:day] && from[second:] == to[second:] {
		from, to = from[:second], to[day+1:] // one day and one offset are written once
	}
	return from + " to " + to
}

// energyOf is what a document adds to a sum of energy: what a credit note takes back is negative,
// however the record writes it.
func energyOf(v *chargestream.Invoice) chargestream.WattHours {
	if credit(v) {
		return -max(v.Energy, -v.Energy)
	}
	return v.Energy
}

// kWh writes an amount of energy for people.
func kWh(e chargestream.WattHours) string { return decimals(int64(e), 3) + " kWh" }

// decimals is a number of units of which so many digits are behind the point.
func decimals(n int64, digits int) string { return fixed(big.NewInt(n), digits) }

// clock writes whole seconds as hours, minutes and seconds.
func clock(seconds int64) string {
	sign := ""
	if seconds < 0 {
		sign, seconds = "-", -seconds
	}
	return fmt.Sprintf("%s%d:%02d:%02d h", sign, seconds/3600, seconds/60%60, seconds%60)
}

// Counted is a number of things.
func Counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
