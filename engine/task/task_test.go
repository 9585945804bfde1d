package task_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chargestream/engine/task"
)

// driven is a Driver of one partition that notes what is emitted.
type driven struct {
	*task.Driver
	emitted []string
}

func drive(t *testing.T, partitions int32, p ...*task.Processor) *driven {
	t.Helper()
	d, err := task.NewDriver(partitions, p...)
	if err != nil {
		t.Fatal(err)
	}
	r := &driven{Driver: d}
	d.OnRecord = func(topic, key string, value []byte, headers []task.Header) {
		r.emitted = append(r.emitted, fmt.Sprintf("%s %s %s @%d", topic, key, value,
			task.ArrivalOf(headers, -1)))
	}
	return r
}

func (d *driven) click(t *testing.T, key string, arrival int64) {
	t.Helper()
	d.feed(t, task.Message{Topic: "clicks", Partition: -1, Key: key, HasKey: true,
		Value: []byte("x"), Arrival: arrival})
}

func (d *driven) feed(t *testing.T, m task.Message) {
	t.Helper()
	if err := d.Feed(m); err != nil {
		t.Fatal(err)
	}
}

func (d *driven) tick(t *testing.T, now int64) {
	t.Helper()
	if err := d.Tick(now); err != nil {
		t.Fatal(err)
	}
}

// expect compares what was emitted since the last call.
func (d *driven) expect(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, d.emitted); diff != "" {
		t.Errorf("emitted (-want +got):\n%s", diff)
	}
	d.emitted = nil
}

func TestWindowsCloseInOrderAndOnce(t *testing.T) {
	d := drive(t, 1, windowedCount())
	d.click(t, "b", 1_000)
	d.click(t, "b", 11_500) // the next window; the first is still in grace
	d.click(t, "a", 2_000)
	d.click(t, "a", 2_001)
	due := int64(windowSize + grace)
	d.tick(t, due+task.FireDelay-1)
	d.expect(t)
	// Of rows that are due at the same time the smaller key goes first.
	d.tick(t, due+task.FireDelay)
	d.expect(t, "closed a 0=2 @12000", "closed b 0=1 @12000")
	d.tick(t, due+task.FireDelay)
	d.tick(t, due+task.FireDelay+1)
	d.expect(t)
	d.tick(t, 60_000)
	d.expect(t, "closed b 10000=1 @59000")
	d.tick(t, 120_000)
	d.expect(t)
	if rows := d.Rows("windows"); len(rows) != 0 {
		t.Errorf("rows of closed windows are left: %v", rows)
	}
}

// TestRowsFireInTheOrderInWhichTheyAreDue: one record moves stream time past several.
func TestRowsFireInTheOrderInWhichTheyAreDue(t *testing.T) {
	d := drive(t, 1, windowedCount())
	d.click(t, "a", 20_000)
	d.click(t, "z", 20_001)
	d.click(t, "m", 31_000)
	d.click(t, "far", 90_000)
	d.expect(t, "closed a 20000=1 @89000", "closed z 20000=1 @89000", "closed m 30000=1 @89000")
}

// TestDeletedRowDoesNotFire: a row that is gone takes its timer along.
func TestDeletedRowDoesNotFire(t *testing.T) {
	d := drive(t, 1, windowedCount())
	d.click(t, "a", 1_000)
	d.feed(t, task.Message{Topic: "clicks", Partition: -1, Key: "a", HasKey: true,
		Value: []byte("clear"), Arrival: 1_001})
	d.tick(t, 60_000)
	d.expect(t)
}

// TestOverdueIsPutOff: a record that arrived before the stream time, whose row is overdue by
// stream time but not by its own arrival, waits for the next clock record, and a record that
// comes before is still counted.
func TestOverdueIsPutOff(t *testing.T) {
	d := drive(t, 1, windowedCount())
	d.tick(t, 100_000)
	d.click(t, "old", 1_000)
	d.click(t, "old", 1_001)
	d.click(t, "new", 100_500) // moves stream time on, which is not enough
	d.expect(t)
	d.tick(t, 100_000) // any clock record does, even one that moves nothing
	d.expect(t, "closed old 0=2 @99500")
	d.tick(t, 100_000)
	d.tick(t, 100_600)
	d.expect(t)
}

// TestOverdueRowThatIsNoMoreDueIsNotFired: what put the row off may be undone by the next record.
func TestOverdueRowThatIsNoMoreDueIsNotFired(t *testing.T) {
	d := drive(t, 1, windowedCount())
	d.tick(t, 100_000)
	d.click(t, "old", 1_000)
	d.feed(t, task.Message{Topic: "clicks", Partition: -1, Key: "old", HasKey: true,
		Value: []byte("clear"), Arrival: 1_001})
	d.tick(t, 100_001)
	d.expect(t)
}

// TestDueByItsOwnArrivalFiresAtOnce: a row whose record arrived after its due time is not put off.
func TestDueByItsOwnArrivalFiresAtOnce(t *testing.T) {
	late := task.Message{
		Topic:     "clicks",
		Partition: -1,
		Key:       "k",
		HasKey:    true,
		Value:     []byte("late"),
	}
	d := drive(t, 1, windowedCount())
	late.Arrival = windowSize + grace + task.FireDelay
	d.feed(t, late)
	d.expect(t, "closed k 0=7 @12000")
	late.Arrival-- // one millisecond less: not by its own arrival
	d.feed(t, late)
	d.expect(t)
	d.tick(t, late.Arrival)
	d.expect(t, "closed k 0=7 @12000")
}

// TestSameRecordsSameEmissions runs one input twice and compares every emission and row.
func TestSameRecordsSameEmissions(t *testing.T) {
	run := func() ([]string, map[string][]byte) {
		d := drive(t, 3, windowedCount())
		at := int64(0)
		for n := range int64(3000) {
			at += n * 7919 % 400
			d.click(t, fmt.Sprintf("k%d", n*31%17), at-n*104729%9000)
			if n%50 == 0 {
				d.tick(t, at)
			}
		}
		d.tick(t, at+100_000)
		return d.emitted, d.Rows("windows")
	}
	emitted, rows := run()
	if len(emitted) < 100 {
		t.Fatalf("only %d emissions: this input shows nothing", len(emitted))
	}
	total := 0
	for _, line := range emitted {
		count := line[strings.LastIndex(line, "=")+1 : strings.LastIndex(line, " @")]
		n, err := strconv.Atoi(count)
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	if total != 3000 {
		t.Errorf("closed windows hold %d records, want 3000", total)
	}
	for range 3 {
		again, rowsAgain := run()
		if diff := cmp.Diff(emitted, again); diff != "" {
			t.Fatalf("emissions differ (-first +again):\n%s", diff)
		}
		if diff := cmp.Diff(rows, rowsAgain); diff != "" {
			t.Fatalf("rows differ (-first +again):\n%s", diff)
		}
	}
}

// plain is a table of text.
func plain(name string) *task.Table[string] {
	return &task.Table[string]{Name: name,
		Decode: func(_ string, row []byte) (*string, error) {
			text := string(row)
			return &text, nil
		},
		Append: func(buf []byte, row *string) []byte { return append(buf, *row...) }}
}

// TestMisplacedRecordIsSentToItsOwnPartition: it is folded once, there, with the arrival time that
// it came with, and is counted.
func TestMisplacedRecordIsSentToItsOwnPartition(t *testing.T) {
	var sent, folded []string
	p := &task.Processor{Group: "g", Inputs: []string{"in"}, Tables: []task.Declared{plain("g")},
		Repartitioned: func(m *task.Message) { sent = append(sent, m.Key) },
		Fold: func(ctx *task.Context, m *task.Message) error {
			tag, _ := m.Header("tag")
			if ctx.Partition() != m.Partition {
				t.Errorf("a record of partition %d is folded in %d", m.Partition, ctx.Partition())
			}
			folded = append(folded, fmt.Sprintf("%s %d @%d %s", m.Key, m.Partition,
				ctx.Arrival(), tag))
			return nil
		}}
	d := drive(t, 4, p)
	key := "word"
	home := task.PartitionOf(key, 4)
	wrong := (home + 1) % 4
	arrived := time.UnixMilli(5_500).UTC().Format(time.RFC3339Nano)
	headers := []task.Header{{Key: "tag", Value: []byte("T")},
		{Key: task.HeaderArrival, Value: []byte(arrived)}}
	d.feed(t, task.Message{Topic: "in", Partition: wrong, Key: key, HasKey: true,
		Value: []byte("v"), Headers: headers, Arrival: 5_500, Timestamp: 9_000})
	// One without the header gets it: its timestamp would be a new one otherwise.
	d.feed(t, task.Message{Topic: "in", Partition: wrong, Key: key, HasKey: true, Arrival: 7_123})
	d.feed(t, task.Message{Topic: "in", Partition: home, Key: key, HasKey: true, Arrival: 8_000})
	want := []string{fmt.Sprintf("word %d @5500 T", home), fmt.Sprintf("word %d @7123 ", home),
		fmt.Sprintf("word %d @8000 ", home)}
	if diff := cmp.Diff(want, folded); diff != "" {
		t.Errorf("folded (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{key, key}, sent); diff != "" {
		t.Errorf("sent to another partition (-want +got):\n%s", diff)
	}
	d.expect(t, "in word v @5500", "in word  @7123")
}

// TestRecordTooLargeToBeSentOn is folded where it lies: the producer might not be able to send it.
func TestRecordTooLargeToBeSentOn(t *testing.T) {
	var folded []int
	p := &task.Processor{Group: "g", Inputs: []string{"in"}, Tables: []task.Declared{plain("g")},
		Repartitioned: func(m *task.Message) {
			t.Errorf("a record of %d bytes is sent on", len(m.Value))
		},
		Fold: func(_ *task.Context, m *task.Message) error {
			folded = append(folded, len(m.Value))
			return nil
		}}
	d := drive(t, 4, p)
	const large = 512 << 10
	d.feed(t, task.Message{Topic: "in", Partition: (task.PartitionOf("k", 4) + 1) % 4, Key: "k",
		HasKey: true, Value: make([]byte, large)})
	if diff := cmp.Diff([]int{large}, folded); diff != "" {
		t.Errorf("folded (-want +got):\n%s", diff)
	}
	d.expect(t)
}

// TestDueAfterFireIsAnError: a Fire that leaves its row due would be fired for ever.
func TestDueAfterFireIsAnError(t *testing.T) {
	table := windowsTable()
	p := windowedCountOf(table)
	table.Fire = func(*task.Context, string, *windows, int64) error { return nil }
	d := drive(t, 1, p)
	d.click(t, "k", 1_000)
	if err := d.Tick(60_000); !errors.Is(err, task.ErrDeclaration) {
		t.Errorf("error is %v, want ErrDeclaration", err)
	}
}

func TestDeclarations(t *testing.T) {
	fold := func(*task.Context, *task.Message) error { return nil }
	in, g := []string{"in"}, func() []task.Declared { return []task.Declared{plain("g")} }
	with := func(change func(*task.Table[string])) []task.Declared {
		table := plain("g")
		change(table)
		return []task.Declared{table}
	}
	twice := plain("g")
	for name, p := range map[string]*task.Processor{
		"no group":  {Inputs: in, Fold: fold, Tables: []task.Declared{plain("")}},
		"no inputs": {Group: "g", Fold: fold, Tables: g()},
		"no fold":   {Group: "g", Inputs: in, Tables: g()},
		"no tables": {Group: "g", Inputs: in, Fold: fold},
		"first table of another name": {Group: "g", Inputs: in, Fold: fold,
			Tables: []task.Declared{plain("h"), plain("g")}},
		"table without a name": {Group: "g", Inputs: in, Fold: fold,
			Tables: append(g(), plain(""))},
		"table twice": {Group: "g", Inputs: in, Fold: fold, Tables: []task.Declared{twice, twice}},
		"two tables of one name": {Group: "g", Inputs: in, Fold: fold,
			Tables: append(g(), plain("g"))},
		"no decode": {Group: "g", Inputs: in, Fold: fold,
			Tables: with(func(t *task.Table[string]) { t.Decode = nil })},
		"no append": {Group: "g", Inputs: in, Fold: fold,
			Tables: with(func(t *task.Table[string]) { t.Append = nil })},
		"due alone": {Group: "g", Inputs: in, Fold: fold, Tables: with(func(t *task.Table[string]) {
			t.Due = func(string, *string) int64 { return 0 }
		})},
		"fire alone": {Group: "g", Inputs: in, Fold: fold,
			Tables: with(func(t *task.Table[string]) {
				t.Fire = func(*task.Context, string, *string, int64) error { return nil }
			})},
		"sources of no lookup": {Group: "g", Inputs: in, Fold: fold, Tables: g(),
			Sources: map[string][]string{"t-table": {"in"}}},
		"no sources": {Group: "g", Inputs: in, Fold: fold, Tables: g(),
			Lookups: []string{"t-table"}, Sources: map[string][]string{"t-table": nil}},
	} {
		if _, err := task.NewDriver(1, p); !errors.Is(err, task.ErrDeclaration) {
			t.Errorf("%s: error is %v, want ErrDeclaration", name, err)
		}
	}
	p := &task.Processor{Group: "g", Inputs: in, Fold: fold, Tables: append(g(), plain("h"))}
	for range 2 { // it may be checked again
		if err := p.Check(); err != nil {
			t.Errorf("a good declaration is rejected: %v", err)
		}
	}
}

// TestNamesOfADeclaration are those of the topics.
func TestNamesOfADeclaration(t *testing.T) {
	p := &task.Processor{Group: "g", Inputs: []string{"in", "other"},
		Tables:  []task.Declared{plain("g"), plain("h")},
		Outputs: []task.Output{{Topic: "out"}, {Topic: "state", Newest: true}}}
	for want, got := range map[string][]string{"g-table h-table": p.TableTopics(),
		"in other": p.Topics(), "out state": p.OutputTopics(), "g-table": {p.Table()}} {
		if got := strings.Join(got, " "); got != want {
			t.Errorf("topics are %q, want %q", got, want)
		}
	}
	p.Clock = "clock"
	if got := strings.Join(p.Topics(), " "); got != "in other clock" || len(p.Inputs) != 2 {
		t.Errorf("with a clock they are %q", got)
	}
}

func TestArrivalOf(t *testing.T) {
	at := func(text string) task.Header {
		return task.Header{Key: task.HeaderArrival, Value: []byte(text)}
	}
	for name, c := range map[string]struct {
		headers []task.Header
		want    int64
	}{
		"none":       {nil, 42},
		"other":      {[]task.Header{{Key: "x", Value: []byte("1970-01-01T00:00:01Z")}}, 42},
		"millis":     {[]task.Header{at("1970-01-01T00:00:01.234Z")}, 1234},
		"zone":       {[]task.Header{at("1970-01-01T01:00:01+01:00")}, 1000},
		"unreadable": {[]task.Header{at("yesterday")}, 42},
		"last": {[]task.Header{at("1970-01-01T00:00:01Z"), at("1970-01-01T00:00:02Z")},
			2000},
		"last readable": {[]task.Header{at("1970-01-01T00:00:01Z"), at("soon")}, 1000},
	} {
		if got := task.ArrivalOf(c.headers, 42); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// TestRecordWithoutKeyIsLedHome: it is folded where the key that its value names belongs, and what
// names none stays where it lies.
func TestRecordWithoutKeyIsLedHome(t *testing.T) {
	var folded []string
	p := &task.Processor{Group: "g", Inputs: []string{"in"}, Tables: []task.Declared{plain("g")},
		Address: func(m *task.Message) {
			if len(m.Value) > 0 {
				m.Key, m.HasKey = string(m.Value), true
			}
		},
		Fold: func(ctx *task.Context, m *task.Message) error {
			folded = append(folded, fmt.Sprintf("%q %d @%d", m.Key, ctx.Partition(), ctx.Arrival()))
			return nil
		}}
	d := drive(t, 4, p)
	home := task.PartitionOf("word", 4)
	away := (home + 1) % 4
	d.feed(t, task.Message{Topic: "in", Partition: away, Value: []byte("word"), Arrival: 5})
	d.feed(t, task.Message{Topic: "in", Partition: home, Value: []byte("word"), Arrival: 6})
	d.feed(t, task.Message{Topic: "in", Partition: away, HasKey: true, Value: []byte("word"),
		Arrival: 7})
	d.feed(t, task.Message{Topic: "in", Partition: away, Arrival: 8})
	want := []string{fmt.Sprintf(`"word" %d @5`, home), fmt.Sprintf(`"word" %d @6`, home),
		fmt.Sprintf(`"word" %d @7`, home), fmt.Sprintf(`"" %d @8`, away)}
	if diff := cmp.Diff(want, folded); diff != "" {
		t.Errorf("folded (-want +got):\n%s", diff)
	}
	d.expect(t, "in word word @5", "in word word @7")
}
