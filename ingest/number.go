package ingest

import (
	"regexp"
	"strings"

	"chargestream"
	"chargestream/codecs"
)

// marks are how the numbers of a file are written; empty where the map does not say.
type marks struct{ decimal, thousands string }

// blankMarks part thousands without any doubt.
var blankMarks = strings.NewReplacer("\u00a0", " ", "\u202f", " ", "\u2009", " ", "’", "'")

// The shapes of numbers with marks.
var (
	groupedBy = map[string]*regexp.Regexp{
		",": regexp.MustCompile(`^[-+]?[0-9]{1,3}(,[0-9]{3})+$`),
		".": regexp.MustCompile(`^[-+]?[0-9]{1,3}(\.[0-9]{3})+$`),
		" ": regexp.MustCompile(`^[-+]?[0-9]{1,3}( [0-9]{3})+$`),
		"'": regexp.MustCompile(`^[-+]?[0-9]{1,3}('[0-9]{3})+$`),
	}
	withUnit = regexp.MustCompile(`(?i)^(.*[0-9.,])\s*([km]?wh)$`)
)

// plain is a number as it is written elsewhere: with a point, and without marks of thousands. What
// is ambiguous is refused.
func (m marks) plain(name, text string) (string, error) {
	number := blankMarks.Replace(text)
	decimal := m.decimal
	if decimal == "" {
		decimal = m.guessDecimal(number)
	}
	if decimal == "" {
		return "", &codecs.Refusal{Field: name, Value: codecs.Quoted(text),
			Problem:  "has a comma, which may part decimals or thousands",
			Expected: "a number with a point is taken", Do: `write decimal: "," or decimal: "." ` +
				"into the map"}
	}
	whole, fraction, found := strings.Cut(number, decimal)
	ungrouped, ok := m.ungroup(whole, decimal)
	if !ok || strings.ContainsAny(fraction, ",' ") || strings.Contains(fraction, decimal) {
		return "", &codecs.Refusal{Field: name, Value: codecs.Quoted(text),
			Problem:  "is no number with the decimal mark " + codecs.Quoted(decimal),
			Expected: "a number such as 1234" + decimal + "5 is taken",
			Do:       "look at the row, and at decimal and thousands in the map"}
	}
	if found {
		ungrouped += "." + fraction
	}
	return strings.TrimPrefix(ungrouped, "+"), nil
}

// guessDecimal is the decimal mark that one number can only have; empty where it may have two.
func (m marks) guessDecimal(number string) string {
	comma, point := strings.LastIndex(number, ","), strings.LastIndex(number, ".")
	switch {
	case comma < 0 || m.thousands == ",":
		return "."
	case point < 0 && groupedBy[","].MatchString(number) &&
		!strings.HasPrefix(strings.TrimLeft(number, "+-"), "0"):
		return ""
	case point < comma:
		return ","
	}
	return "."
}

// ungroup takes the marks of thousands out of the whole part of a number.
func (m marks) ungroup(whole, decimal string) (string, bool) {
	for mark, shape := range groupedBy {
		if mark == decimal || !strings.Contains(whole, mark) {
			continue
		}
		if m.thousands != "" && blankMarks.Replace(m.thousands) != mark {
			return "", false
		}
		return strings.ReplaceAll(whole, mark, ""), shape.MatchString(whole)
	}
	return whole, true
}

// energy reads an energy in the unit of the field, or in the one that the cell names; nil where it
// is absent.
func (f *field) energy(name string, r *row) (*chargestream.WattHours, error) {
	text := f.text(r)
	if text == "" {
		return nil, nil
	}
	number, digits := text, f.digits
	if parts := withUnit.FindStringSubmatch(text); parts != nil {
		number = parts[1]
		digits = map[string]int{"wh": 0, "kwh": 3, "mwh": 6}[strings.ToLower(parts[2])]
	}
	number, err := f.marks.plain(name, number)
	if err != nil {
		return nil, err
	}
	n, err := codecs.ParseScaled(number, digits)
	if err != nil {
		return nil, &codecs.Refusal{Field: name, Value: codecs.Quoted(text),
			Problem: "is not a decimal number in range", Expected: "an energy such as 12.5 is " +
				"taken, with or without Wh, kWh or MWh", Do: "mend the cell, or list the text " +
				"under absent"}
	}
	amount := chargestream.WattHours(n)
	return &amount, nil
}

// inWatts is a power with its unit.
var inWatts = regexp.MustCompile(`(?i)^(.*[0-9.,])\s*(k?w)$`)

// ratingMax bounds a rating, as in the registry: a gigawatt.
const ratingMax = 1_000_000_000

// power reads the rating of a connector in the unit of the field, or in the one that the cell
// names; zero where it is absent.
func (f *field) power(name string, r *row) (chargestream.Watts, error) {
	text := f.text(r)
	if text == "" {
		return 0, nil
	}
	number, digits := text, f.digits
	if parts := inWatts.FindStringSubmatch(text); parts != nil {
		number = parts[1]
		digits = map[string]int{"w": 0, "kw": 3}[strings.ToLower(parts[2])]
	}
	number, err := f.marks.plain(name, number)
	if err != nil {
		return 0, err
	}
	n, err := codecs.ParseScaled(number, digits)
	if err != nil || n < 0 || n > ratingMax {
		return 0, &codecs.Refusal{Field: name, Value: codecs.Quoted(text), Problem: "is no rating",
			Expected: "a power such as 22 is taken, with or without W or kW",
			Do:       "mend the cell, or list the text under absent"}
	}
	return chargestream.Watts(n), nil
}

// clock is a duration as h:mm or h:mm:ss, as spreadsheets write it too: 12:02:10 AM is two minutes.
var clock = regexp.MustCompile(`(?i)^([0-9]+):([0-5][0-9])(?::([0-5][0-9])(?:\.[0-9]+)?)?` +
	`(?: ?([AP])M)?$`)

// clockNone is the longest TIME of MySQL, which stands for what does not fit.
const clockNone = "838:59:59"

// duration reads a duration; zero where it is absent.
func (f *field) duration(r *row) (chargestream.Millis, error) {
	text := f.text(r)
	if text == "" || text == clockNone {
		return 0, nil
	}
	bad := &codecs.Refusal{Field: "duration", Value: codecs.Quoted(text),
		Problem:  "is no duration",
		Expected: "1:29:40, or a number in the unit of the map, is taken",
		Do:       "mend the cell, or write unit: s, min or h into the map"}
	if parts := clock.FindStringSubmatch(text); parts != nil {
		var n [3]int64
		for i, part := range parts[1:4] {
			if part == "" {
				continue
			}
			var err error
			if n[i], err = codecs.ParseScaled(part, 0); err != nil {
				return 0, bad
			}
		}
		if parts[4] != "" {
			n[0] %= 12
		}
		if strings.EqualFold(parts[4], "P") {
			n[0] += 12
		}
		return chargestream.Millis(n[0])*chargestream.Hour +
			chargestream.Millis(n[1])*chargestream.Minute +
			chargestream.Millis(n[2])*chargestream.Second, nil
	}
	unit := map[string]chargestream.Millis{"ms": 1, "s": chargestream.Second,
		"min": chargestream.Minute, "h": chargestream.Hour}[f.Unit]
	number, err := f.marks.plain("duration", text)
	if err != nil {
		return 0, err
	}
	micro, err := codecs.ParseScaled(number, 6)
	if unit == 0 || err != nil || micro < 0 || micro > 1e17/max(int64(unit), 1) {
		return 0, bad
	}
	return chargestream.Millis(micro) * unit / 1e6, nil
}
