package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestFoldLeavesNoGap: sessions end at any moment, and what was folded then is a prefix of what
// came, on which the next session goes on.
func TestFoldLeavesNoGap(t *testing.T) {
	t.Parallel()
	r := chance(t)
	p, want := echo("g"), int64(0)
	var i *instance
	p.Fold = func(_ Context, m *Message) error {
		if m.Offset != want {
			t.Errorf("offset %d is folded, want %d", m.Offset, want)
		}
		if want++; r.IntN(100) == 0 {
			i.pausing.Store(true)
		}
		return nil
	}
	i = alone(t, p)
	next, last := int64(0), int64(3*batchMax*turnMax)
	for want < last {
		i.pausing.Store(false)
		var records []*kgo.Record
		for range min(r.Int64N(3*batchMax), last-next) {
			records = append(records, word(next, "k", "x"))
			next++
		}
		mustDo(t, folded(t, i.parts[0], records...))
		if got := i.parts[0].next["words"]; got != want && want > 0 {
			t.Fatalf("folded up to %d, next is %d", want, got)
		}
		if t.Failed() {
			return
		}
	}
	if n := i.queued.Load(); n != 0 {
		t.Errorf("%d bytes are said to be queued", n)
	}
}

// TestFoldTakesTurns: one call of goka folds so much, and asks for another.
func TestFoldTakesTurns(t *testing.T) {
	t.Parallel()
	p, n := echo("g"), 0
	p.Fold = func(Context, *Message) error { n++; return nil }
	i := alone(t, p)
	var records []*kgo.Record
	for offset := range int64(batchMax*turnMax + 1) {
		records = append(records, word(offset, "k", "x"))
	}
	mustDo(t, folded(t, i.parts[0], records...))
	if n != batchMax*turnMax {
		t.Errorf("%d records were folded in a turn", n)
	}
	select {
	case <-i.parts[0].read.fed:
	default:
		t.Error("no other turn is asked for")
	}
	mustDo(t, i.parts[0].fold(sessionless{ctx: t.Context()}))
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
	p.Fold = func(_ Context, m *Message) error { got = append(got, *m); return nil }
	i := alone(t, p)
	rich := word(3, "key", "value")
	rich.Headers = []kgo.RecordHeader{
		{Key: "b", Value: []byte("1")},
		{Key: "a", Value: []byte("2")},
		{Key: "b", Value: []byte("3")},
		{Key: HeaderArrival, Value: []byte("1970-01-01T00:00:09Z")},
	}
	poor := &kgo.Record{Topic: "words", Offset: 4, Timestamp: time.UnixMilli(2000)}
	mustDo(t, folded(t, i.parts[0], rich, poor))
	want := []Message{
		{Topic: "words", Offset: 3, Key: "key", HasKey: true, Value: []byte("value"), Arrival: 9000,
			Timestamp: 1003, Headers: []Header{{"a", []byte("2")},
				{HeaderArrival, []byte("1970-01-01T00:00:09Z")}, {"b", []byte("1")},
				{"b", []byte("3")}}},
		{Topic: "words", Offset: 4, Arrival: 2000, Timestamp: 2000},
	}
	slices.SortFunc(got, func(a, b Message) int { return int(a.Offset - b.Offset) })
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// TestUnitThatIsLarge is cut before its time; one that is much too large is waited for.
func TestUnitThatIsLarge(t *testing.T) {
	t.Parallel()
	i := alone(t, echo("g"))
	p := i.parts[0]
	large := strings.Repeat("x", unitBytesMax/2) // kept as a row and as an output
	mustDo(t, folded(t, p, word(0, "small", "x")))
	if len(i.hurried) != 0 {
		t.Error("a small unit hurries")
	}
	mustDo(t, folded(t, p, word(1, "a", large)))
	if len(i.hurried) != 1 {
		t.Error("a large unit does not hurry")
	}
	ctx, cancel := context.WithCancel(t.Context())
	p.read.feed("words", []*kgo.Record{word(2, "b", large), word(3, "c", large)}, 0)
	done := make(chan error, 1)
	go func() { done <- p.fold(sessionless{ctx: ctx}) }()
	select {
	case err := <-done:
		t.Fatalf("a unit that is much too large goes on: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	i.cut()
	mustDo(t, <-done)
	// The end of the session ends the waiting too.
	mustDo(t, i.parts[0].store.committed(1))
	p.read.feed("words", []*kgo.Record{word(4, "d", large), word(5, "e", large),
		word(6, "f", large)}, 0)
	go func() { done <- p.fold(sessionless{ctx: ctx}) }()
	cancel()
	mustDo(t, <-done)
}

// TestCalls: goka is called once for each time that there is something, and once at the beginning
// of a session, for what was left.
func TestCalls(t *testing.T) {
	t.Parallel()
	i := alone(t, echo("g"))
	p := i.parts[0]
	feed(p.read, word(0, "a", "1"))
	for range 2 { // sessions
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

// TestPartOfARestoredTable: timers are made of its rows, and where it stands is read.
func TestPartOfARestoredTable(t *testing.T) {
	t.Parallel()
	p := echo("g")
	p.Due = func(key string, row []byte) (int64, error) {
		if string(row) == "bad" {
			return 0, errors.New("planted")
		}
		return int64(len(row)), nil
	}
	p.Fire = func(Context, int64) error { return nil }
	for name, c := range map[string]struct {
		rows  map[string]string
		known bool
		err   string
	}{
		"empty":         {map[string]string{}, false, ""},
		"rows":          {map[string]string{"a": "22", progressKey: "words 7\n"}, true, ""},
		"older":         {map[string]string{"a": "22"}, false, ""},
		"bad row":       {map[string]string{"a": "bad"}, false, "index timers"},
		"bad progress":  {map[string]string{progressKey: "words"}, true, "progress record"},
		"none progress": {map[string]string{progressKey: ""}, false, ""},
	} {
		s := mustOpen(t, t.TempDir())
		for key, row := range c.rows {
			put(s, key, row)
		}
		commit(t, s, 0)
		i := newInstance(p, Config{}, 1)
		x := i.newPart(0)
		err := x.begin(s)
		if c.err == "" {
			mustDo(t, err)
		} else if err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: error is %v", name, err)
		}
		if x.known != c.known {
			t.Errorf("%s: known is %v", name, x.known)
		}
		if name == "rows" {
			if key, ok := x.task.timers.next(5); !ok || key != "a" || x.progress["words"] != 7 {
				t.Errorf("next timer is %q (%v), progress %v", key, ok, x.progress)
			}
		}
		mustDo(t, s.close())
	}
}

// TestRevokedPartitionIsForgotten: what it had queued makes room for others, the poller is told,
// and that it waited for a topic counts no more.
func TestRevokedPartitionIsForgotten(t *testing.T) {
	t.Parallel()
	p := echo("g")
	p.Inputs = []string{"words", "numbers"}
	i := alone(t, p)
	g := &group{i: i, ctx: t.Context(), owned: map[int32]*part{}}
	for id, x := range i.parts {
		close(x.restored)
		g.owned[id] = x
	}
	x := i.parts[1]
	x.read.start("numbers", 0, 9) // behind
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
		t.Error("the poller is not told that there is room")
	}
	if i.part(1) != nil || g.owned[1] != nil || i.part(0) == nil {
		t.Errorf("owned are %v", g.owned)
	}
	mustDo(t, i.pool.close())
	mustDo(t, i.failed())
	if _, err := x.store.db.Get([]byte("k"), nil); err == nil {
		t.Error("its store is open")
	}
}
