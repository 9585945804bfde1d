package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chargestream"
	"chargestream/engine"
	"chargestream/ingest"
	"chargestream/internal/e2e"
	"chargestream/internal/oracle"
	"chargestream/processors"
	"chargestream/topics"
)

const root = "../.."

// parisFile is the real input: it lies beside the project and is read there.
func parisFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(root, "../shared/data/belib-paris-2017/sessions_joined_arrival_order.csv")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		t.Skipf(
			"the charging sessions of Paris are not there (%s): nothing is checked against them",
			path,
		)
	}
	t.Logf("read the charging sessions of Paris at %s", path)
	return path
}

// parisRecords are the records that an import of the file produces: reference data, then events.
func parisRecords(t *testing.T) (reference, events []ingest.Record) {
	t.Helper()
	return parisRecordsBy(t, "belib", "examples/belib-paris-2017-tariffs.json")
}

// parisRecordsBy are parisRecords with another tariff at every station.
func parisRecordsBy(t *testing.T, id, file string) (reference, events []ingest.Record) {
	t.Helper()
	read := func(name string) []byte {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	columns := read(filepath.Join(root, "examples/belib-paris-2017.yaml"))
	m, err := ingest.ParseMap(bytes.ReplaceAll(columns, []byte("{value: belib}"),
		[]byte("{value: "+id+"}")))
	if err != nil {
		t.Fatal(err)
	}
	tariffs, err := ingest.ReadTariffs(read(filepath.Join(root, file)))
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := ingest.ReadSessions(bytes.NewReader(read(parisFile(t))), m)
	if err != nil {
		t.Fatal(err)
	}
	reference = append(tariffs, sessions.Stations...)
	return ingest.Backdate(reference, sessions.Events), sessions.Events
}

func parisRows(t *testing.T) []oracle.Row {
	t.Helper()
	rows, err := oracle.Read(parisFile(t))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func parisExpected(t *testing.T) *oracle.Expected {
	t.Helper()
	rows := parisRows(t)
	tariff, err := oracle.NewTariff("EUR", "0.45", "1.20", "20")
	if err != nil {
		t.Fatal(err)
	}
	return oracle.Expect(rows, tariff)
}

// world is what a run in memory leaves: the tables, and every record of the derived topics.
type world struct {
	driver  *engine.Driver
	derived map[string]map[string][]byte
	counts  map[string]int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	d, err := engine.NewDriver(4, processors.All(nil)...)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{driver: d, derived: map[string]map[string][]byte{}, counts: map[string]int{}}
	d.OnRecord = func(topic, key string, value []byte, _ []engine.Header) {
		if w.derived[topic] == nil {
			w.derived[topic] = map[string][]byte{}
		}
		w.derived[topic][key] = value
		w.counts[topic]++
	}
	return w
}

func (w *world) feed(t *testing.T, records []ingest.Record) {
	t.Helper()
	for _, r := range records {
		err := w.driver.Feed(engine.Message{Topic: r.Topic, Partition: -1, Key: r.Key, HasKey: true,
			Value: r.Value, Arrival: int64(r.Arrival), Timestamp: int64(r.Arrival)})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) tick(t *testing.T) {
	t.Helper()
	if err := w.driver.Tick(int64(parisOver)); err != nil {
		t.Fatal(err)
	}
}

// parisOver is a moment at which everything in the file is long over.
var parisOver = chargestream.MillisOf(time.Date(2017, 8, 1, 0, 0, 0, 0, time.UTC))

func (w *world) outcome() *e2e.Outcome {
	return &e2e.Outcome{Sessions: w.driver.Rows(topics.TableSessions),
		Invoices: w.derived[topics.Invoices], Utilization: w.derived[topics.Utilization],
		Anomalies: w.derived[topics.Anomalies]}
}

func checkOutcome(t *testing.T, want *oracle.Expected, o *e2e.Outcome) {
	t.Helper()
	got, err := o.Plain()
	if err != nil {
		t.Fatal(err)
	}
	if diff := want.Diff(got); len(diff) > 0 {
		t.Errorf("not what the oracle expects:\n%s", strings.Join(diff, "\n"))
	}
}

func TestParisInMemory(t *testing.T) {
	t.Parallel()
	reference, events := parisRecords(t)
	want := parisExpected(t)
	w := newWorld(t)
	w.feed(t, reference)
	w.feed(t, events)
	w.tick(t)
	checkOutcome(t, want, w.outcome())
	if n := w.counts[topics.DeadLetters]; n != 0 {
		t.Errorf("%d dead letters", n)
	}
	t.Logf(
		"%d sessions, %d invoice records, %d windows",
		len(want.Sessions),
		w.counts[topics.Invoices],
		len(want.Windows),
	)
}

// TestParisTimeOfUse bills every session of the file by a tariff with a fee, energy that is dearer
// on weekdays by day and time that costs by day, on the clock of Paris.
func TestParisTimeOfUse(t *testing.T) {
	t.Parallel()
	reference, events := parisRecordsBy(t, "time-of-use",
		"internal/oracle/testdata/time-of-use.json")
	want := oracle.ExpectTimeOfUse(parisRows(t))
	w := newWorld(t)
	w.feed(t, reference)
	w.feed(t, events)
	w.tick(t)
	checkOutcome(t, want, w.outcome())
	lines := map[string]int{}
	for _, v := range want.Invoices {
		for _, l := range v.Lines {
			lines[l.Dimension+" at "+l.UnitPrice]++
		}
	}
	t.Logf("%d sessions, lines %v", len(want.Invoices), lines)
}

// TestParisInAnyOrder feeds the file shuffled, doubled and in two runs, of which the second starts
// when time has already moved on: the tables are the same to the byte, and so is what is
// derived of them.
func TestParisInAnyOrder(t *testing.T) {
	t.Parallel()
	reference, events := parisRecords(t)
	want := parisExpected(t)
	straight := newWorld(t)
	straight.feed(t, reference)
	straight.feed(t, events)
	straight.tick(t)
	for name, run := range map[string]func(w *world){
		"in two runs": func(w *world) {
			w.feed(t, ingest.Cut(events, 0, len(events)/2))
			w.tick(t)
			w.feed(t, ingest.Cut(events, len(events)/2, 0))
		},
		"shuffled and doubled": func(w *world) {
			w.feed(t, ingest.Shuffle(ingest.Duplicate(events), 8))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.feed(t, reference)
			run(w)
			w.tick(t)
			for _, name := range tableNames() {
				diff := diffRows(name, straight.driver.Rows(name), w.driver.Rows(name))
				if diff != "" {
					t.Errorf("table %s: %s", name, diff)
				}
			}
			checkOutcome(t, want, w.outcome())
		})
	}
}

// diffRows compares the facts of a table's rows.
func diffRows(table string, want, got map[string][]byte) string {
	if len(want) != len(got) {
		return fmt.Sprintf("%d rows, want %d", len(got), len(want))
	}
	for key, row := range want {
		if got[key] == nil {
			return fmt.Sprintf("%q is lost", key)
		}
		a, err := e2e.Facts(table, row)
		if err != nil {
			return err.Error()
		}
		b, err := e2e.Facts(table, got[key])
		if err != nil {
			return err.Error()
		}
		if !bytes.Equal(a, b) {
			return fmt.Sprintf("%q:\n got %x\nwant %x", key, got[key], row)
		}
	}
	return ""
}
