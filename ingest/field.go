package ingest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// field says where one value of a row is, and how it is written.
type field struct {
	Column     string   `yaml:"column"`
	Columns    []string `yaml:"columns"`
	Join       []string `yaml:"join"`
	With       *string  `yaml:"with"`
	Value      *string  `yaml:"value"`
	Format     string   `yaml:"format"`
	Formats    []string `yaml:"formats"`
	TimeZone   string   `yaml:"time_zone"`
	ZoneColumn string   `yaml:"zone_column"`
	Unit       string   `yaml:"unit"`
	Absent     []string `yaml:"absent"`

	zone   *time.Location // of times without an offset; nil where none is known
	digits int            // of the unit, in Wh or ms
	marks  marks
}

// absentWords are what exports write where they have nothing, in small letters.
func absentWords() []string {
	return []string{"na", "n/a", "#n/a", "<na>", "null", "(null)", "nil", "none", "nan", "nat",
		"undefined", "\\n", "-", "--", "#value!", "#ref!", "#div/0!"}
}

// prepare checks a field and takes over what the map says for all.
func (n named) prepare(file *mapFile) error {
	f := n.field
	if f == nil {
		if n.required {
			return fmt.Errorf("%s is missing", n.name)
		}
		return nil
	}
	if err := f.checkWays(); err != nil {
		return fmt.Errorf("%s: %w", n.name, err)
	}
	if n.kind != kindTime && (f.Format != "" || len(f.Formats) > 0 || f.TimeZone != "" ||
		f.ZoneColumn != "") {
		return fmt.Errorf("%s: only a time has a format, a time_zone and a zone_column", n.name)
	}
	f.Absent = append(slices.Clone(f.Absent), file.Absent...)
	f.marks = marks{decimal: file.Decimal, thousands: file.Thousands}
	var err error
	switch n.kind {
	case kindTime:
		err = f.prepareTime(file.TimeZone)
	case kindEnergy, kindDuration:
		err = f.prepareUnit(n)
	case kindText, kindPower:
		if f.Unit != "" {
			err = errors.New("only an energy and a duration have a unit")
		}
		if strings.HasSuffix(n.name, "_kw") {
			f.digits = 3
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", n.name, err)
	}
	return nil
}

// checkWays holds that a field says where it is in one way.
func (f *field) checkWays() error {
	ways := 0
	for _, used := range []bool{f.Column != "", len(f.Columns) > 0, len(f.Join) > 0,
		f.Value != nil} {
		if used {
			ways++
		}
	}
	if ways != 1 {
		return fmt.Errorf("one of column, columns, join and value is needed, %d are given", ways)
	}
	if f.With != nil && len(f.Join) == 0 {
		return errors.New("with belongs to join")
	}
	return nil
}

// energyDigits are the digits of the units of energy, in Wh.
func energyDigits() map[string]int { return map[string]int{"Wh": 0, "kWh": 3, "MWh": 6} }

// prepareUnit checks the unit of an energy or a duration, which the field's name may tell.
func (f *field) prepareUnit(n named) error {
	if n.kind == kindDuration {
		if !slices.Contains([]string{"", "s", "min", "h", "ms"}, f.Unit) {
			return fmt.Errorf("unit %q is none of ms, s, min and h; 1:29:40 needs none", f.Unit)
		}
		return nil
	}
	unit := "Wh"
	if strings.HasSuffix(n.name, "_kwh") {
		unit = "kWh"
	}
	if f.Unit != "" {
		unit = f.Unit
	}
	if strings.HasSuffix(n.name, ".energy") && f.Unit == "" {
		return errors.New("unit is missing: Wh, kWh or MWh")
	}
	if !strings.HasSuffix(n.name, ".energy") && f.Unit != "" {
		return errors.New("the name has the unit, write energy for another one")
	}
	digits, ok := energyDigits()[unit]
	if !ok {
		return fmt.Errorf("unit %q is none of Wh, kWh and MWh", unit)
	}
	f.digits = digits
	return nil
}

// columns are the names that the field needs in the header.
func (f *field) columns() []string {
	if f == nil {
		return nil
	}
	names := slices.Concat(f.Columns, f.Join)
	for _, name := range []string{f.Column, f.ZoneColumn} {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

// isAbsent reports whether a cell has no value.
func (f *field) isAbsent(text string) bool {
	return text == "" || slices.Contains(f.Absent, text) ||
		slices.Contains(absentWords(), strings.ToLower(text))
}

// text is the field's value on a row; empty where it is absent. A part of several that is missing
// alone is noted in the row.
func (f *field) text(row *row) string {
	switch {
	case f == nil:
		return ""
	case f.Value != nil:
		return *f.Value
	case len(f.Join) > 0:
		return f.joined(row)
	}
	names := f.Columns
	if f.Column != "" {
		names = []string{f.Column}
	}
	for _, column := range names {
		if text := strings.TrimSpace(row.cell(column)); !f.isAbsent(text) {
			return text
		}
	}
	return ""
}

// joined is the text of several columns, as a date and a time, or the parts of an id.
func (f *field) joined(row *row) string {
	with := " "
	if f.With != nil {
		with = *f.With
	}
	var parts []string
	missing := ""
	for _, column := range f.Join {
		text := strings.TrimSpace(row.cell(column))
		if f.isAbsent(text) {
			missing = column
			continue
		}
		parts = append(parts, text)
	}
	if missing != "" && len(parts) > 0 {
		row.fail(fmt.Errorf("column %q is empty: it is a part of what is joined with %s; fill it, "+
			"or leave it out of join", missing, strings.Join(parts, with)))
		return ""
	}
	return strings.Join(parts, with)
}
