// Package rfc3339 reads and writes times as milliseconds since the epoch. Every record has two of
// them, and package time takes ten times as long for the one form that almost all have.
package rfc3339

import "time"

const (
	secondMs = 1000
	minuteMs = 60 * secondMs
	hourMs   = 60 * minuteMs
	dayMs    = 24 * hourMs
)

// Parse reads RFC 3339 with any offset and fraction; false for anything else.
func Parse[T ~string | ~[]byte](text T) (ms int64, ok bool) {
	if ms, ok := parseUTC(text); ok {
		return ms, true
	}
	t, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return 0, false
	}
	return t.UnixMilli(), true
}

// parseUTC reads 2006-01-02T15:04:05Z and the same with up to three digits of a second; false for
// any other form, and for what is no time at all.
func parseUTC[T ~string | ~[]byte](text T) (ms int64, ok bool) {
	n := len(text)
	if n < 20 || n > 24 || n == 21 || text[n-1] != 'Z' || text[4] != '-' || text[7] != '-' ||
		text[10] != 'T' || text[13] != ':' || text[16] != ':' {
		return 0, false
	}
	ok = true
	two := func(i int) int64 {
		a, b := text[i]-'0', text[i+1]-'0'
		ok = ok && a <= 9 && b <= 9
		return int64(a)*10 + int64(b)
	}
	year, month, day := two(0)*100+two(2), two(5), two(8)
	hour, minute, second := two(11), two(14), two(17)
	fraction, unit := int64(0), int64(100)
	if n > 20 {
		ok = ok && text[19] == '.'
		for i := 20; i < n-1; i++ {
			d := text[i] - '0'
			ok = ok && d <= 9
			fraction += int64(d) * unit
			unit /= 10
		}
	}
	if !ok || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 ||
		minute > 59 || second > 59 {
		return 0, false
	}
	return daysBefore(year, month, day)*dayMs + hour*hourMs + minute*minuteMs + second*secondMs +
		fraction, true
}

func daysIn(year, month int64) int64 {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysBefore is the number of days from the epoch to a date of the Gregorian calendar, for years
// from 0 on: days of whole eras of 400 years that begin in March (Hinnant, days_from_civil).
func daysBefore(year, month, day int64) int64 {
	if month <= 2 {
		year--
	}
	if year < 0 {
		return time.Date(int(year)+1, time.Month(month), int(day), 0, 0, 0, 0,
			time.UTC).Unix() * secondMs / dayMs
	}
	era := year / 400
	ofEra := year - era*400
	ofYear := (153*((month+9)%12)+2)/5 + day - 1
	return era*146097 + ofEra*365 + ofEra/4 - ofEra/100 + ofYear - 719468
}

// Append writes a time in UTC, with milliseconds only where there are any.
func Append(buf []byte, ms int64) []byte {
	if ms < 0 || ms >= 253402300800000 { // before 1970, or from the year 10000 on
		return time.UnixMilli(ms).UTC().AppendFormat(buf, "2006-01-02T15:04:05.999Z07:00")
	}
	days, rest := ms/dayMs, ms%dayMs
	year, month, day := date(days)
	buf = append(buf, byte('0'+year/1000), byte('0'+year/100%10), byte('0'+year/10%10),
		byte('0'+year%10), '-')
	buf = append(appendTwo(buf, month), '-')
	buf = append(appendTwo(buf, day), 'T')
	buf = append(appendTwo(buf, rest/hourMs), ':')
	buf = append(appendTwo(buf, rest/minuteMs%60), ':')
	buf = appendTwo(buf, rest/secondMs%60)
	if f := rest % secondMs; f != 0 {
		buf = append(buf, '.', byte('0'+f/100))
		if f%100 != 0 {
			buf = append(buf, byte('0'+f/10%10))
		}
		if f%10 != 0 {
			buf = append(buf, byte('0'+f%10))
		}
	}
	return append(buf, 'Z')
}

func appendTwo(buf []byte, n int64) []byte { return append(buf, byte('0'+n/10), byte('0'+n%10)) }

// date is the date of a day that is counted from the epoch (Hinnant, civil_from_days).
func date(days int64) (year, month, day int64) {
	days += 719468
	era := days / 146097
	ofEra := days % 146097
	yearOfEra := (ofEra - ofEra/1460 + ofEra/36524 - ofEra/146096) / 365
	ofYear := ofEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	m := (5*ofYear + 2) / 153
	day = ofYear - (153*m+2)/5 + 1
	month = (m+2)%12 + 1
	year = yearOfEra + era*400
	if month <= 2 {
		year++
	}
	return year, month, day
}
