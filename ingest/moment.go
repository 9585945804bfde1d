package ingest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"chargestream"
	"chargestream/codecs"
)

// The formats of times that are no layouts.
const (
	formatSeconds = "epoch_s"
	formatMillis  = "epoch_ms"
	formatRFC3339 = "rfc3339"
	formatISO     = "iso8601"
	formatUnix    = "unix"
)

// prepareTime checks the formats of a time, and loads its zone.
func (f *field) prepareTime(zoneOfAll string) error {
	if f.Format != "" && len(f.Formats) > 0 {
		return errors.New("format and formats are both given, one is meant")
	}
	if f.Format != "" {
		f.Formats = []string{f.Format}
	}
	if len(f.Formats) == 0 {
		return errors.New("format is missing: epoch_s, epoch_ms, unix, rfc3339, iso8601 or a " +
			"layout " +
			`such as "02/01/2006 15:04"`)
	}
	local := false
	for _, format := range f.Formats {
		needsZone, err := f.checkFormat(format)
		if err != nil {
			return err
		}
		local = local || needsZone
	}
	name := f.TimeZone
	if name == "" && local {
		name = zoneOfAll
	}
	if name == "" && local && f.ZoneColumn == "" && !slices.Contains(f.Formats, formatISO) {
		return errors.New("the layout has no offset: time_zone is needed, such as Europe/Paris, " +
			"or zone_column")
	}
	if name == "" {
		return nil
	}
	zone, err := loadZone(name)
	f.zone = zone
	return err
}

// checkFormat checks one format, and reports whether its times have no offset.
func (f *field) checkFormat(format string) (local bool, err error) {
	own := f.TimeZone != "" || f.ZoneColumn != ""
	switch format {
	case formatSeconds, formatMillis, formatRFC3339, formatUnix:
		if own && len(f.Formats) == 1 {
			return false, fmt.Errorf("format %s has its own offset, time_zone and zone_column "+
				"must be left out", format)
		}
		return false, nil
	case formatISO:
		return true, nil
	}
	if !strings.Contains(format, "06") || !strings.Contains(format, "2") {
		return false, fmt.Errorf("format %q is neither epoch_s, epoch_ms, unix, rfc3339, iso8601 "+
			`nor a layout: a layout writes the time "2006-01-02 15:04:05" in the order of the file`,
			format)
	}
	offset := hasOffset(format)
	if offset && own {
		return false, errors.New("the layout has an offset, time_zone and zone_column must be " +
			"left out")
	}
	return !offset, nil
}

// hasOffset reports whether the times of a layout have one: they write it, or the word for none.
func hasOffset(layout string) bool {
	return strings.Contains(layout, "Z07") || strings.Contains(layout, "-07") ||
		strings.HasSuffix(layout, " GMT") || strings.HasSuffix(layout, " UTC")
}

// loadZone loads a zone by its IANA name. Local would be another one on every host.
func loadZone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" || name == "" {
		return nil, fmt.Errorf("time_zone %q is no IANA name", name)
	}
	return zone, nil
}

// instant is a time of a row: the moments that it may be, in order. Most have one; the hour that
// clocks repeat has two. Without any the time is absent.
type instant struct {
	at      []chargestream.Millis
	skipped bool // the clocks never showed it
}

// first is the earliest moment; zero where the time is absent.
func (i *instant) first() chargestream.Millis {
	if len(i.at) == 0 {
		return 0
	}
	return i.at[0]
}

// Bounds of a time.
const (
	// epochSpan is around 1970, in any zone: a time there is what systems write for none.
	epochSpan = 36 * chargestream.Hour
	// instantMax bounds a time: RFC 3339 has four digits for the year.
	instantMax = chargestream.Millis(253402300799999)
)

// zeroDates begin times that spreadsheets and databases write for none.
func zeroDates() []string { return []string{"0000-00-00", "0001-01-01", "1899-12-3", "1900-01-0"} }

// instant is the field's value as a time.
func (f *field) instant(name string, row *row) (instant, error) {
	text := f.text(row)
	isNone := func(date string) bool { return strings.HasPrefix(text, date) }
	if strings.Trim(text, "0.") == "" || slices.ContainsFunc(zeroDates(), isNone) {
		return instant{}, nil
	}
	zone, err := f.zoneOf(row, text)
	if err != nil {
		return instant{}, err
	}
	var found instant
	for _, format := range f.Formats {
		if found, err = parseInstant(name, format, text, zone); err == nil {
			break
		}
	}
	if err != nil {
		return instant{}, f.errTime(name, text, err)
	}
	at := found.first()
	if at >= -epochSpan && at <= epochSpan {
		return instant{}, nil
	}
	if at <= 0 || at > instantMax {
		return instant{}, fmt.Errorf("%s: time %q is not between 1970 and 9999: a time of a "+
			"session is taken; look at the format in the map", name, text)
	}
	return found, nil
}

// errTime words a time that no format takes.
func (f *field) errTime(name, text string, err error) error {
	var refusal *codecs.Refusal
	if errors.As(err, &refusal) && len(f.Formats) == 1 {
		return refusal
	}
	return fmt.Errorf("%s: time %q is not like %q: a time in the map's format is taken; mend the "+
		"cell, or add its layout to formats", name, text, f.Formats)
}

// parseInstant reads a time in one format.
func parseInstant(name, format, text string, zone *time.Location) (instant, error) {
	switch format {
	case formatSeconds, formatMillis:
		digits := 3
		if format == formatMillis {
			digits = 0
		}
		n, err := codecs.ParseScaled(text, digits)
		if err != nil {
			return instant{}, &codecs.Refusal{Field: name, Value: codecs.Quoted(text),
				Problem: "is not a decimal number", Expected: format + " is taken",
				Do: "mend the cell, or add its layout to formats"}
		}
		return instant{at: []chargestream.Millis{chargestream.Millis(n)}}, nil
	case formatUnix:
		at, ok := codecs.ParseUnix(text)
		if !ok {
			return instant{}, errForm(name, text, format)
		}
		return instant{at: []chargestream.Millis{at}}, nil
	case formatRFC3339:
		at, zoned, ok := codecs.ParseISO(text)
		if !ok || !zoned {
			return instant{}, errForm(name, text, format)
		}
		return instant{at: []chargestream.Millis{at}}, nil
	case formatISO:
		at, zoned, ok := codecs.ParseISO(text)
		if !ok || !zoned && zone == nil {
			return instant{}, errForm(name, text, format)
		}
		if zoned {
			return instant{at: []chargestream.Millis{at}}, nil
		}
		return shownAt(at, zone), nil
	}
	// Read as if it were UTC: that is what the clock on the wall showed.
	wall, err := time.Parse(format, text)
	if err != nil {
		return instant{}, fmt.Errorf("time %q is not like %q", text, format)
	}
	if hasOffset(format) {
		return instant{at: []chargestream.Millis{chargestream.MillisOf(wall)}}, nil
	}
	return shownAt(chargestream.MillisOf(wall), zone), nil
}

// errForm words a text that is no time of a standard.
func errForm(name, text, format string) error {
	r := &codecs.Refusal{Field: name, Value: codecs.Quoted(text), Problem: "is no such time",
		Expected: "a time as 2026-03-02T12:00:00Z is taken",
		Do:       "mend the cell, or name the layout in the map"}
	if _, zoned, ok := codecs.ParseISO(text); ok && !zoned {
		r.Problem, r.Do = "has no zone", "write the time_zone of the clocks into the map"
	}
	if format == formatUnix {
		r.Expected = "Unix seconds or milliseconds of the years 2000 to 2099 are taken"
	}
	return r
}

func shownAt(wall chargestream.Millis, zone *time.Location) instant {
	if wall >= -epochSpan && wall <= epochSpan {
		return instant{at: []chargestream.Millis{0}} // none, in any zone
	}
	at, skipped := codecs.Moments(wall, zone)
	return instant{at: at, skipped: skipped}
}

// zoneOf is the zone of a row's time: the one that its zone_column names, else that of the map.
func (f *field) zoneOf(row *row, text string) (*time.Location, error) {
	if f.ZoneColumn == "" {
		return f.zone, nil
	}
	word := strings.TrimSpace(row.cell(f.ZoneColumn))
	if f.isAbsent(word) && f.zone != nil {
		return f.zone, nil
	}
	if offset, ok := codecs.ParseOffset(word); ok {
		return time.FixedZone(word, int(offset/chargestream.Second)), nil
	}
	if offset, ok := f.abbreviation(word, text); ok {
		return time.FixedZone(word, offset), nil
	}
	if zone, err := loadZone(word); err == nil && strings.Contains(word, "/") {
		return zone, nil
	}
	return nil, &codecs.Refusal{Field: f.ZoneColumn, Value: codecs.Quoted(word),
		Problem: "is no zone that is known", Expected: "an offset such as +01:00, an IANA name, " +
			"or an abbreviation such as MST is taken", Do: "write the zone's IANA name as " +
			"time_zone beside zone_column, so that its abbreviations are known"}
}

// abbreviation is the offset of an abbreviation in seconds, as the field's own zone uses it in the
// years around now, or as it is used without doubt.
func (f *field) abbreviation(word, text string) (int, bool) {
	if f.zone != nil {
		for year := 1990; year < 2040; year++ {
			for _, month := range []time.Month{time.January, time.July} {
				name, offset := time.Date(year, month, 1, 12, 0, 0, 0, f.zone).Zone()
				if name == word {
					return offset, true
				}
			}
		}
	}
	hours, ok := map[string]int{"UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "WEST": 1, "CET": 1,
		"CEST": 2, "MEZ": 1, "MESZ": 2, "EET": 2, "EEST": 3, "EST": -5, "EDT": -4, "CDT": -5,
		"MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10,
		"AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13, "JST": 9}[word]
	return hours * int(time.Hour/time.Second), ok
}
