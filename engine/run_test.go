package engine_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/internal/kafkatest"
)

// counted also counts the records that an instance folds.
func counted(p *engine.Processor) (*engine.Processor, *atomic.Int64) {
	var n atomic.Int64
	fold := p.Fold
	p.Fold = func(ctx *engine.Context, m *engine.Message) error {
		n.Add(1)
		return fold(ctx, m)
	}
	return p, &n
}

// TestInstancesJoinAndLeave moves partitions between two instances while records flow.
func TestInstancesJoinAndLeave(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "moves"
	topicsOf(t, b, name)
	config := func(instance string) engine.Config {
		c := quickConfig(b.Addrs(), filepath.Join(t.TempDir(), instance), engine.ExactlyOnce)
		c.Instance, c.Log = instance, testLog(t)
		return c
	}
	ca, cb := config("a"), config("b")
	pa, na := counted(named(name, wordCount()))
	pb, nb := counted(named(name, wordCount()))
	water := startPour(t, b, name+"-words")
	grows := func(what string, n *atomic.Int64) {
		t.Helper()
		before := n.Load()
		eventually(t, what, func() bool { return n.Load() > before+100 })
	}
	a := start(t, pa, ca)
	grows("a alone", na)
	second := start(t, pb, cb)
	grows("b joined", nb)
	grows("a beside b", na)
	a.stop(t)
	grows("b alone", nb)
	a = start(t, pa, ca) // its disk is what it was when it left
	grows("a is back", na)
	second.stop(t)
	grows("a alone again", na)
	sent := water.end(t)
	a.stop(t)
	runUntilCaughtUp(t, pa, ca)
	expectExact(t, b, name, sent)
	expectOffsetsAreProgress(t, b, pa)
}

// TestFoldThatFails ends the attempt in the middle of a commit interval, after a row was set and a
// record sent. It is done again from what was committed.
func TestFoldThatFails(t *testing.T) {
	for _, guarantee := range []engine.Guarantee{engine.ExactlyOnce, engine.AtLeastOnce} {
		t.Run(string(guarantee), func(t *testing.T) {
			t.Parallel()
			b, name := shared.Broker(t), "fails-"+string(guarantee)
			topicsOf(t, b, name)
			p, check := named(name, wordCount()), expectExact
			if guarantee == engine.AtLeastOnce {
				p, check = named(name, largest()), expectLargest
			}
			var n, failed atomic.Int64
			fold := p.Fold
			p.Fold = func(ctx *engine.Context, m *engine.Message) error {
				if err := fold(ctx, m); err != nil {
					return err
				}
				if c := n.Add(1); c == 100 || c == 350 {
					failed.Add(1)
					return errors.New("planted")
				}
				return nil
			}
			water := startPour(t, b, name+"-words")
			c := quickConfig(b.Addrs(), t.TempDir(), guarantee)
			c.Log = testLog(t)
			r := start(t, p, c)
			eventually(t, "records after the failures", func() bool { return n.Load() > 700 })
			sent := water.end(t)
			r.stop(t)
			runUntilCaughtUp(t, p, c)
			if failed.Load() != 2 {
				t.Fatalf("failed %d times", failed.Load())
			}
			check(t, b, name, sent)
			expectOffsetsAreProgress(t, b, p)
		})
	}
}

// TestNewGroupStartsAtTheOldest: what was written before the group was known is folded.
func TestNewGroupStartsAtTheOldest(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "oldest"
	topicsOf(t, b, name)
	sent := map[string]int{}
	for n := range 40 {
		key := fmt.Sprint("k", n%7)
		sent[key]++
		kafkatest.MustProduce(t, b, put(name+"-words", key, "x"))
	}
	c := quickConfig(b.Addrs(), t.TempDir(), engine.ExactlyOnce)
	c.Log = testLog(t)
	runUntilCaughtUp(t, named(name, wordCount()), c)
	expectExact(t, b, name, sent)
}

// TestAbortedRecordsAreNotFolded: the inputs are read committed.
func TestAbortedRecordsAreNotFolded(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "aborted"
	topicsOf(t, b, name)
	words := name + "-words"
	transaction(t, b, kgo.TryCommit, put(words, "a", "x"), put(words, "b", "x"))
	transaction(t, b, kgo.TryAbort, put(words, "a", "x"), put(words, "c", "x"))
	transaction(t, b, kgo.TryCommit, put(words, "a", "x"), put(words, "c", "x"))
	c := quickConfig(b.Addrs(), t.TempDir(), engine.ExactlyOnce)
	c.Log = testLog(t)
	runUntilCaughtUp(t, named(name, wordCount()), c)
	expectExact(t, b, name, map[string]int{"a": 2, "b": 1, "c": 1})
}

// TestMisplacedRecordsOnTheBroker: a record in the wrong partition counts once, and what comes of
// it has the arrival time that it came with.
func TestMisplacedRecordsOnTheBroker(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "repartitioned"
	topicsOf(t, b, name)
	const arrived = "2026-03-01T12:00:00.5Z"
	sent := map[string]int{}
	var records []*kgo.Record
	for n := range 20 {
		key := fmt.Sprint("k", n)
		sent[key]++
		home := engine.PartitionOf(key, kafkatest.DefaultPartitions)
		records = append(records, &kgo.Record{Topic: name + "-words", Key: []byte(key),
			Partition: (home + 1) % kafkatest.DefaultPartitions, Value: []byte("x"),
			Headers: []kgo.RecordHeader{{Key: engine.HeaderArrival, Value: []byte(arrived)}}})
	}
	ctx := t.Context()
	if err := kafkatest.ProduceAt(ctx, b.Addrs(), records...); err != nil {
		t.Fatal(err)
	}
	p := named(name, wordCount())
	var repartitioned, began = atomic.Int64{}, time.Now().Add(-time.Minute).UnixMilli()
	p.Repartitioned = func(m *engine.Message) {
		repartitioned.Add(1)
		if m.Timestamp < began || m.Arrival >= began {
			t.Errorf("own time is %d, arrival %d", m.Timestamp, m.Arrival)
		}
	}
	c := quickConfig(b.Addrs(), t.TempDir(), engine.ExactlyOnce)
	c.Log = testLog(t)
	r := start(t, p, c)
	eventually(t, "all counted", func() bool {
		return len(kafkatest.MustReadAll(t, b, name+"-counts", true)) >= len(sent)
	})
	r.stop(t)
	expectExact(t, b, name, sent)
	if repartitioned.Load() != 20 {
		t.Errorf("%d records were repartitioned, want 20", repartitioned.Load())
	}
	expectNoReservedHeaders(t, b, p.Inputs[0])
	for _, out := range kafkatest.MustReadAll(t, b, name+"-counts", true) {
		want, err := time.Parse(time.RFC3339Nano, arrived)
		if err != nil {
			t.Fatal(err)
		}
		if got := engine.ArrivalOf(engine.HeadersOf(out), -1); got != want.UnixMilli() {
			t.Errorf("count of %s arrived at %d, want %d", out.Key, got, want.UnixMilli())
		}
	}
}

// expectNoReservedHeaders: the engine's own headers are not sent.
func expectNoReservedHeaders(t *testing.T, b kafkatest.Broker, topic string) {
	t.Helper()
	for _, r := range kafkatest.MustReadAll(t, b, topic, true) {
		for _, h := range r.Headers {
			if engine.Reserved(h.Key) {
				t.Errorf("%s/%d@%d has header %q", r.Topic, r.Partition, r.Offset, h.Key)
			}
		}
	}
}

// windowed counts the records of a key by the ten seconds of their arrival, and emits the count
// when they are over by two more.
func windowed(name string) *engine.Processor {
	const size, grace = 10_000, 2_000
	table := numbers(name)
	split := func(key string) (prefix string, begin int64) {
		prefix, text, _ := strings.Cut(key, "/")
		begin, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return prefix, -1
		}
		return prefix, begin
	}
	table.Due = func(key string, _ *int) int64 {
		_, begin := split(key)
		return begin + size + grace
	}
	table.Fire = func(ctx *engine.Context, key string, n *int, now int64) error {
		prefix, begin := split(key)
		if begin < 0 || begin+size+grace > now {
			return fmt.Errorf("%q is fired at %d with nothing due", key, now)
		}
		ctx.Emit(name+"-closed", prefix, fmt.Appendf(nil, "%d=%d", begin, *n))
		return table.Delete(ctx, key)
	}
	return &engine.Processor{Group: name, Inputs: []string{name + "-clicks"},
		Clock: name + "-clock", Tables: []engine.Declared{table},
		Outputs: []engine.Output{{Topic: name + "-closed"}},
		Fold: func(ctx *engine.Context, m *engine.Message) error {
			n, err := table.Edit(ctx, fmt.Sprintf("%s/%d", m.Key, m.Arrival-m.Arrival%size))
			if err == nil {
				*n++
			}
			return err
		}}
}

// TestTimersOutliveTheDisk: timers are made of rows, and rows of the changelog.
func TestTimersOutliveTheDisk(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "timers"
	p := windowed(name)
	shared.mustTopics(t, b, kafkatest.Topic{Name: p.Inputs[0]},
		kafkatest.Topic{Name: p.Clock}, kafkatest.Topic{Name: p.Outputs[0].Topic},
		kafkatest.CompactedTopic(p.Table()))
	var want []string
	for n := range 12 {
		key := fmt.Sprint("k", n)
		want = append(want, key+" 0=2")
		for range 2 {
			kafkatest.MustProduce(
				t,
				b,
				&kgo.Record{Topic: p.Inputs[0], Key: []byte(key), Value: []byte("x"),
					Headers: []kgo.RecordHeader{
						{Key: engine.HeaderArrival, Value: []byte("1970-01-01T00:00:01Z")},
					}},
			)
		}
	}
	c := quickConfig(b.Addrs(), t.TempDir(), engine.ExactlyOnce)
	c.Log = testLog(t)
	runUntilCaughtUp(t, p, c)
	if err := os.RemoveAll(c.StateDir); err != nil {
		t.Fatal(err)
	}
	if n := len(kafkatest.MustReadAll(t, b, p.Outputs[0].Topic, true)); n != 0 {
		t.Errorf("%d windows closed before their time", n)
	}
	for range 2 { // the second clock finds nothing to do
		if err := engine.SendClock(t.Context(), b.Addrs(), time.UnixMilli(60_000), p); err != nil {
			t.Fatal(err)
		}
		runUntilCaughtUp(t, p, c)
	}
	var got []string
	for _, r := range kafkatest.MustReadAll(t, b, p.Outputs[0].Topic, true) {
		got = append(got, string(r.Key)+" "+string(r.Value))
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("closed (-want +got):\n%s", diff)
	}
	if rows := rowsIn(t, b, p); len(rows) != 0 {
		t.Errorf("rows are left: %v", rows)
	}
}

// rowsIn are the rows of a processor's changelog, without the engine's own.
func rowsIn(t *testing.T, b kafkatest.Broker, p *engine.Processor) map[string]string {
	t.Helper()
	rows := map[string]string{}
	for key, row := range kafkatest.Compacted(kafkatest.MustReadAll(t, b, p.Table(), true)) {
		if !engine.Reserved(key) {
			rows[key] = string(row)
		}
	}
	return rows
}

// TestLookup: every instance has the whole of a looked-up topic.
func TestLookup(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "lookup"
	topicsOf(t, b, name)
	dictionary := name + "-dictionary"
	shared.mustTopics(t, b, kafkatest.Topic{Name: dictionary, Partitions: 3,
		Config: map[string]string{"cleanup.policy": "compact"}})
	kafkatest.MustProduce(t, b,
		&kgo.Record{Topic: dictionary, Key: []byte("one"), Value: []byte("uno")},
		&kgo.Record{Topic: dictionary, Key: []byte("two"), Value: []byte("due")},
		&kgo.Record{Topic: dictionary, Key: []byte("three"), Value: []byte("tre")},
		&kgo.Record{Topic: dictionary, Key: []byte("three")})
	p := lookingUp(name, dictionary)
	for _, key := range []string{"one", "two", "three", "four"} {
		kafkatest.MustProduce(t, b, put(name+"-words", key, "x"))
	}
	c := quickConfig(b.Addrs(), t.TempDir(), engine.ExactlyOnce)
	c.Log = testLog(t)
	runUntilCaughtUp(t, p, c)
	got := map[string]string{}
	for _, r := range kafkatest.MustReadAll(t, b, name+"-counts", true) {
		got[string(r.Key)] += string(r.Value)
	}
	want := map[string]string{"one": "=uno", "two": "=due", "three": "=", "four": "="}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("emitted (-want +got):\n%s", diff)
	}
}

func TestTopicsThatDoNotFit(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "unfit"
	topicsOf(t, b, name)
	none, wide, wideTable := name+"-none", name+"-wide", name+"-wide-rows"
	shared.mustTopics(t, b, kafkatest.Topic{Name: wide, Partitions: 5},
		kafkatest.Topic{Name: wideTable + "-table", Partitions: 5})
	for what, c := range map[string]struct {
		change func(p *engine.Processor)
		names  string
	}{
		"input": {func(p *engine.Processor) { p.Inputs = append(p.Inputs, none) }, none},
		"output": {func(p *engine.Processor) {
			p.Outputs = append(p.Outputs, engine.Output{Topic: none})
		}, none},
		"lookup": {func(p *engine.Processor) { p.Lookups = []string{none} }, none},
		"clock":  {func(p *engine.Processor) { p.Clock = none }, none},
		"table":  {func(p *engine.Processor) { grouped(none, p) }, none + "-table"},
		"second table": {func(p *engine.Processor) {
			p.Tables = append(p.Tables, numbers(none))
		}, none + "-table"},
		"wide table": {func(p *engine.Processor) {
			p.Tables = append(p.Tables, numbers(wideTable))
		}, wideTable + "-table"},
		"partitions": {func(p *engine.Processor) { p.Inputs = append(p.Inputs, wide) }, wide},
		"wide clock": {func(p *engine.Processor) { p.Clock = wide }, wide},
	} {
		p := named(name, wordCount())
		c.change(p)
		config := quickConfig(b.Addrs(), t.TempDir(), engine.ExactlyOnce)
		config.Log = testLog(t)
		r := start(t, p, config)
		select {
		case err := <-r.done:
			if !errors.Is(err, engine.ErrTopics) ||
				!strings.Contains(err.Error(), `"`+c.names+`"`) {
				t.Errorf("%s: error is %v, want ErrTopics naming %s", what, err, c.names)
			}
		case <-time.After(patience):
			t.Fatalf("%s: still runs", what)
		}
	}
	// Outputs and lookups may have any number of partitions.
	p := named(name, wordCount())
	p.Outputs, p.Lookups = append(p.Outputs, engine.Output{Topic: wide}), []string{wide}
	config := quickConfig(b.Addrs(), t.TempDir(), engine.ExactlyOnce)
	config.Log = testLog(t)
	kafkatest.MustProduce(t, b, put(p.Inputs[0], "k", "x"))
	runUntilCaughtUp(t, p, config)
}

func TestStateDirectoryBelongsToOne(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "locked"
	topicsOf(t, b, name)
	c := quickConfig(b.Addrs(), t.TempDir(), engine.ExactlyOnce)
	c.Log = testLog(t)
	p, n := counted(named(name, wordCount()))
	first := start(t, p, c)
	kafkatest.MustProduce(t, b, put(name+"-words", "k", "x"))
	eventually(t, "the first works", func() bool { return n.Load() > 0 })
	if err := engine.Run(t.Context(), p, c); !errors.Is(err, engine.ErrLocked) {
		t.Errorf("second: error is %v, want ErrLocked", err)
	}
	first.stop(t)
	runUntilCaughtUp(t, p, c) // the lock is gone with its holder
}

// TestFireThatLeavesItsRowDueEndsRun: starting again would not mend it.
func TestFireThatLeavesItsRowDueEndsRun(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "undue"
	topicsOf(t, b, name)
	p := named(name, wordCount())
	table := p.Tables[0].(*engine.Table[int])
	table.Due = func(string, *int) int64 { return 1 }
	table.Fire = func(*engine.Context, string, *int, int64) error { return nil }
	c := quickConfig(b.Addrs(), t.TempDir(), engine.ExactlyOnce)
	c.Log = testLog(t)
	r := start(t, p, c)
	kafkatest.MustProduce(t, b, put(name+"-words", "k", "x"))
	select {
	case err := <-r.done:
		if !errors.Is(err, engine.ErrDeclaration) {
			t.Errorf("error is %v, want ErrDeclaration", err)
		}
	case <-time.After(patience):
		t.Fatal("still runs")
	}
}

func TestConfigThatIsNotComplete(t *testing.T) {
	full := engine.Config{
		Brokers:  []string{"localhost:1"},
		StateDir: t.TempDir(),
		Instance: "a",
		Log:      testLog(t),
	}
	for what, change := range map[string]func(c *engine.Config){
		"brokers":   func(c *engine.Config) { c.Brokers = nil },
		"directory": func(c *engine.Config) { c.StateDir = "" },
		"instance":  func(c *engine.Config) { c.Instance = "" },
		"log":       func(c *engine.Config) { c.Log = nil },
		"guarantee": func(c *engine.Config) { c.Guarantee = "perhaps" },
	} {
		c := full
		change(&c)
		if err := engine.Run(t.Context(), wordCount(), c); err == nil {
			t.Errorf("without a proper %s it ran", what)
		}
	}
	p := wordCount()
	p.Fold = nil
	if err := engine.Run(t.Context(), p, full); !errors.Is(err, engine.ErrDeclaration) {
		t.Errorf("error is %v, want ErrDeclaration", err)
	}
}
