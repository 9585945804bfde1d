package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/internal/kafkatest"
)

// passedOver is the key that the second layout of a tally has no rows of.
const passedOver = "word-3"

// tally2 is a tally under another layout, which keeps and emits nothing of one key.
func tally2(name string) *engine.Processor {
	p := tally(name)
	p.Layout = 1
	fold := p.Fold
	p.Fold = func(ctx *engine.Context, m *engine.Message) error {
		if m.Key == passedOver {
			return nil
		}
		return fold(ctx, m)
	}
	return p
}

// emptied counts how often it is logged that tables are emptied for another layout.
type emptied struct {
	slog.Handler
	n *atomic.Int64
}

// Handle implements slog.Handler.
func (e emptied) Handle(ctx context.Context, record slog.Record) error {
	if strings.Contains(record.Message, "another version of the program") {
		e.n.Add(1)
	}
	return e.Handler.Handle(ctx, record)
}

func countEmptied(t *testing.T, c *engine.Config) *atomic.Int64 {
	n := &atomic.Int64{}
	c.Log = slog.New(emptied{testLog(t).Handler(), n})
	return n
}

// expectRebuilt checks that all was emitted and kept by the first layout when each key had had
// before records, and then from the beginning by the second, each record once.
func expectRebuilt(t *testing.T, b kafkatest.Broker, name string, before, sent map[string]int) {
	t.Helper()
	emitted, want := map[string][]string{}, map[string][]string{}
	for _, r := range kafkatest.MustReadAll(t, b, name+"-counts", true) {
		emitted[string(r.Key)] = append(emitted[string(r.Key)], string(r.Value))
	}
	left := maps.Clone(sent)
	delete(left, passedOver)
	counts, latest := map[string]string{}, map[string]string{}
	for _, numbers := range []map[string]int{before, left} {
		for key, n := range numbers {
			for i := range n {
				want[key] = append(want[key], strconv.Itoa(i+1))
			}
		}
	}
	if diff := cmp.Diff(want, emitted); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	for key, n := range left {
		counts[key], latest[key+"/n"] = strconv.Itoa(n), strconv.Itoa(n)
	}
	for table, want := range map[string]map[string]string{"-table": counts,
		"-bytes-table": lastBytes(left), "-latest-table": latest} {
		if diff := cmp.Diff(want, rowsOfTopic(t, b, name+table)); diff != "" {
			t.Errorf("rows of %s (-want +got):\n%s", name+table, diff)
		}
	}
}

// expectLayout checks the progress records of all partitions.
func expectLayout(t *testing.T, b kafkatest.Broker, p *engine.Processor) {
	t.Helper()
	layouts := map[int32]string{}
	for _, r := range kafkatest.MustReadAll(t, b, p.Table(), true) {
		if engine.Reserved(string(r.Key)) {
			layouts[r.Partition], _, _ = strings.Cut(string(r.Value), "\n")
		}
	}
	for partition := range int32(kafkatest.DefaultPartitions) {
		if want := fmt.Sprint("#layout ", p.Layout); layouts[partition] != want {
			t.Errorf("partition %d has %q, want %q", partition, layouts[partition], want)
		}
	}
}

// untilCounted waits until so many counts are emitted.
func untilCounted(t *testing.T, b kafkatest.Broker, name string, n int) {
	t.Helper()
	eventually(t, fmt.Sprint(n, " counts are emitted"), func() bool {
		return len(kafkatest.MustReadAll(t, b, name+"-counts", true)) >= n
	})
}

// countsBy is how many counts both layouts emitted.
func countsBy(before, sent map[string]int) int {
	return total(before) + total(sent) - sent[passedOver]
}

// TestLayout: tables under another layout are emptied and built again from the inputs, once.
func TestLayout(t *testing.T) {
	for _, guarantee := range []engine.Guarantee{engine.ExactlyOnce, engine.AtLeastOnce} {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprint(guarantee, " disk lost ", lost), func(t *testing.T) {
				t.Parallel()
				b := shared.Broker(t)
				name := fmt.Sprintf("layout-%s-%v", string(guarantee)[:2], lost)
				tallyTopics(t, b, name)
				c, sent := configOf(t, b, "one"), map[string]int{}
				c.Guarantee = guarantee
				numberedWords(t, b, name, 9, sent)
				runUntilCaughtUp(t, tally(name), c)
				expectTallied(t, b, name, sent)
				expectLayout(t, b, tally(name))
				before := maps.Clone(sent)
				if lost {
					c.StateDir = t.TempDir()
				}
				n := countEmptied(t, &c)
				p, folded := counted(tally2(name))
				r := start(t, p, c)
				untilCounted(t, b, name, countsBy(before, sent))
				r.stop(t)
				if n.Load() != 1 || folded.Load() != int64(total(sent)) {
					t.Errorf("it is logged %d times, and %d records of %d folded", n.Load(),
						folded.Load(), total(sent))
				}
				expectRebuilt(t, b, name, before, sent)
				expectLayout(t, b, p)
				expectLocalIsChangelog(t, b, p, c.StateDir)
				expectOffsetsAreProgress(t, b, p)
				expectNothingIsRebuilt(t, b, name, c, before, sent)
			})
		}
	}
}

// expectNothingIsRebuilt starts the second layout again, with its disk and without, and folds a
// little more.
func expectNothingIsRebuilt(t *testing.T, b kafkatest.Broker, name string, c engine.Config,
	before, sent map[string]int) {
	t.Helper()
	for _, lost := range []bool{false, true} {
		if lost {
			c.StateDir = t.TempDir()
		}
		n := countEmptied(t, &c)
		p, folded := counted(tally2(name))
		was := total(sent)
		numberedWords(t, b, name, 1, sent)
		r := start(t, p, c)
		untilCounted(t, b, name, countsBy(before, sent))
		r.stop(t)
		if n.Load() != 0 || folded.Load() != int64(total(sent)-was) {
			t.Errorf("it is logged %d times, and %d records folded", n.Load(),
				folded.Load())
		}
		expectRebuilt(t, b, name, before, sent)
		expectLocalIsChangelog(t, b, p, c.StateDir)
	}
}

// TestLayoutAfterACrash: an instance of another layout dies when the old rows are deleted and
// nothing that was folded is committed, by SIGKILL or by folds that fail. It begins again, with
// what was committed.
func TestLayoutAfterACrash(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "layout-crash"
	tallyTopics(t, b, name)
	c, sent := configOf(t, b, "one"), map[string]int{}
	numberedWords(t, b, name, 9, sent)
	runUntilCaughtUp(t, tally(name), c)
	mark := filepath.Join(t.TempDir(), "folded")
	victim := startChild(t, childTask{Name: name, Kind: "tally2", Brokers: b.Addrs(),
		StateDir: c.StateDir, Guarantee: engine.ExactlyOnce, CommitInterval: time.Hour, Mark: mark})
	eventually(t, "the child folds", func() bool {
		_, err := os.Stat(mark)
		return err == nil
	})
	victim.kill(t)
	p, folded := counted(tally2(name))
	fold, failures := p.Fold, atomic.Int64{}
	p.Fold = func(ctx *engine.Context, m *engine.Message) error {
		if m.Offset == 5 && failures.Add(1) <= 3 {
			return errors.Join(fold(ctx, m), errors.New("planted"))
		}
		return fold(ctx, m)
	}
	r := start(t, p, c)
	untilCounted(t, b, name, countsBy(sent, sent))
	r.stop(t)
	if failures.Load() <= 3 || folded.Load() < int64(total(sent)) {
		t.Errorf("it failed %d times and folded %d records", failures.Load(), folded.Load())
	}
	expectRebuilt(t, b, name, sent, sent)
	expectLayout(t, b, p)
	expectLocalIsChangelog(t, b, p, c.StateDir)
	expectOffsetsAreProgress(t, b, p)
}

// TestLayoutOfInputsThatAreGone: what was deleted from an input is in no table any more, though
// nothing of the partition is folded.
func TestLayoutOfInputsThatAreGone(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "layout-gone"
	tallyTopics(t, b, name)
	c, sent := configOf(t, b, "one"), map[string]int{}
	numberedWords(t, b, name, 4, sent)
	runUntilCaughtUp(t, tally(name), c)
	ends, cut := kafkatest.MustEndOffsets(t, b, name+"-words"), kadm.Offsets{}
	for partition, end := range ends {
		if partition != 1 {
			cut.AddOffset(name+"-words", partition, end, -1)
		}
	}
	deleteRecords(t, b, cut)
	p := tally2(name)
	r := start(t, p, c)
	left := map[string]string{}
	for key, n := range sent {
		if put("", key, "").Partition == 1 && key != passedOver {
			left[key] = strconv.Itoa(n)
		}
	}
	eventually(t, "it is rebuilt", func() bool {
		return cmp.Equal(left, rowsOfTopic(t, b, p.Table()))
	})
	r.stop(t)
	expectLayout(t, b, p)
	for _, topic := range p.TableTopics() {
		for key := range rowsOfTopic(t, b, topic) {
			if word, _, _ := strings.Cut(key, "/"); left[word] == "" {
				t.Errorf("%s has a row of %s", topic, key)
			}
		}
	}
	expectLocalIsChangelog(t, b, p, c.StateDir)
	expectOffsetsBehindProgress(t, b, p)
	numberedWords(t, b, name, 1, sent) // and goes on
	runUntilCaughtUp(t, p, c)
	for key, n := range sent {
		want := "1"
		if left[key] != "" {
			want = strconv.Itoa(n)
		}
		if key == passedOver {
			want = ""
		}
		if got := rowsOfTopic(t, b, p.Table())[key]; got != want {
			t.Errorf("%s is counted %s times, want %s", key, got, want)
		}
	}
}

// TestLayoutOfManyRows: there are more rows of another layout than one commit deletes, and the
// instance dies when some are deleted. Nothing is folded before all are.
func TestLayoutOfManyRows(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "layout-many"
	tallyTopics(t, b, name)
	// Plain topics: a compaction would take time, and rows out of the log that are counted.
	shared.mustTopics(t, b, kafkatest.Topic{Name: name + "-table"},
		kafkatest.Topic{Name: name + "-bytes-table"})
	const partition, rows = 1, 35_000
	var old []*kgo.Record
	for n := range rows {
		key := []byte(fmt.Sprint("old-", n))
		for _, table := range []string{name + "-table", name + "-bytes-table"} {
			old = append(old, &kgo.Record{Topic: table, Partition: partition, Key: key,
				Value: []byte("1")})
		}
	}
	sent := map[string]int{}
	numberedWords(t, b, name, 3, sent)
	end := kafkatest.MustEndOffsets(t, b, name+"-words")[partition]
	old = append(old, &kgo.Record{Topic: name + "-table", Partition: partition,
		Key:   []byte("\x00progress"),
		Value: fmt.Appendf(nil, "#layout 0\n%s-words %d\n", name, end)})
	if err := kafkatest.ProduceAt(t.Context(), b.Addrs(), old...); err != nil {
		t.Fatal(err)
	}
	p, c := tally2(name), configOf(t, b, "one")
	deleted := func() (n int64) {
		for _, topic := range p.TableTopics()[:2] {
			n += kafkatest.MustEndOffsets(t, b, topic)[partition]
		}
		return n - 2*rows
	}
	victim := startChild(t, childTask{Name: name, Kind: "tally2", Brokers: b.Addrs(),
		StateDir: c.StateDir, Guarantee: engine.ExactlyOnce,
		CommitInterval: 400 * time.Millisecond})
	eventually(t, "some are deleted", func() bool { return deleted() > 10_000 })
	victim.kill(t)
	if n := deleted(); n > 2*rows {
		t.Fatalf("%d rows of %d are deleted: it was killed too late", n, 2*rows)
	}
	n := countEmptied(t, &c)
	r := start(t, p, c)
	untilCounted(t, b, name, countsBy(nil, sent))
	r.stop(t)
	if n.Load() != 1 {
		t.Errorf("it is logged %d times", n.Load())
	}
	expectRebuilt(t, b, name, nil, sent)
	expectLocalIsChangelog(t, b, p, c.StateDir)
}
