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

// field says where one value of a row is, and how it is written.
type field struct {
	Column   string   `yaml:"column"`
	Columns  []string `yaml:"columns"`
	Value    *string  `yaml:"value"`
	Format   string   `yaml:"format"`
	TimeZone string   `yaml:"time_zone"`
	Absent   []string `yaml:"absent"`

	zone *time.Location // of a layout that has no offset; nil otherwise
}

// The formats of times that are no layouts.
const (
	formatSeconds = "epoch_s"
	formatMillis  = "epoch_ms"
	formatRFC3339 = "rfc3339"
)

// prepare checks a field and loads its time zone.
func (n named) prepare(name string) error {
	f := n.field
	if f == nil {
		if n.required {
			return fmt.Errorf("%s is missing", name)
		}
		return nil
	}
	ways := 0
	for _, used := range []bool{f.Column != "", len(f.Columns) > 0, f.Value != nil} {
		if used {
			ways++
		}
	}
	if ways != 1 {
		return fmt.Errorf("%s: one of column, columns and value is needed, %d are given",
			name, ways)
	}
	if !n.time && (f.Format != "" || f.TimeZone != "") {
		return fmt.Errorf("%s: only a time has a format and a time_zone", name)
	}
	if !n.time {
		return nil
	}
	if err := f.prepareTime(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (f *field) prepareTime() error {
	switch f.Format {
	case "":
		return errors.New("format is missing: epoch_s, epoch_ms, rfc3339 or a layout such as " +
			`"02/01/2006 15:04"`)
	case formatSeconds, formatMillis, formatRFC3339:
		if f.TimeZone != "" {
			return fmt.Errorf("format %s has its own offset, time_zone must be left out", f.Format)
		}
		return nil
	}
	if !strings.Contains(f.Format, "06") || !strings.Contains(f.Format, "2") {
		return fmt.Errorf("format %q is neither epoch_s, epoch_ms, rfc3339 nor a layout: a layout "+
			`writes the time "2006-01-02 15:04:05" in the order of the file`, f.Format)
	}
	offset := strings.Contains(f.Format, "Z07") || strings.Contains(f.Format, "-07")
	switch {
	case offset && f.TimeZone != "":
		return errors.New("the layout has an offset, time_zone must be left out")
	case offset:
		return nil
	case f.TimeZone == "":
		return errors.New("the layout has no offset: time_zone is needed, such as Europe/Paris")
	}
	zone, err := time.LoadLocation(f.TimeZone)
	if err != nil || f.TimeZone == "Local" {
		return fmt.Errorf("time_zone %q is no IANA name", f.TimeZone)
	}
	f.zone = zone
	return nil
}

// columns are the names of the columns that a field reads.
func (f *field) columns() []string {
	switch {
	case f == nil:
		return nil
	case f.Column != "":
		return []string{f.Column}
	}
	return f.Columns
}

// text is the field's value on a row; empty where it is absent.
func (f *field) text(row *row) string {
	if f == nil {
		return ""
	}
	if f.Value != nil {
		return *f.Value
	}
	for _, column := range f.columns() {
		text := strings.TrimSpace(row.cell(column))
		if text != "" && !slices.Contains(f.Absent, text) {
			return text
		}
	}
	return ""
}

// instantMax bounds a time: RFC 3339 has four digits for the year.
const instantMax = chargestream.Millis(253402300799999)

// instant is the field's value as a time; zero where it is absent.
func (f *field) instant(row *row) (chargestream.Millis, error) {
	text := f.text(row)
	if text == "" {
		return 0, nil
	}
	m, err := f.parseInstant(text)
	if err != nil {
		return 0, err
	}
	if m <= 0 || m > instantMax {
		return 0, fmt.Errorf("time %q is not between 1970 and 9999", text)
	}
	return m, nil
}

func (f *field) parseInstant(text string) (chargestream.Millis, error) {
	switch f.Format {
	case formatSeconds, formatMillis:
		digits := 3
		if f.Format == formatMillis {
			digits = 0
		}
		n, err := codecs.ParseScaled(text, digits)
		return chargestream.Millis(n), err
	case formatRFC3339:
		var m chargestream.Millis
		err := m.UnmarshalText([]byte(text))
		return m, err
	}
	// Read as if it were UTC first: that shows what the clock on the wall said.
	wall, err := time.Parse(f.Format, text)
	if err != nil {
		return 0, fmt.Errorf("time %q is not like %q", text, f.Format)
	}
	if f.zone == nil {
		return chargestream.MillisOf(wall), nil
	}
	t, err := time.ParseInLocation(f.Format, text, f.zone)
	if err != nil {
		return 0, fmt.Errorf("time %q is not like %q", text, f.Format)
	}
	t = earlier(t)
	if _, offset := t.Zone(); t.Unix()+int64(offset) != wall.Unix() {
		return 0, fmt.Errorf("time %q was skipped by the clocks of %s", text, f.zone)
	}
	return chargestream.MillisOf(t), nil
}

// earlier is the first moment at which the clocks showed what they show at t: where they were
// turned back there are two, and package time does not say which one it takes.
func earlier(t time.Time) time.Time {
	begin, _ := t.ZoneBounds()
	if begin.IsZero() {
		return t
	}
	_, now := t.Zone()
	_, before := begin.Add(-time.Nanosecond).Zone()
	first := t.Add(time.Duration(now-before) * time.Second)
	if first.Before(begin) {
		return first
	}
	return t
}
