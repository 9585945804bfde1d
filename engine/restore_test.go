package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine/store"
	"chargestream/internal/kafkatest"
)

// logged keeps what is logged.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

// tableOf makes an instance of a processor with a table of its own, that runs nothing.
func tableOf(t *testing.T, group string) (*instance, kafkatest.Broker, *logged) {
	t.Helper()
	p := &Processor{Group: group, Inputs: []string{group + "-words"},
		Tables: []Declared{plain(group)}}
	b := lentTopics(t, kafkatest.Topic{Name: p.Table(),
		Config: map[string]string{"cleanup.policy": "delete"}})
	i, log := another(t, b, p)
	return i, b, log
}

// another is an instance with a disk of its own.
func another(t *testing.T, b kafkatest.Broker, p *Processor) (*instance, *logged) {
	t.Helper()
	log := &logged{}
	i := newInstance(p, Config{Brokers: b.Addrs(), StateDir: t.TempDir(), Instance: "one",
		Log: slog.New(slog.NewTextHandler(log, nil))}, kafkatest.DefaultPartitions)
	i.producer = mustClient(t, b)
	return i, log
}

// row is a record of a table in a partition.
func row(topic string, partition int32, key, value string) *kgo.Record {
	r := &kgo.Record{Topic: topic, Partition: partition, Key: []byte(key)}
	if value != "" {
		r.Value = []byte(value)
	}
	return r
}

// within writes rows in a transaction.
func within(t *testing.T, b kafkatest.Broker, end kgo.TransactionEndTry, rows ...*kgo.Record) {
	t.Helper()
	client := mustClient(t, b, kgo.TransactionalID(t.Name()+"-writer"))
	mustDo(t, client.BeginTransaction())
	mustDo(t, client.ProduceSync(patient(t), rows...).FirstErr())
	mustDo(t, client.EndTransaction(patient(t), end))
}

// deleteBefore cuts the head of a partition off.
func deleteBefore(t *testing.T, b kafkatest.Broker, topic string, partition int32, offset int64) {
	t.Helper()
	cut := kadm.Offsets{}
	cut.AddOffset(topic, partition, offset, -1)
	deleted, err := kadm.NewClient(mustClient(t, b)).DeleteRecords(patient(t), cut)
	mustDo(t, errors.Join(err, deleted.Error()))
}

// restored brings the copies of partitions up to date, and gives them by partition.
func restored(t *testing.T, i *instance, partitions ...int32) map[int32]*localCopy {
	t.Helper()
	copies, err := i.open(patient(t), partitions, nil)
	mustDo(t, err)
	ready := map[int32]*localCopy{}
	mustDo(t, i.restore(patient(t), copies, func(c *localCopy) error {
		if !c.ended || ready[c.partition] != nil {
			t.Errorf("partition %d is ready twice, or not", c.partition)
		}
		ready[c.partition] = c
		return nil
	}))
	if len(ready) != len(partitions) {
		t.Fatalf("%d copies are ready, want %d", len(ready), len(partitions))
	}
	return ready
}

func closeCopies(t *testing.T, copies map[int32]*localCopy) {
	t.Helper()
	for _, c := range copies {
		mustDo(t, c.store.Close())
	}
}

// TestRestoreOfEveryEnding: a restore ends, with what is committed, whatever a partition begins and
// ends with. All of them are partitions of one table.
func TestRestoreOfEveryEnding(t *testing.T) {
	t.Parallel()
	i, b, _ := tableOf(t, "restore-endings")
	table := i.p.Table()
	kafkatestAt(t, b, row(table, 1, "cut", "1"), row(table, 1, "cut", "2"))
	deleteBefore(t, b, table, 1, 2) // to nothing
	within(t, b, kgo.TryCommit, row(table, 2, "a", "1"), row(table, 3, "a", "1"))
	within(t, b, kgo.TryCommit, row(table, 2, "a", "2"), row(table, 2, "b", "1"),
		row(table, 3, "b", "1"))
	within(t, b, kgo.TryAbort, row(table, 3, "a", "3"), row(table, 3, "c", "3"))
	ends := kafkatest.MustEndOffsets(t, b, table)
	copies := restored(t, i, 0, 1, 2, 3)
	for p, want := range []map[string]string{{}, {}, {"a": "2", "b": "1"}, {"a": "1", "b": "1"}} {
		c := copies[int32(p)]
		expectRows(t, c.store, 0, want)
		if c.from[0] != ends[int32(p)] {
			t.Errorf("partition %d is read up to %d, it ends at %d", p, c.from[0], ends[int32(p)])
		}
	}
	expectOffset(t, copies[0].store, 0, -1)
	expectOffset(t, copies[1].store, 0, -1)
	expectOffset(t, copies[3].store, 0, ends[3]-1) // control records included
	closeCopies(t, copies)
	again := restored(t, i, 0, 1, 2, 3) // has nothing to read
	expectRows(t, again[2].store, 0, map[string]string{"a": "2", "b": "1"})
	closeCopies(t, again)
}

// kafkatestAt writes records to the partition that they name.
func kafkatestAt(t *testing.T, b kafkatest.Broker, records ...*kgo.Record) {
	t.Helper()
	mustDo(t, kafkatest.ProduceAt(patient(t), b.Addrs(), records...))
}

// TestRestoreGoesOnFromItsDisk reads what came since, and nothing twice.
func TestRestoreGoesOnFromItsDisk(t *testing.T) {
	t.Parallel()
	i, b, log := tableOf(t, "restore-resumes")
	table := i.p.Table()
	var reports []Restore
	i.c.OnRestore = func(r Restore) { reports = append(reports, r) }
	for n := range 30 {
		kafkatestAt(t, b, row(table, 0, fmt.Sprint("k", n), "1"))
	}
	closeCopies(t, restored(t, i, 0))
	kafkatestAt(t, b, row(table, 0, "k0", "2"), row(table, 0, "k1", ""))
	copies, err := i.open(patient(t), []int32{0, 1}, nil)
	mustDo(t, err)
	if copies[0].from[0] != 30 || copies[0].until[0] != 32 || copies[0].ended || !copies[1].ended {
		t.Errorf("copies are %+v and %+v", *copies[0], *copies[1])
	}
	mustDo(t, i.restore(patient(t), copies, func(*localCopy) error { return nil }))
	expectRow(t, copies[0].store, 0, "k0", "2")
	expectRow(t, copies[0].store, 0, "k1", "")
	expectRow(t, copies[0].store, 0, "k2", "1")
	last, done := reports[len(reports)-1], 0
	for _, r := range reports {
		if r.Done {
			done++
		}
	}
	if last.Rows != 2 || last.Total != 2 || last.Partitions != 2 || !last.Done || done != 2 {
		t.Errorf("reported %+v", reports)
	}
	if log.has("WARN") {
		t.Error("warned of nothing")
	}
	mustDo(t, errors.Join(copies[0].store.Close(), copies[1].store.Close()))
}

// TestCopyThatCannotBeContinued is rebuilt with a warning: one that is ahead of a changelog that
// lost records, and one so far behind that the records between are deleted.
func TestCopyThatCannotBeContinued(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, b kafkatest.Broker, i *instance){
		"ahead": func(t *testing.T, _ kafkatest.Broker, i *instance) {
			s := mustOpen(t, i.storePath(0), 1)
			commit(t, s, 99, "of another life=x")
			mustDo(t, s.Close())
		},
		"behind": func(t *testing.T, b kafkatest.Broker, i *instance) {
			kafkatestAt(t, b, row(i.p.Table(), 0, "of another life", ""),
				row(i.p.Table(), 0, "c", "1"))
			deleteBefore(t, b, i.p.Table(), 0, 4)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i, b, log := tableOf(t, "restore-"+name)
			table := i.p.Table()
			kafkatestAt(t, b, row(table, 0, "of another life", "1"), row(table, 0, "a", "1"),
				row(table, 0, "b", "1"))
			closeCopies(t, restored(t, i, 0))
			if log.has("rebuilt") {
				t.Error("warned before anything was amiss")
			}
			spoil(t, b, i)
			copies := restored(t, i, 0)
			want := map[string]string{"of another life": "1", "a": "1", "b": "1"}
			if name == "behind" {
				want = map[string]string{"c": "1"}
			}
			expectRows(t, copies[0].store, 0, want)
			if !log.has("rebuilt") {
				t.Error("did not warn")
			}
			closeCopies(t, copies)
		})
	}
}

// TestOpenLeavesNothingOpen when a partition is not there.
func TestOpenLeavesNothingOpen(t *testing.T) {
	t.Parallel()
	i, _, _ := tableOf(t, "restore-missing")
	for range 2 {
		if _, err := i.open(patient(t), []int32{0, 9}, nil); !errors.Is(err, ErrTopics) {
			t.Errorf("error is %v, want ErrTopics", err)
		}
	}
	closeCopies(t, restored(t, i, 0))
}

// TestRestoreEndsWithItsContext, behind a transaction that is open.
func TestRestoreEndsWithItsContext(t *testing.T) {
	t.Parallel()
	i, b, _ := tableOf(t, "restore-open")
	table := i.p.Table()
	kafkatestAt(t, b, row(table, 0, "a", "1"))
	writer := openTransaction(t, b, t.Name(), table, 0)
	copies, err := i.open(patient(t), []int32{0}, nil)
	mustDo(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err = i.restore(ctx, copies, func(*localCopy) error { return nil })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
	expectRows(t, copies[0].store, 0, map[string]string{"a": "1"})
	mustDo(t, writer.EndTransaction(patient(t), kgo.TryCommit))
	mustDo(t, i.restore(patient(t), copies, func(*localCopy) error { return nil }))
	expectRow(t, copies[0].store, 0, t.Name(), "x")
	mustDo(t, copies[0].store.Close())
}

// untilRow waits until a copy has a row.
func untilRow(t *testing.T, s *store.Store, table int, key, want string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(brokerPatience)
	for {
		got, err := s.Get(table, key)
		mustDo(t, err)
		if string(got) == want {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%s is %q, want %q", key, got, want)
		}
	}
}

func inPool(i *instance) []int32 {
	i.pool.mu.Lock()
	defer i.pool.mu.Unlock()
	return slices.Sorted(maps.Keys(i.pool.copies))
}

// TestStandbyCopiesAreHandedOver: what is in the pool is followed; it is taken out as it is, read
// on from there, and followed again when it is given back.
func TestStandbyCopiesAreHandedOver(t *testing.T) {
	t.Parallel()
	i, b, _ := tableOf(t, "restore-pool")
	i.c.Standby = true
	table := i.p.Table()
	kafkatestAt(t, b, row(table, 0, "a", "1"), row(table, 1, "b", "1"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	mustDo(t, i.pool.recoverAhead(ctx))
	if got := inPool(i); len(got) != kafkatest.DefaultPartitions {
		t.Errorf("the pool has %v", got)
	}
	mustDo(t, i.pool.resume(ctx))
	follower := i.pool.copies[1].store
	kafkatestAt(t, b, row(table, 1, "b", "2"))
	untilRow(t, follower, 0, "b", "2")
	taken := i.pool.take([]int32{1})
	if len(taken) != 1 || taken[1].store != follower || taken[1].from[0] != 2 {
		t.Fatalf("took %+v", taken)
	}
	kafkatestAt(t, b, row(table, 1, "b", "3"), row(table, 0, "a", "2"))
	copies, err := i.open(ctx, []int32{1}, taken)
	mustDo(t, err)
	mustDo(t, i.restore(ctx, copies, func(*localCopy) error { return nil }))
	expectRow(t, follower, 0, "b", "3")
	mustDo(t, i.pool.resume(ctx))
	untilRow(t, i.pool.copies[0].store, 0, "a", "2")
	// As its owner, which commits.
	commit(t, follower, 2, "mine=1")
	i.pool.put(ctx, map[int32]*store.Store{1: follower})
	kafkatestAt(t, b, row(table, 1, "c", "1"))
	untilRow(t, follower, 0, "c", "1")
	expectRow(t, follower, 0, "mine", "1")
	if got := inPool(i); len(got) != kafkatest.DefaultPartitions {
		t.Errorf("the pool has %v", got)
	}
	cancel()
	mustDo(t, i.pool.close())
	mustDo(t, i.failed())
	s := mustOpen(t, i.storePath(1), 1) // it is closed, and all is on disk
	expectRows(t, s, 0, map[string]string{"b": "3", "c": "1", "mine": "1"})
	mustDo(t, s.Close())
}

// TestPoolWithoutStandby holds what was restored ahead until it is known what is ours, and closes
// what is not, as it does with what is given up.
func TestPoolWithoutStandby(t *testing.T) {
	t.Parallel()
	i, b, _ := tableOf(t, "restore-early")
	table := i.p.Table()
	mustDo(t, i.pool.recoverAhead(patient(t))) // no copy is there
	if got := inPool(i); len(got) != 0 {
		t.Errorf("the pool has %v", got)
	}
	closeCopies(t, restored(t, i, 0, 2))
	kafkatestAt(t, b, row(table, 0, "a", "1"), row(table, 2, "c", "1"))
	mustDo(t, i.pool.recoverAhead(patient(t)))
	if diff := gocmp.Diff([]int32{0, 2}, inPool(i)); diff != "" {
		t.Errorf("the pool (-want +got):\n%s", diff)
	}
	taken := i.pool.take([]int32{0, 1})
	if len(taken) != 1 || taken[0].from[0] != 1 {
		t.Fatalf("took %v", taken)
	}
	expectRow(t, taken[0].store, 0, "a", "1")
	mustDo(t, i.pool.resume(patient(t)))
	if got := inPool(i); len(got) != 0 {
		t.Errorf("the pool has %v", got)
	}
	i.pool.put(t.Context(), map[int32]*store.Store{0: taken[0].store})
	mustDo(t, i.pool.close())
	mustDo(t, i.failed())
	for p, want := range map[int32]map[string]string{0: {"a": "1"}, 2: {"c": "1"}} {
		s := mustOpen(t, i.storePath(p), 1) // no process has it open
		expectRows(t, s, 0, want)
		mustDo(t, s.Close())
	}
}

// TestLocalCopies are what lies on disk.
func TestLocalCopies(t *testing.T) {
	t.Parallel()
	p := &Processor{Group: "g", Tables: []Declared{plain("g")}}
	i := newInstance(p, Config{StateDir: t.TempDir()}, 4)
	if got := i.local(); len(got) != 0 {
		t.Errorf("there are copies of %v", got)
	}
	for _, p := range []int32{1, 3, 7} { // of 7 there is no partition
		mustDo(t, os.MkdirAll(i.path("g-table", p), 0o755))
	}
	if diff := gocmp.Diff([]int32{1, 3}, i.local()); diff != "" {
		t.Errorf("copies (-want +got):\n%s", diff)
	}
}

// TestProgress is read as it is written, and any other text is an error. What was written before
// there were layouts is of the first.
func TestProgress(t *testing.T) {
	for _, next := range []map[string]int64{{}, {"words": 0}, {"words": 7, "a.b_c-d": 1 << 40}} {
		for _, layout := range []int{0, 1, 42} {
			text := progressOf(layout, next)
			was, got, err := parseProgress(text)
			mustDo(t, err)
			if diff := gocmp.Diff(next, got); diff != "" || was != layout {
				t.Errorf("progress %q of layout %d is read as of %d (-want +got):\n%s", text,
					layout, was, diff)
			}
		}
	}
	for want, got := range map[string][]byte{
		"#layout 3\na 1\nb 2\n": progressOf(3, map[string]int64{"b": 2, "a": 1}),
		"#layout 0\n":           progressOf(0, nil),
	} {
		if string(got) != want {
			t.Errorf("progress is %q, want %q", got, want)
		}
	}
	if layout, got, err := parseProgress([]byte("a 1\nb 2\n")); err != nil || layout != 0 ||
		got["a"] != 1 || got["b"] != 2 || len(got) != 2 {
		t.Errorf("progress without a layout is %d and %v (%v)", layout, got, err)
	}
	if layout, got, err := parseProgress(nil); err != nil || layout != 0 || len(got) != 0 {
		t.Errorf("progress of nothing is %d and %v (%v)", layout, got, err)
	}
	for _, text := range []string{"words", "words x\n", "\n", "words 1\nclock\n", " 7\n",
		"words 99999999999999999999\n", "#layout\n", "#layout x\nwords 1\n"} {
		if layout, got, err := parseProgress([]byte(text)); err == nil {
			t.Errorf("%q is read as %d and %v", text, layout, got)
		}
	}
}
