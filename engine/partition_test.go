package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/syndtr/goleveldb/leveldb"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine/order"
	"chargestream/engine/task"
	"chargestream/internal/seeded"
)

// TestFoldLeavesNoGap: rounds end at any moment, and what was folded then is a prefix of what
// came, on which the next round continues.
func TestFoldLeavesNoGap(t *testing.T) {
	t.Parallel()
	r := seeded.Rand(t)
	p, want := echo("g"), int64(0)
	var i *instance
	p.Fold = func(_ *Context, m *Message) error {
		if m.Offset != want {
			t.Errorf("offset %d is folded, want %d", m.Offset, want)
		}
		if want++; r.IntN(100) == 0 {
			i.pausing.Store(true)
		}
		return nil
	}
	i = alone(t, p)
	next, last := int64(0), int64(3*order.BatchMax*turnMax)
	for want < last {
		i.pausing.Store(false)
		var records []*kgo.Record
		for range min(r.Int64N(3*order.BatchMax), last-next) {
			records = append(records, word(next, "k", "x"))
			next++
		}
		mustDo(t, folded(t, i.activeByID[0], records...))
		if got := i.activeByID[0].next["words"]; got != want && want > 0 {
			t.Fatalf("folded up to %d, next is %d", want, got)
		}
		if t.Failed() {
			return
		}
	}
	if n := i.queued.Load(); n != 0 {
		t.Errorf("%d bytes are counted as queued", n)
	}
}

// TestFoldTakesTurns: one call of goka folds so much, and asks for another.
func TestFoldTakesTurns(t *testing.T) {
	t.Parallel()
	p, n := echo("g"), 0
	p.Fold = func(*Context, *Message) error { n++; return nil }
	i := alone(t, p)
	var records []*kgo.Record
	for offset := range int64(order.BatchMax*turnMax + 1) {
		records = append(records, word(offset, "k", "x"))
	}
	mustDo(t, folded(t, i.activeByID[0], records...))
	if n != order.BatchMax*turnMax {
		t.Errorf("%d records were folded in a turn", n)
	}
	select {
	case <-i.activeByID[0].read.Woken():
	default:
		t.Error("no other turn is asked for")
	}
	mustDo(t, i.activeByID[0].fold(roundless{ctx: t.Context()}))
	if n != len(records) {
		t.Errorf("%d records were folded", n)
	}
}

// TestFoldFillsTheMessage: every field is of this record; headers are in the order of their names,
// those of one name as they came.
func TestFoldFillsTheMessage(t *testing.T) {
	t.Parallel()
	p := echo("g")
	var got []Message
	p.Fold = func(_ *Context, m *Message) error {
		kept := *m
		kept.Headers = append([]Header(nil), m.Headers...) // the next message has the same slice
		got = append(got, kept)
		return nil
	}
	i := alone(t, p)
	rich := word(3, "key", "value")
	rich.Headers = []kgo.RecordHeader{
		{Key: "b", Value: []byte("1")},
		{Key: "a", Value: []byte("2")},
		{Key: "b", Value: []byte("3")},
		{Key: HeaderArrival, Value: []byte("1970-01-01T00:00:09Z")},
	}
	poor := &kgo.Record{Topic: "words", Offset: 4, Timestamp: time.UnixMilli(2000)}
	mustDo(t, folded(t, i.activeByID[0], rich, poor))
	want := []Message{
		{Topic: "words", Offset: 3, Key: "key", HasKey: true, Value: []byte("value"), Arrival: 9000,
			Timestamp: 1003, Headers: []Header{{Key: "a", Value: []byte("2")},
				{Key: HeaderArrival, Value: []byte("1970-01-01T00:00:09Z")},
				{Key: "b", Value: []byte("1")}, {Key: "b", Value: []byte("3")}}},
		{Topic: "words", Offset: 4, Arrival: 2000, Timestamp: 2000},
	}
	slices.SortFunc(got, func(a, b Message) int { return int(a.Offset - b.Offset) })
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// TestIntervalThatIsLarge is cut early; a fold waits for the cut of one that is much too large.
func TestIntervalThatIsLarge(t *testing.T) {
	t.Parallel()
	twice := echo("g")
	twice.Fold = func(ctx *Context, m *Message) error {
		ctx.Emit("out", m.Key, m.Value)
		ctx.Emit("out", m.Key, m.Value)
		return nil
	}
	i := alone(t, twice)
	p := i.activeByID[0]
	large := strings.Repeat("x", intervalBytesMax/2) // of which two outputs are kept
	mustDo(t, folded(t, p, word(0, "small", "x")))
	if len(i.hurried) != 0 {
		t.Error("a small interval hurries")
	}
	mustDo(t, folded(t, p, word(1, "a", large)))
	if len(i.hurried) != 1 {
		t.Error("a large interval does not hurry")
	}
	ctx, cancel := context.WithCancel(t.Context())
	p.read.Feed("words", []*kgo.Record{word(2, "b", large), word(3, "c", large)}, 0)
	done := make(chan error, 1)
	go func() { done <- p.fold(roundless{ctx: ctx}) }()
	select {
	case err := <-done:
		t.Fatalf("an interval that is much too large continues: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	mustDo(t, i.keep(cut(t, i)))
	mustDo(t, <-done)
	// The end of the round ends the wait too.
	p.read.Feed("words", []*kgo.Record{word(4, "d", large), word(5, "e", large),
		word(6, "f", large)}, 0)
	go func() { done <- p.fold(roundless{ctx: ctx}) }()
	cancel()
	mustDo(t, <-done)
}

// overdue makes a processor whose rows fire at once with much output, and counts them.
func overdue(fired *int) *Processor {
	p := echo("g")
	table := p.Tables[0].(*Table[string])
	table.Due = func(_ string, row *string) int64 {
		if *row == "due" {
			return 2_000
		}
		return 0
	}
	table.Fire = func(ctx *Context, key string, row *string, _ int64) error {
		*fired++
		*row = "fired"
		ctx.Emit("out", key, make([]byte, 1<<20))
		return nil
	}
	return p
}

// feedLate gives a partition rows that are due, commits them, and feeds the record that fires them.
func feedLate(t *testing.T, x *ownedPartition, rows int64) {
	t.Helper()
	for n := range rows {
		mustDo(t, folded(t, x, word(n, fmt.Sprint("k", n), "due")))
	}
	mustDo(t, x.i.keep(cut(t, x.i)))
	late := word(rows, "late", "x")
	late.Timestamp = time.UnixMilli(9_000)
	bytes, _ := x.read.Feed("words", []*kgo.Record{late}, 0)
	x.i.queued.Add(bytes)
}

// TestTimersThatACommitCannotHold: more is due before a record than a commit can hold. What is done
// of it is committed without the record, which is folded once, when all is done.
func TestTimersThatACommitCannotHold(t *testing.T) {
	t.Parallel()
	fired, folds := 0, 0
	p := overdue(&fired)
	fold := p.Fold
	p.Fold = func(ctx *Context, m *Message) error { folds++; return fold(ctx, m) }
	i := alone(t, p)
	x := i.activeByID[0]
	const rows = 40
	feedLate(t, x, rows)
	done := make(chan error, 1)
	go func() { done <- x.fold(roundless{ctx: t.Context()}) }()
	commits, sent := 0, 0
	for ended := false; !ended; {
		select {
		case <-i.hurried:
		case err := <-done:
			mustDo(t, err)
			ended = true
		}
		iv := cut(t, i)
		if iv == nil {
			continue
		}
		commits++
		sent += len(iv.partitions[0].Out)
		next, has := iv.offsets()["words"][0]
		if want := sent > rows; has != want || has && next != rows+1 {
			t.Errorf("after %d outputs the input stands at %d (%v)", sent, next, has)
		}
		rowsOf := iv.partitions[0].Rows[0]
		progress := string(rowsOf[len(rowsOf)-1].Bytes)
		if has != strings.Contains(progress, fmt.Sprintln("words", rows+1)) {
			t.Errorf("after %d outputs the progress is %q", sent, progress)
		}
		mustDo(t, i.keep(iv))
	}
	if commits < 4 || fired != rows || folds != rows+1 || sent != rows+1 {
		t.Errorf("%d commits, %d fired, %d folded, %d sent", commits, fired, folds, sent)
	}
	if n := i.queued.Load(); n != 0 {
		t.Errorf("%d bytes are counted as queued", n)
	}
	mustDo(t, i.failed())
}

// TestRevokedInTheMiddleOfABatch: the record before which timers wait for a commit is given up with
// its partition, and makes room.
func TestRevokedInTheMiddleOfABatch(t *testing.T) {
	t.Parallel()
	fired := 0
	i := alone(t, overdue(&fired))
	x := i.activeByID[0]
	feedLate(t, x, 40)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- x.fold(roundless{ctx: ctx}) }()
	<-i.hurried
	cancel() // the round ends
	mustDo(t, <-done)
	mustDo(t, i.keep(cut(t, i)))
	if i.queued.Load() == 0 || fired == 0 || fired == 40 {
		t.Fatalf("%d bytes are queued, %d rows have fired", i.queued.Load(), fired)
	}
	g := &group{i: i, ctx: t.Context(), owned: map[int32]*ownedPartition{}}
	for id, x := range i.activeByID {
		close(x.restored)
		g.owned[id] = x
	}
	mustDo(t, g.change(t.Context(), change{revoke: []int32{0}}))
	if n := i.queued.Load(); n != 0 {
		t.Errorf("%d bytes are counted as queued", n)
	}
	mustDo(t, i.pool.close())
	mustDo(t, i.failed())
}

// feed gives records to a reader, each to its topic.
func feed(r *order.Reader, records ...*kgo.Record) {
	for _, record := range records {
		r.Feed(record.Topic, []*kgo.Record{record}, 0)
	}
}

// TestCalls: goka is called once for each time that there is something, and once at the beginning
// of a round, for what was left.
func TestCalls(t *testing.T) {
	t.Parallel()
	i := alone(t, echo("g"))
	p := i.activeByID[0]
	feed(p.read, word(0, "a", "1"))
	for range 2 { // rounds
		ctx, cancel := context.WithCancel(t.Context())
		calls, done := make(chan *sarama.ConsumerMessage), make(chan struct{})
		go func() { defer close(done); p.calls(ctx, calls) }()
		c := <-calls
		if c.Topic != "words" || c.Partition != 0 {
			t.Errorf("the call is of %s/%d", c.Topic, c.Partition)
		}
		select {
		case <-calls:
			t.Error("called for nothing")
		case <-time.After(20 * time.Millisecond):
		}
		feed(p.read, word(1, "a", "1"), word(2, "a", "1"))
		<-calls
		cancel()
		<-done
	}
}

// TestPartitionOfARestoredTable: timers are made of the rows of all tables, and where it stands is
// read.
func TestPartitionOfARestoredTable(t *testing.T) {
	t.Parallel()
	var fired []string
	p, other := echo("g"), plain("other")
	for name, table := range map[string]*Table[string]{"first": p.Tables[0].(*Table[string]),
		"other": other} {
		table.Decode = func(_ string, row []byte) (*string, error) {
			if text := string(row); text != "bad" {
				return &text, nil
			}
			return nil, errors.New("planted")
		}
		table.Due = func(_ string, row *string) int64 { return int64(len(*row)) }
		table.Fire = func(_ *Context, key string, row *string, _ int64) error {
			fired = append(fired, name+" "+key)
			*row = ""
			return nil
		}
	}
	p.Tables, p.Clock = append(p.Tables, other), "clock"
	for name, c := range map[string]struct {
		rows     []string
		others   []string
		known    bool
		progress map[string]int64
		fired    []string
		err      string
	}{
		"empty": {nil, nil, false, map[string]int64{}, nil, ""},
		"rows": {[]string{"a=22", progressKey + "=#layout 0\nwords 7\n"}, []string{"b=1", "c=four"},
			true, map[string]int64{"words": 7}, []string{"other b", "first a"}, ""},
		"older": {[]string{"a=22", progressKey + "=words 7\n"}, nil, true,
			map[string]int64{"words": 7}, []string{"first a"}, ""},
		"oldest": {[]string{"a=22"}, nil, false, map[string]int64{}, []string{"first a"},
			""},
		"bad row":       {[]string{"a=bad"}, nil, false, nil, nil, "index timers"},
		"other bad row": {[]string{"a=1"}, []string{"a=bad"}, false, nil, nil, "index timers"},
		"bad progress": {[]string{progressKey + "=words"}, nil, true, nil, nil,
			"progress record"},
		"empty progress": {[]string{progressKey + "="}, nil, false, map[string]int64{}, nil, ""},
	} {
		s := mustOpen(t, t.TempDir(), 2)
		mustDo(t, s.Commit([][]task.Row{rowsFrom(c.rows...), rowsFrom(c.others...)}, []int64{0, 0}))
		mustDo(t, p.Check())
		i := newInstance(p, Config{Log: slog.New(slog.DiscardHandler)}, 1)
		x := i.newPartition(0)
		if err := x.begin(s); c.err == "" {
			mustDo(t, err)
			if diff := gocmp.Diff(c.progress, x.progress); diff != "" {
				t.Errorf("%s: progress (-want +got):\n%s", name, diff)
			}
			fired = nil
			done, err := x.task.Process(&Message{Topic: "clock", Arrival: 3 + FireDelay})
			if mustDo(t, err); !done {
				t.Errorf("%s: a commit is asked for", name)
			}
			if diff := gocmp.Diff(c.fired, fired); diff != "" {
				t.Errorf("%s: fired (-want +got):\n%s", name, diff)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: error is %v", name, err)
		}
		if x.hasProgress != c.known || x.oldRows != nil {
			t.Errorf("%s: known is %v, emptied %v", name, x.hasProgress, x.oldRows)
		}
		mustDo(t, s.Close())
	}
}

// TestRevokedPartitionIsForgotten: what it had queued makes room for others, the poller is woken,
// and that it waited for a topic counts no more.
func TestRevokedPartitionIsForgotten(t *testing.T) {
	t.Parallel()
	p := echo("g")
	p.Inputs = []string{"words", "numbers"}
	i := alone(t, p)
	g := &group{i: i, ctx: t.Context(), owned: map[int32]*ownedPartition{}}
	for id, x := range i.activeByID {
		close(x.restored)
		g.owned[id] = x
	}
	x := i.activeByID[1]
	x.read.Start("numbers", 0, 9) // behind
	mustDo(t, folded(t, x, word(0, "a", "1")))
	if i.starving.Load() != 1 || i.queued.Load() == 0 {
		t.Fatalf("%d wait, %d bytes are queued", i.starving.Load(), i.queued.Load())
	}
	select {
	case <-i.room:
	default:
	}
	mustDo(t, g.change(t.Context(), change{revoke: []int32{1, 7}}))
	if i.starving.Load() != 0 || i.queued.Load() != 0 {
		t.Errorf("%d wait, %d bytes are queued", i.starving.Load(), i.queued.Load())
	}
	select {
	case <-i.room:
	default:
		t.Error("the poller is not woken")
	}
	if i.activePartition(1) != nil || g.owned[1] != nil || i.activePartition(0) == nil {
		t.Errorf("owned are %v", g.owned)
	}
	mustDo(t, i.pool.close())
	mustDo(t, i.failed())
	err := x.store.Each(0, func(string, []byte) error { return nil })
	if !errors.Is(err, leveldb.ErrClosed) {
		t.Error("its store is open")
	}
}
