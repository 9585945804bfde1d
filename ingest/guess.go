package ingest

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"chargestream"
)

// The bounds of a guess.
const (
	// GuessBytesMax is how much of a file is looked at.
	GuessBytesMax = 4 << 20
	// guessRows is how many rows decide.
	guessRows = 5000
)

// sample is the first rows of a file, by column.
type sample struct {
	delimiter rune
	columns   []*column
	rows      int
	text      []byte // what was looked at: whole rows
}

// column is one column of a sample.
type column struct {
	name  string
	words []string // of the name, in small letters
	cells []string // of each row; empty where absent
	used  bool
}

// Guess proposes a map for a file that nobody wrote one for: by the names of its columns and by
// what is in them. It is YAML with comments, to be looked at and edited. The error wraps ErrFile.
func Guess(r io.Reader) (string, error) {
	s, err := readSample(r)
	if err != nil {
		return "", err
	}
	g := &guess{sample: s}
	g.find()
	text := g.write()
	return g.judge(text) + text, nil
}

// readSample reads the begin of a file.
func readSample(r io.Reader) (*sample, error) {
	text, err := io.ReadAll(io.LimitReader(skipMark(r), GuessBytesMax))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	if len(text) == GuessBytesMax {
		text = text[:bytes.LastIndexByte(text, '\n')+1]
	}
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("%w: it is not UTF-8: a CSV file in UTF-8 is taken; save it as "+
			"UTF-8", ErrFile)
	}
	var best *sample
	for _, delimiter := range []rune{',', ';', '\t', '|'} {
		s := parseSample(text, delimiter)
		if s != nil && (best == nil || len(s.columns) > len(best.columns)) {
			best = s
		}
	}
	if best != nil && len(best.columns) > 1 && best.rows == 0 {
		return nil, fmt.Errorf("%w: it has a header and no row: some rows are needed to see what "+
			"is in the columns; look whether the export is complete", ErrFile)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, fmt.Errorf("%w: it is empty: a CSV file with a header is taken; look whether "+
			"the export is complete", ErrFile)
	}
	if best == nil || len(best.columns) < 2 {
		return nil, fmt.Errorf("%w: no delimiter (comma, semicolon, tab, bar) makes rows of "+
			"several columns of it: a CSV file with a header is taken; look at its first lines",
			ErrFile)
	}
	return best, nil
}

// parseSample reads rows with a delimiter; nil where most of them have not as many cells as the
// header.
func parseSample(text []byte, delimiter rune) *sample {
	reader := csv.NewReader(bytes.NewReader(text))
	reader.Comma = delimiter
	header, err := reader.Read()
	if err != nil {
		return nil
	}
	s := &sample{delimiter: delimiter, text: text}
	for _, name := range header {
		s.columns = append(s.columns, &column{name: strings.TrimSpace(name), words: words(name)})
	}
	bad := 0
	f := &field{}
	for s.rows < guessRows {
		cells, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			bad++
			continue
		}
		s.rows++
		for i, cell := range cells {
			cell = strings.TrimSpace(cell)
			if f.isAbsent(cell) {
				cell = ""
			}
			s.columns[i].cells = append(s.columns[i].cells, cell)
		}
	}
	if bad > s.rows {
		return nil
	}
	return s
}

// words are those of a name: BeginDate and begin_date are begin and date.
func words(name string) []string {
	var list []string
	var word []rune
	end := func() {
		if len(word) > 0 {
			list = append(list, strings.ToLower(string(word)))
		}
		word = word[:0]
	}
	runes := []rune(name)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			end()
			continue
		case unicode.IsUpper(r) && i > 0 && unicode.IsLower(runes[i-1]):
			end()
		}
		word = append(word, r)
	}
	end()
	return list
}

// has reports whether the name has one of the words.
func (c *column) has(words ...string) bool {
	return slices.ContainsFunc(c.words, func(w string) bool { return slices.Contains(words, w) })
}

// share is the share of the cells that are there for which something holds, in percent; 0 where
// none is there.
func (c *column) share(holds func(cell string) bool) int {
	n, all := 0, 0
	for _, cell := range c.cells {
		if cell == "" {
			continue
		}
		all++
		if holds(cell) {
			n++
		}
	}
	if all == 0 {
		return 0
	}
	return 100 * n / all
}

// distinct is how many different values there are, and of how many cells.
func (c *column) distinct() (different, all int) {
	seen := map[string]bool{}
	for _, cell := range c.cells {
		if cell != "" {
			all++
			seen[cell] = true
		}
	}
	return len(seen), all
}

// numeric reports whether nearly all cells are numbers, with or without a unit of energy.
func (c *column) numeric() bool {
	return c.share(func(cell string) bool { _, ok := wattHoursOf(cell); return ok }) >= 95
}

// wattHoursOf is a number in thousandths, its unit aside.
func wattHoursOf(cell string) (int64, bool) {
	f := &field{Value: &cell, digits: 3, marks: marks{decimal: decimalOf(cell)}}
	n, err := f.energy("", nil)
	if err != nil || n == nil {
		return 0, false
	}
	return int64(*n), true
}

// decimalOf is the likely decimal mark of a number.
func decimalOf(cell string) string {
	if mark := (marks{}).guessDecimal(cell); mark != "" {
		return mark
	}
	return ","
}

// best is the column that no other role has with the most points, of equals the first; nil where
// none has any.
func (s *sample) best(points func(c *column) int) *column {
	var found *column
	most := 0
	for _, c := range s.columns {
		if n := points(c); !c.used && n > most {
			found, most = c, n
		}
	}
	if found != nil {
		found.used = true
	}
	return found
}

// judge reads what was looked at with the map, and says as comments how that went.
func (g *guess) judge(text string) string {
	var b strings.Builder
	b.WriteString("# A guess by the first " + fmt.Sprint(g.rows) + " rows. Look at each line, " +
		"then run import --dry-run.\n")
	m, err := ParseMap([]byte(text))
	if err != nil {
		b.WriteString("# It is not complete yet: " + strings.ReplaceAll(err.Error(), "\n",
			"\n#   ") + "\n")
		return b.String()
	}
	got, err := ReadSessions(bytes.NewReader(g.text), m)
	if err != nil {
		b.WriteString("# It does not fit: " + err.Error() + "\n")
		return b.String()
	}
	s := got.Summary
	fmt.Fprintf(&b, "# %d of %d rows can be read: %s to %s, %d Wh, %d stations, %d users.\n",
		got.Rows, got.Rows+got.BadRows, day(s.From), day(s.To), s.EnergyWh, s.Stations, s.Users)
	for _, bad := range got.Bad[:min(len(got.Bad), 3)] {
		fmt.Fprintf(&b, "# line %d: %s\n", bad.Line, strings.ReplaceAll(bad.Reason, "\n", " "))
	}
	for _, warning := range s.Warnings {
		b.WriteString("# warning: " + warning + "\n")
	}
	return b.String()
}

func day(m chargestream.Millis) string {
	text := m.String()
	return text[:min(len(text), len("2006-01-02"))]
}
