package codecs

import (
	"strings"
	"time"

	"chargestream"
	"chargestream/internal/rfc3339"
)

// The span of times that a number may mean: no charger of ours reported before 2000, and what is
// outside is a date such as 20260301, or microseconds.
const (
	unixMin = 946684800  // 2000-01-01
	unixMax = 4102444800 // 2100-01-01
)

// ParseUnix reads Unix seconds or milliseconds, told apart by their size; false for a number that
// is neither.
func ParseUnix(text string) (chargestream.Millis, bool) {
	if ms, err := ParseScaled(text, 3); err == nil && ms >= unixMin*1000 && ms < unixMax*1000 {
		return chargestream.Millis(ms), true
	}
	if ms, err := ParseScaled(text, 0); err == nil && ms >= unixMin*1000 && ms < unixMax*1000 {
		return chargestream.Millis(ms), true
	}
	return 0, false
}

// ParseISO reads RFC 3339 and the ISO 8601 that is close to it: an offset of hours only or without
// a colon, a blank for the T, no seconds, small letters. Without a zone the time is that of the
// clock on the wall, as if it were UTC, and zoned is false.
func ParseISO(text string) (at chargestream.Millis, zoned, ok bool) {
	if ms, ok := rfc3339.Parse(text); ok {
		return chargestream.Millis(ms), true, true
	}
	if len(text) < len("2006-01-02T15:04") || !strings.ContainsRune("Tt ", rune(text[10])) {
		return 0, false, false
	}
	date, clock := text[:10], strings.TrimSpace(text[11:])
	clock, offset, zoned, ok := cutOffset(clock)
	if !ok {
		return 0, false, false
	}
	layout := "2006-01-02 15:04:05"
	if len(clock) == len("15:04") {
		layout = "2006-01-02 15:04"
	}
	t, err := time.Parse(layout, date+" "+clock)
	if err != nil {
		return 0, false, false
	}
	return chargestream.MillisOf(t) - offset, zoned, true
}

// cutOffset splits what is behind the time of day off it.
func cutOffset(clock string) (rest string, offset chargestream.Millis, zoned, ok bool) {
	i := strings.IndexAny(clock, "Zz+-U")
	if i < 0 {
		return clock, 0, false, true
	}
	rest, zone := strings.TrimSpace(clock[:i]), clock[i:]
	if zone == "Z" || zone == "z" || zone == "UTC" {
		return rest, 0, true, true
	}
	offset, ok = ParseOffset(zone)
	return rest, offset, true, ok
}

// ParseOffset reads an offset from UTC: +02, +0200 or +02:00.
func ParseOffset(text string) (chargestream.Millis, bool) {
	if len(text) < 3 || text[0] != '+' && text[0] != '-' {
		return 0, false
	}
	digits := text[1:]
	if len(digits) == 5 && digits[2] == ':' {
		digits = digits[:2] + digits[3:]
	}
	if len(digits) == 2 {
		digits += "00"
	}
	n, ok := parseWhole(digits)
	if !ok || len(digits) != 4 || n/100 > 15 || n%100 > 59 {
		return 0, false
	}
	offset := chargestream.Millis(n/100)*chargestream.Hour +
		chargestream.Millis(n%100)*chargestream.Minute
	if text[0] == '-' {
		offset = -offset
	}
	return offset, true
}

// Moments are the moments at which the clocks of a zone showed a time, given as if it were UTC, in
// order: one, or two in the hour that clocks repeat. Of the hour that they skip there is none:
// skipped is true, and the moment is that of a clock that was not moved yet.
func Moments(wall chargestream.Millis, zone *time.Location) (at []chargestream.Millis,
	skipped bool) {
	_, before := (wall - chargestream.Day).Time().In(zone).Zone()
	_, after := (wall + chargestream.Day).Time().In(zone).Zone()
	if before < after {
		before, after = after, before // the larger offset gives the earlier moment
	}
	for i, offset := range []int{before, after} {
		m := wall - chargestream.Millis(offset)*chargestream.Second
		_, shows := m.Time().In(zone).Zone()
		if shows == offset && (i == 0 || before != after) {
			at = append(at, m)
		}
	}
	if len(at) > 0 {
		return at, false
	}
	return []chargestream.Millis{wall - chargestream.Millis(after)*chargestream.Second}, true
}

// ParseTime reads a time as any door takes it: ISO 8601, or Unix seconds or milliseconds. A time
// without a zone is that of zone, where the clocks showed it once. The error is a Refusal.
func ParseTime(field, text string, zone *time.Location) (chargestream.Millis, error) {
	trimmed := strings.TrimSpace(text)
	if trimmed == "" || trimmed == "0" {
		return 0, nil
	}
	at, zoned, ok := ParseISO(trimmed)
	switch {
	case ok && zoned:
		return at, nil
	case !ok:
		if at, ok = ParseUnix(trimmed); ok {
			return at, nil
		}
		problem := "is not RFC 3339"
		if _, err := ParseScaled(trimmed, 0); err == nil {
			problem = "is neither Unix seconds nor milliseconds of the years 2000 to 2099"
		}
		return 0, &Refusal{Field: field, Value: Quoted(text), Problem: problem,
			Expected: takesTime, Do: "write the time with its offset"}
	case zone == nil:
		return 0, &Refusal{Field: field, Value: Quoted(text), NoZone: true,
			Problem:  "has no zone and is not RFC 3339",
			Expected: takesTime + ", and local time where the station's time_zone is registered",
			Do:       "add Z or the offset, or register the station's time_zone"}
	}
	moments, skipped := Moments(at, zone)
	if skipped || len(moments) > 1 {
		problem := "was shown twice by the clocks of " + zone.String()
		if skipped {
			problem = "was skipped by the clocks of " + zone.String()
		}
		return 0, &Refusal{Field: field, Value: Quoted(text), Problem: problem,
			Expected: "a time with an offset is taken there", Do: "add the offset"}
	}
	return moments[0], nil
}
