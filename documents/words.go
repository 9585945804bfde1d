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

// Forms of a time. The offset tells the two hours apart that a clock shows twice in autumn.
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
		from, to = from[:second], to[day+1:] // one day and one offset are told once
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
func kWh(e chargestream.WattHours) string { return fixed(big.NewInt(int64(e)), 3) + " kWh" }

// clock writes whole seconds as hours, minutes and seconds.
func clock(seconds int64) string {
	sign := ""
	if seconds < 0 {
		sign, seconds = "-", -seconds
	}
	return fmt.Sprintf("%s%d:%02d:%02d h", sign, seconds/3600, seconds/60%60, seconds%60)
}

// counted is a number of things.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// holdWords tells why a document is held; a reason that is not known is told as it is.
func holdWords(r chargestream.HoldReason) string {
	if words, ok := holdTexts()[r]; ok {
		return words
	}
	return string(r)
}

func holdTexts() map[chargestream.HoldReason]string {
	return map[chargestream.HoldReason]string{
		chargestream.HoldDuplicate: "The same session was delivered before under another id.",
		chargestream.HoldNotEnded:  "The session has no end.",
		chargestream.HoldNoEnergy:  "Nothing tells how much energy was delivered.",
		chargestream.HoldEstimated: "The energy is known from samples only, not from start and " +
			"end.",
		chargestream.HoldNegativeEnergy: "The meter reading at the end is below the one at the " +
			"start.",
		chargestream.HoldNegativeDuration: "The session ends before it starts.",
		chargestream.HoldMeterRegression:  "The meter ran backwards within the session.",
		chargestream.HoldClockSkew:        "The station's clock was more than five minutes ahead.",
		chargestream.HoldConflict: "Two different starts, or two different ends, came for the " +
			"session.",
		chargestream.HoldNoTariff: "No tariff was in force for the station at the start.",
		chargestream.HoldTariffUnsupported: "The tariff asks for something that is not known of " +
			"the session.",
		chargestream.HoldOverlap: "Another session ran on the connector at the same time.",
		chargestream.HoldNoStart: "An end came, and no start.",
		chargestream.HoldUnitMismatch: "Meter and power differ by a factor of a hundred or more: " +
			"one of them has another unit.",
		chargestream.HoldOverPower: "More energy is told than the connector can deliver in that " +
			"time.",
		chargestream.HoldLifetimeRegister: "The reading of the meter's whole life was told as " +
			"that of the session.",
		chargestream.HoldUnknownUser: "Nobody is named who could pay.",
		chargestream.HoldVATUnknown:  "A price tells no VAT rate, which is not the same as 0 %.",
		chargestream.HoldSignedMissing: "The meter is calibrated, and its begin or end value is " +
			"not signed.",
		chargestream.HoldSignedInvalid: "The signed meter values contradict themselves, each " +
			"other or the registry.",
		chargestream.HoldSignedMismatch: "The signed energy is not the billed energy.",
		chargestream.HoldCancelled:      "It was decided that the session is not billed.",
	}
}
