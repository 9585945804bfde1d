package ingest

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"chargestream/codecs"
)

// ErrFile is wrapped by the error of a file that is no readable CSV as a whole.
var ErrFile = errors.New("file of sessions")

// The bounds of a file.
const (
	// RowBytesMax bounds one row; a quote that is never closed would swallow the file.
	RowBytesMax = 64 << 10
	// RowsMax bounds the rows: they are held in memory to be sorted, about 1 KiB each.
	RowsMax = 2_000_000
	// BadRowsKept bounds the bad rows that are told one by one; all are counted.
	BadRowsKept = 100
)

// BadRow is a row that gave no events.
type BadRow struct {
	Line   int    `json:"line"` // in the file, counted from one
	Reason string `json:"reason"`
}

// Sessions is what a file of sessions holds.
type Sessions struct {
	// Events are the records of charging-sessions in arrival order.
	Events []Record
	// Stations are the records of stations, by key; nil without a section stations in the map.
	Stations []Record
	Rows     int // rows that gave events
	Starts   int
	Ends     int
	// Summary is what the file holds as a whole.
	Summary Summary
	// Bad are the first BadRowsKept rows that could not be read, BadRows how many there were.
	Bad     []BadRow
	BadRows int
}

// ReadSessions reads a CSV file of sessions: UTF-8, with a header, one session a row. Rows that
// cannot be read are in the result and do not end the reading; whether they matter is for the
// caller to say. An error wraps ErrFile, or ErrMap where the map does not fit the header.
func ReadSessions(r io.Reader, m *Map) (*Sessions, error) {
	bounded := &boundedReader{from: skipMark(r), left: RowBytesMax}
	reader := csv.NewReader(bounded)
	reader.Comma = m.delimiter
	reader.ReuseRecord = true
	columns, err := readHeader(reader, m)
	if err != nil {
		return nil, err
	}
	result := &Sessions{}
	var events []ordered
	var open []*fact // what other rows decide
	registry, tally := newRegistry(m.stations), newTally()
	for {
		bounded.left = RowBytesMax
		cells, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var broken *csv.ParseError
		if errors.As(err, &broken) {
			result.addBad(broken.StartLine, errCSV(broken.Err, len(columns), len(cells)))
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w, after %d rows", ErrFile, err,
				result.Rows+result.BadRows)
		}
		if result.Rows+result.BadRows == RowsMax {
			return nil, fmt.Errorf("%w: more than %d rows, cut it in parts", ErrFile, RowsMax)
		}
		line, _ := reader.FieldPos(0)
		told, rowEvents, err := readRow(&row{columns: columns, cells: cells}, m, registry)
		if err != nil {
			result.addBad(line, err)
			continue
		}
		if told.line = line; len(told.choices) > 0 {
			open = append(open, told)
			continue
		}
		tally.add(told)
		result.add(rowEvents)
		events = append(events, rowEvents...)
	}
	for _, f := range open {
		f.decide(tally.connectors[f.place()])
		rowEvents, err := m.sessions.events(f)
		if err != nil {
			result.addBad(f.line, err)
			continue
		}
		tally.add(f)
		result.add(rowEvents)
		events = append(events, rowEvents...)
	}
	result.Events, result.Summary = inOrder(events), tally.summary()
	if result.Stations, err = registry.records(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	return result, nil
}

// readRow is what one row gives. The registry learns from it only if all of it can be read.
func readRow(r *row, m *Map, registry *registry) (*fact, []ordered, error) {
	if !r.valid() {
		return nil, nil, errors.New("the row is not UTF-8: a file in UTF-8 is taken; save it as " +
			"UTF-8")
	}
	told, err := m.sessions.fact(r, m.Latest)
	if err != nil {
		return nil, nil, err
	}
	events, err := m.sessions.events(told)
	if err != nil {
		return nil, nil, err
	}
	return told, events, errors.Join(registry.learn(r), r.err)
}

// errCSV words what the CSV reader found.
func errCSV(err error, header, cells int) error {
	if errors.Is(err, csv.ErrFieldCount) {
		return fmt.Errorf("wrong number of fields: %d cells are taken, as in the header, and the "+
			"row has %d; look for a delimiter within a cell, which needs quotes", header, cells)
	}
	return fmt.Errorf("%w: a quote within a cell is taken as \"\", in a cell in quotes; mend the "+
		"row", err)
}

func (s *Sessions) addBad(line int, reason error) {
	s.BadRows++
	if len(s.Bad) < BadRowsKept {
		s.Bad = append(s.Bad, BadRow{Line: line, Reason: strings.TrimPrefix(reason.Error(),
			codecs.ErrEvent.Error()+": ")})
	}
}

func (s *Sessions) add(events []ordered) {
	s.Rows++
	for _, e := range events {
		if e.end {
			s.Ends++
		} else {
			s.Starts++
		}
	}
}

// readHeader reads the names of the columns and holds the map against them.
func readHeader(reader *csv.Reader, m *Map) (map[string]int, error) {
	header, err := reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: it is empty, a header is needed", ErrFile)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: read header: %w", ErrFile, err)
	}
	columns, times := map[string]int{}, map[string]int{}
	for i, name := range header {
		if !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
			return nil, fmt.Errorf("%w: the header is not UTF-8", ErrFile)
		}
		name = strings.TrimSpace(name)
		columns[name] = i
		times[name]++
	}
	var missing []string
	for _, f := range m.fields() {
		for _, name := range f.columns() {
			if times[name] > 1 {
				return nil, fmt.Errorf("%w: %d columns have the name %q", ErrMap, times[name], name)
			}
			if _, ok := columns[name]; !ok && !slices.Contains(missing, name) {
				missing = append(missing, name)
			}
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%w: the header has no column %s; it has %s (parted by %q)", ErrMap,
			strings.Join(missing, ", "), clip(strings.Join(header, ", ")), string(m.delimiter))
	}
	return columns, nil
}

// headerBytesShown bounds what an error shows of a header.
const headerBytesShown = 400

func clip(text string) string {
	if len(text) <= headerBytesShown {
		return text
	}
	return strings.ToValidUTF8(text[:headerBytesShown], "") + " …"
}

// row is one line of the file.
type row struct {
	columns map[string]int
	cells   []string
	err     error // what is wrong with a field that is joined of several columns
}

func (r *row) fail(err error) { r.err = errors.Join(r.err, err) }

func (r *row) cell(column string) string { return r.cells[r.columns[column]] }

func (r *row) valid() bool {
	return !slices.ContainsFunc(r.cells, func(cell string) bool { return !utf8.ValidString(cell) })
}

// skipMark leaves out the byte order mark that spreadsheets write.
func skipMark(r io.Reader) io.Reader {
	const mark = "\ufeff"
	begin := make([]byte, len(mark))
	n, err := io.ReadFull(r, begin)
	if err == nil && string(begin) == mark {
		return r
	}
	rest := r
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		rest = errReader{err}
	}
	return io.MultiReader(bytes.NewReader(begin[:n]), rest)
}

// errReader gives an error that was met before it was asked for.
type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// boundedReader ends a row that is too long: whoever reads resets left with each row.
type boundedReader struct {
	from io.Reader
	left int
}

func (r *boundedReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, fmt.Errorf("a row is longer than %d bytes, is a quote left open?", RowBytesMax)
	}
	n, err := r.from.Read(p)
	r.left -= n
	return n, err
}
