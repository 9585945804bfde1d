package ingest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream/ingest"
)

// plain is a map of a small file.
const plain = `
sessions:
  session_id:   {column: id}
  station_id:   {column: station}
  connector_id: {columns: [plug, point]}
  user_id:      {column: user}
  start_time:   {column: start, format: rfc3339}
  end_time:     {column: end, format: rfc3339, absent: ["-"]}
  energy_kwh:   {column: kwh}
  end_reason:   {column: why}
  arrival_time: {column: stored, format: epoch_s}
stations:
  station_id:     {column: station}
  name:           {value: Main Street}
  connector_type: {column: type}
  tariff_id:      {value: day}
`

const header = "id,station,plug,point,user,start,end,kwh,why,stored,type\n"

// parse reads a map that is right.
func parse(t *testing.T, text string) *ingest.Map {
	t.Helper()
	m, err := ingest.ParseMap([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// read reads a file that is readable as a whole.
func read(t *testing.T, m *ingest.Map, file string) *ingest.Sessions {
	t.Helper()
	got, err := ingest.ReadSessions(strings.NewReader(file), m)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// tell writes records as lines.
func tell(records []ingest.Record) []string {
	lines := make([]string, len(records))
	for i, r := range records {
		lines[i] = fmt.Sprintf("%s %s %s %s", r.Topic, r.Key, r.Arrival, r.Value)
	}
	return lines
}

func TestReadSessions(t *testing.T) {
	got := read(t, parse(t, plain), "\ufeff"+header+
		// The end comes after the row was stored, the second row was stored in between.
		"a,S1,,P9, u1 ,2024-01-01T10:00:00+01:00,2024-01-01T10:00:00Z,12.3456,EV,1704099600,CCS\n"+
		"b,S2,1,P1,u2,2024-01-01T09:30:00Z,-,7,,1704101400,T2\n"+
		"c,S1,1,P1,u3,2024-01-01T09:59:00Z,2024-01-01T09:59:30Z,,,1704103200,T2\n")
	want := []string{
		`charging-sessions S1 2024-01-01T09:00:00Z {"event":"session_start","station_id":"S1",` +
			`"connector_id":"P9","session_id":"a","user_id":"u1",` +
			`"start_time":"2024-01-01T09:00:00Z"}`,
		`charging-sessions S2 2024-01-01T09:30:00Z {"event":"session_start","station_id":"S2",` +
			`"connector_id":"1","session_id":"b","user_id":"u2",` +
			`"start_time":"2024-01-01T09:30:00Z"}`,
		`charging-sessions S1 2024-01-01T10:00:00Z {"event":"session_start","station_id":"S1",` +
			`"connector_id":"1","session_id":"c","user_id":"u3",` +
			`"start_time":"2024-01-01T09:59:00Z"}`,
		`charging-sessions S1 2024-01-01T10:00:00Z {"event":"session_end","station_id":"S1",` +
			`"connector_id":"P9","session_id":"a","user_id":"u1",` +
			`"end_time":"2024-01-01T10:00:00Z",` +
			`"reason":"EV","energy_kwh":12.346}`,
		`charging-sessions S1 2024-01-01T10:00:00Z {"event":"session_end","station_id":"S1",` +
			`"connector_id":"1","session_id":"c","user_id":"u3","end_time":"2024-01-01T09:59:30Z"}`,
	}
	if diff := cmp.Diff(want, tell(got.Events)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	want = []string{
		`stations S1  {"station_id":"S1","name":"Main Street","tariff_id":"day","connectors":` +
			`[{"connector_id":"1","type":"T2"},{"connector_id":"P9","type":"CCS"}]}`,
		`stations S2  {"station_id":"S2","name":"Main Street","tariff_id":"day","connectors":` +
			`[{"connector_id":"1","type":"T2"}]}`,
	}
	if diff := cmp.Diff(want, tell(got.Stations)); diff != "" {
		t.Errorf("stations (-want +got):\n%s", diff)
	}
	if got.Rows != 3 || got.Starts != 3 || got.Ends != 2 || got.BadRows != 0 {
		t.Errorf("%d rows, %d starts, %d ends, %d bad", got.Rows, got.Starts, got.Ends, got.BadRows)
	}
}

func TestEndArrivesWithItsRow(t *testing.T) {
	m := parse(t, strings.Replace(plain, "sessions:", "sessions:\n  end_arrival: arrival", 1))
	got := read(t, m, header+
		"a,S1,1,,u1,2024-01-01T09:00:00Z,2024-01-01T10:00:00Z,1,,1704099600,T2\n")
	if len(got.Events) != 2 || got.Events[1].Arrival != 1704099600000 {
		t.Errorf("events %v", tell(got.Events))
	}
}

func TestArrivesWhenItHappened(t *testing.T) {
	m := parse(t, strings.Replace(plain,
		"  arrival_time: {column: stored, format: epoch_s}\n", "", 1))
	got := read(t, m, header+
		"a,S1,1,,u1,2024-01-01T09:00:00Z,2024-01-01T10:00:00Z,1,,,T2\n")
	for i, want := range []string{"2024-01-01T09:00:00Z", "2024-01-01T10:00:00Z"} {
		if arrival := got.Events[i].Arrival.String(); arrival != want {
			t.Errorf("event %d arrived %s, want %s", i, arrival, want)
		}
	}
}

func TestBadRows(t *testing.T) {
	const good = "a,S1,1,,u1,2024-01-01T09:00:00Z,2024-01-01T10:00:00Z,1,,1704099600,T2\n"
	for name, tc := range map[string]struct{ row, reason string }{
		"no session": {",S1,1,,u1,2024-01-01T09:00:00Z,,1,,1704099600,T2", "session_id"},
		"no station": {"a,,1,,u1,2024-01-01T09:00:00Z,,1,,1704099600,T2", "station_id"},
		"user":       {"a,S1,1,,u\x01,2024-01-01T09:00:00Z,,1,,1704099600,T2", "user_id"},
		"no start":   {"a,S1,1,,u1,,,1,,1704099600,T2", "start_time is missing"},
		"start no time": {"a,S1,1,,u1,yesterday,,1,,1704099600,T2",
			`start_time: "yesterday" is no such time`},
		"end no time": {"a,S1,1,,u1,2024-01-01T09:00:00Z,x,1,,1704099600,T2",
			`end_time: "x" is no such time`},
		"arrival": {"a,S1,1,,u1,2024-01-01T09:00:00Z,,1,,soon,T2",
			"is not a decimal number: epoch_s is taken"},
		"energy": {"a,S1,1,,u1,2024-01-01T09:00:00Z,,1e99,,1704099600,T2",
			`energy_kwh: "1e99" is not a decimal`},
		"slash":      {"a,S1,1/2,,u1,2024-01-01T09:00:00Z,,1,,1704099600,T2", "connector_id"},
		"too few":    {"a,S1,1", "wrong number of fields"},
		"too many":   {strings.TrimSpace(good) + ",", "wrong number of fields"},
		"bare quote": {`a,S1,1,,u"1,2024-01-01T09:00:00Z,,1,,1704099600,T2`, `bare "`},
		"not UTF-8":  {"a,S1,1,,u\xff,2024-01-01T09:00:00Z,,1,,1704099600,T2", "not UTF-8"},
		"identifier": {"a,S1,1,,u\x01,2024-01-01T09:00:00Z,,1,,1704099600,T2", "user_id"},
		"time too large": {"a,S1,1,,u,2024-01-01T09:00:00Z,,1,,999999999999,T2",
			"between 1970 and"},
	} {
		t.Run(name, func(t *testing.T) {
			got := read(t, parse(t, plain), header+good+tc.row+"\n"+good)
			if got.Rows != 2 || got.BadRows != 1 || len(got.Bad) != 1 || len(got.Events) != 4 {
				t.Fatalf("%d rows, %d bad: %v", got.Rows, got.BadRows, got.Bad)
			}
			if bad := got.Bad[0]; bad.Line != 3 || !strings.Contains(bad.Reason, tc.reason) {
				t.Errorf("%+v, want line 3 and %q", bad, tc.reason)
			}
			if len(got.Stations) != 1 {
				t.Errorf("%d stations, want 1", len(got.Stations))
			}
		})
	}
}

func TestBadRowsAreCountedBeyondWhatIsKept(t *testing.T) {
	got := read(t, parse(t, plain), header+strings.Repeat("x\n", ingest.BadRowsKept+7))
	if got.BadRows != ingest.BadRowsKept+7 || len(got.Bad) != ingest.BadRowsKept {
		t.Errorf("%d counted, %d kept", got.BadRows, len(got.Bad))
	}
}

func TestUnreadableFiles(t *testing.T) {
	const row = "a,S1,1,,u1,2024-01-01T09:00:00Z,,1,,1704099600,T2\n"
	for name, tc := range map[string]struct {
		file, message string
		kind          error
	}{
		"empty":       {"", "a header is needed", ingest.ErrFile},
		"no header":   {row, "has no column id, station, plug", ingest.ErrMap},
		"semicolons":  {strings.ReplaceAll(header, ",", ";"), `parted by ","`, ingest.ErrMap},
		"twice":       {"id," + header, `2 columns have the name "id"`, ingest.ErrMap},
		"UTF-16":      {"\xff\xfei\x00d\x00,\x00", "the header is not UTF-8", ingest.ErrFile},
		"long header": {strings.Repeat("x", 2*ingest.RowBytesMax), "longer than", ingest.ErrFile},
		"long row": {header + strings.Repeat("x", 2*ingest.RowBytesMax), "longer than",
			ingest.ErrFile},
		"quote unclosed": {header + row + `"` + strings.Repeat(row, 2*ingest.RowBytesMax/len(row)),
			"is a quote left open", ingest.ErrFile},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ingest.ReadSessions(strings.NewReader(tc.file), parse(t, plain))
			if !errors.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.message) {
				t.Errorf("%v, %v, want %q", got, err, tc.message)
			}
		})
	}
}

func TestLongestRow(t *testing.T) {
	rest := "a,S1,1,,u1,2024-01-01T09:00:00Z,,1,,1704099600,T2"
	row := rest + strings.Repeat(" ", ingest.RowBytesMax-len(rest)-1) + "\n"
	if got := read(t, parse(t, plain), header+row+row); got.Rows != 2 {
		t.Errorf("%d rows, want 2: %v", got.Rows, got.Bad)
	}
}

type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }

func TestReadErrorIsNoEnd(t *testing.T) {
	broken := errors.New("disk")
	_, err := ingest.ReadSessions(brokenReader{broken}, parse(t, plain))
	if !errors.Is(err, broken) || !errors.Is(err, ingest.ErrFile) {
		t.Errorf("error %v, want %v", err, broken)
	}
}
