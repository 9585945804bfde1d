package engine_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chargestream/internal/engine"
)

// driven is a Driver of one partition that notes what is emitted.
type driven struct {
	*engine.Driver
	told []string
}

func drive(t *testing.T, partitions int32, p ...*engine.Processor) *driven {
	t.Helper()
	d, err := engine.NewDriver(partitions, p...)
	if err != nil {
		t.Fatal(err)
	}
	r := &driven{Driver: d}
	d.OnRecord = func(topic, key string, value []byte, headers []engine.Header) {
		r.told = append(r.told, fmt.Sprintf("%s %s %s @%d", topic, key, value,
			engine.ArrivalOf(headers, -1)))
	}
	return r
}

func (d *driven) click(t *testing.T, key string, arrival int64) {
	t.Helper()
	d.feed(t, engine.Message{Topic: "clicks", Partition: -1, Key: key, HasKey: true,
		Value: []byte("x"), Arrival: arrival})
}

func (d *driven) feed(t *testing.T, m engine.Message) {
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
	if diff := cmp.Diff(want, d.told); diff != "" {
		t.Errorf("emitted (-want +got):\n%s", diff)
	}
	d.told = nil
}

func TestWindowsCloseInOrderAndOnce(t *testing.T) {
	d := drive(t, 1, windowedCount())
	d.click(t, "b", 1_000)
	d.click(t, "b", 11_500) // the next window; the first is still in grace
	d.click(t, "a", 2_000)
	d.click(t, "a", 2_001)
	due := int64(windowSize + grace)
	d.tick(t, due+engine.FireDelay-1)
	d.expect(t)
	// Of rows that are due at the same time the smaller key goes first.
	d.tick(t, due+engine.FireDelay)
	d.expect(t, "closed a 0=2 @12000", "closed b 0=1 @12000")
	d.tick(t, due+engine.FireDelay)
	d.tick(t, due+engine.FireDelay+1)
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
	d.feed(t, engine.Message{Topic: "clicks", Partition: -1, Key: "a", HasKey: true,
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
	d.feed(t, engine.Message{Topic: "clicks", Partition: -1, Key: "old", HasKey: true,
		Value: []byte("clear"), Arrival: 1_001})
	d.tick(t, 100_001)
	d.expect(t)
}

// TestDueByItsOwnArrivalFiresAtOnce: a row whose record arrived after its due time is not put off.
func TestDueByItsOwnArrivalFiresAtOnce(t *testing.T) {
	p := windowedCount()
	fold := p.Fold
	p.Fold = func(ctx engine.Context, m *engine.Message) error {
		if string(m.Value) != "late" {
			return fold(ctx, m)
		}
		ctx.SetRow([]byte("0=7")) // a window that was over long before
		return nil
	}
	late := engine.Message{
		Topic:     "clicks",
		Partition: -1,
		Key:       "k",
		HasKey:    true,
		Value:     []byte("late"),
	}
	d := drive(t, 1, p)
	late.Arrival = windowSize + grace + engine.FireDelay
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
		return d.told, d.Rows("windows")
	}
	told, rows := run()
	if len(told) < 100 {
		t.Fatalf("only %d emissions: this input shows nothing", len(told))
	}
	total := 0
	for _, line := range told {
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
		if diff := cmp.Diff(told, again); diff != "" {
			t.Fatalf("emissions differ (-first +again):\n%s", diff)
		}
		if diff := cmp.Diff(rows, rowsAgain); diff != "" {
			t.Fatalf("rows differ (-first +again):\n%s", diff)
		}
	}
}

// TestMisplacedRecordIsLedHome: it is folded once, in its own partition, with the arrival time that
// it came with, and is counted.
func TestMisplacedRecordIsLedHome(t *testing.T) {
	var misplaced []string
	var folded []string
	p := &engine.Processor{Group: "g", Inputs: []string{"in"},
		Misplaced: func(m *engine.Message) { misplaced = append(misplaced, m.Key) },
		Fold: func(ctx engine.Context, m *engine.Message) error {
			tag, _ := m.Header("tag")
			folded = append(folded, fmt.Sprintf("%s %d @%d %s", ctx.Key(), m.Partition,
				ctx.Arrival(), tag))
			return nil
		}}
	d := drive(t, 4, p)
	key := "word"
	home := engine.PartitionOf(key, 4)
	wrong := (home + 1) % 4
	arrived := time.UnixMilli(5_500).UTC().Format(time.RFC3339Nano)
	d.feed(
		t,
		engine.Message{Topic: "in", Partition: wrong, Key: key, HasKey: true, Value: []byte("v"),
			Headers: []engine.Header{{Key: "tag", Value: []byte("T")},
				{
					Key:   engine.HeaderArrival,
					Value: []byte(arrived),
				}}, Arrival: 5_500, Timestamp: 9_000},
	)
	// One without the header gets it: its timestamp would be a new one otherwise.
	d.feed(t, engine.Message{Topic: "in", Partition: wrong, Key: key, HasKey: true, Arrival: 7_123})
	d.feed(t, engine.Message{Topic: "in", Partition: home, Key: key, HasKey: true, Arrival: 8_000})
	want := []string{fmt.Sprintf("word %d @5500 T", home), fmt.Sprintf("word %d @7123 ", home),
		fmt.Sprintf("word %d @8000 ", home)}
	if diff := cmp.Diff(want, folded); diff != "" {
		t.Errorf("folded (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{key, key}, misplaced); diff != "" {
		t.Errorf("misplaced (-want +got):\n%s", diff)
	}
	d.expect(t, "in word v @5500", "in word  @7123")
}

// TestDueAfterFireIsAnError: a Fire that leaves its row due would be fired for ever.
func TestDueAfterFireIsAnError(t *testing.T) {
	p := windowedCount()
	p.Fire = func(engine.Context, int64) error { return nil }
	d := drive(t, 1, p)
	d.click(t, "k", 1_000)
	if err := d.Tick(60_000); !errors.Is(err, engine.ErrDeclaration) {
		t.Errorf("error is %v, want ErrDeclaration", err)
	}
}

func TestDeclarations(t *testing.T) {
	fold := func(engine.Context, *engine.Message) error { return nil }
	for name, p := range map[string]*engine.Processor{
		"no group":  {Inputs: []string{"in"}, Fold: fold},
		"no inputs": {Group: "g", Fold: fold},
		"no fold":   {Group: "g", Inputs: []string{"in"}},
		"due alone": {Group: "g", Inputs: []string{"in"}, Fold: fold,
			Due: func(string, []byte) (int64, error) { return 0, nil }},
		"fire alone": {Group: "g", Inputs: []string{"in"}, Fold: fold,
			Fire: func(engine.Context, int64) error { return nil }},
		"sources of no lookup": {Group: "g", Inputs: []string{"in"}, Fold: fold,
			Sources: map[string][]string{"t-table": {"in"}}},
		"no sources": {Group: "g", Inputs: []string{"in"}, Fold: fold,
			Lookups: []string{"t-table"}, Sources: map[string][]string{"t-table": nil}},
	} {
		if _, err := engine.NewDriver(1, p); !errors.Is(err, engine.ErrDeclaration) {
			t.Errorf("%s: error is %v, want ErrDeclaration", name, err)
		}
	}
}

func TestArrivalOf(t *testing.T) {
	at := func(text string) engine.Header {
		return engine.Header{Key: engine.HeaderArrival, Value: []byte(text)}
	}
	for name, c := range map[string]struct {
		headers []engine.Header
		want    int64
	}{
		"none":       {nil, 42},
		"other":      {[]engine.Header{{Key: "x", Value: []byte("1970-01-01T00:00:01Z")}}, 42},
		"millis":     {[]engine.Header{at("1970-01-01T00:00:01.234Z")}, 1234},
		"zone":       {[]engine.Header{at("1970-01-01T01:00:01+01:00")}, 1000},
		"unreadable": {[]engine.Header{at("yesterday")}, 42},
		"last": {[]engine.Header{at("1970-01-01T00:00:01Z"), at("1970-01-01T00:00:02Z")},
			2000},
		"last readable": {[]engine.Header{at("1970-01-01T00:00:01Z"), at("soon")}, 1000},
	} {
		if got := engine.ArrivalOf(c.headers, 42); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
