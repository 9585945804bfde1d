package engine

import (
	"fmt"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/kafkatest"
)

// tablesOf makes an instance of a processor with three tables of its own, that runs nothing.
func tablesOf(t *testing.T, group string) (*instance, kafkatest.Broker, *logged) {
	t.Helper()
	p := &Processor{Group: group, Inputs: []string{group + "-words"},
		Tables: []Declared{plain(group), plain(group + "-b"), plain(group + "-c")}}
	var topics []kafkatest.Topic
	for _, topic := range p.TableTopics() {
		topics = append(topics, kafkatest.Topic{Name: topic,
			Config: map[string]string{"cleanup.policy": "delete"}})
	}
	b := lentTopics(t, topics...)
	i, log := another(t, b, p)
	return i, b, log
}

// TestRestoreOfSeveralTables ends when each has what is committed, whatever it begins and ends
// with, and however different they are long.
func TestRestoreOfSeveralTables(t *testing.T) {
	t.Parallel()
	i, b, log := tablesOf(t, "restore-tables")
	first, second, third := i.p.TableTopics()[0], i.p.TableTopics()[1], i.p.TableTopics()[2]
	var many []*kgo.Record
	want := map[string]string{}
	for n := range 3000 {
		want[fmt.Sprint("k", n)] = "1"
		many = append(many, row(second, 1, fmt.Sprint("k", n), "1"))
	}
	within(t, b, kgo.TryCommit, append(many, row(first, 1, "k1", "of the first"))...)
	within(t, b, kgo.TryCommit, row(first, 0, "only", "1"))
	kafkatestAt(t, b, row(third, 2, "cut", "1"), row(third, 2, "kept", "1"),
		row(second, 2, "x", "1"))
	deleteBefore(t, b, third, 2, 1)
	within(t, b, kgo.TryAbort, row(first, 3, "a", "1"), row(second, 3, "a", "1"))
	copies := restored(t, i, 0, 1, 2, 3)
	type rows = map[string]string
	for p, tables := range [][]rows{{{"only": "1"}, {}, {}}, {{"k1": "of the first"}, want, {}},
		{{}, {"x": "1"}, {"kept": "1"}}, {{}, {}, {}}} {
		for table, want := range tables {
			c := copies[int32(p)]
			expectRows(t, c.store, table, want)
			end := kafkatest.MustEndOffsets(t, b, i.p.TableTopics()[table])[int32(p)]
			if c.from[table] != end {
				t.Errorf("table %d of partition %d is read up to %d of %d", table, p, c.from[table],
					end)
			}
		}
	}
	closeCopies(t, copies)
	// It goes on from its disk, of each table from where that is.
	kafkatestAt(t, b, row(third, 1, "later", "1"))
	opened, err := i.open(patient(t), []int32{0, 1}, nil)
	mustDo(t, err)
	if !opened[0].ended || opened[1].ended || opened[1].left() != 1 {
		t.Errorf("of partition 0 %d offsets are left, of partition 1 %d", opened[0].left(),
			opened[1].left())
	}
	mustDo(t, i.restore(patient(t), opened, func(*localCopy) error { return nil }))
	expectRows(t, opened[1].store, 1, want)
	expectRows(t, opened[1].store, 2, rows{"later": "1"})
	closeCopies(t, map[int32]*localCopy{0: opened[0], 1: opened[1]})
	if log.has("WARN") {
		t.Error("warned of nothing")
	}
}

// TestCopyOfWhichOneTableCannotBeContinued is rebuilt as a whole: rows of different tables never
// part.
func TestCopyOfWhichOneTableCannotBeContinued(t *testing.T) {
	t.Parallel()
	for table := range 3 {
		t.Run(fmt.Sprint(table), func(t *testing.T) {
			t.Parallel()
			i, b, log := tablesOf(t, fmt.Sprint("restore-one-", table))
			for _, topic := range i.p.TableTopics() {
				kafkatestAt(t, b, row(topic, 0, "a", "1"), row(topic, 0, "b", "1"))
			}
			closeCopies(t, restored(t, i, 0))
			if log.has("rebuilt") {
				t.Error("warned before anything was amiss")
			}
			s := mustOpen(t, i.storePath(0), 3)
			for n := range 3 {
				at := int64(1)
				if n == table {
					at = 99
				}
				s.Load(n, 1, func(int) ([]byte, []byte, int64) {
					return []byte("of another life"), []byte("x"), at
				})
			}
			mustDo(t, s.Close())
			copies := restored(t, i, 0)
			for n := range 3 {
				expectRows(t, copies[0].store, n, map[string]string{"a": "1", "b": "1"})
				expectOffset(t, copies[0].store, n, 1)
			}
			if !log.has("rebuilt") {
				t.Error("did not warn")
			}
			closeCopies(t, copies)
		})
	}
}

// TestStandbyFollowsAllTables, those that were empty when it began, too, and reads on from there
// when the partition is taken over.
func TestStandbyFollowsAllTables(t *testing.T) {
	t.Parallel()
	i, b, _ := tablesOf(t, "restore-follow")
	i.c.Standby = true
	topics := i.p.TableTopics()
	kafkatestAt(t, b, row(topics[1], 1, "b", "1"))
	mustDo(t, i.pool.recoverAhead(t.Context()))
	mustDo(t, i.pool.resume(t.Context()))
	follower := i.pool.copies[1].store
	for n, topic := range topics {
		kafkatestAt(t, b, row(topic, 1, fmt.Sprint("k", n), "1"))
	}
	for n := range topics {
		untilRow(t, follower, n, fmt.Sprint("k", n), "1")
	}
	taken := i.pool.take([]int32{1})
	diff := gocmp.Diff([]int64{1, 2, 1}, taken[1].from)
	if diff != "" || taken[1].store != follower {
		t.Fatalf("it goes on from (-want +got):\n%s", diff)
	}
	kafkatestAt(t, b, row(topics[2], 1, "last", "1"))
	copies, err := i.open(t.Context(), []int32{1}, taken)
	mustDo(t, err)
	mustDo(t, i.restore(t.Context(), copies, func(*localCopy) error { return nil }))
	expectRows(t, follower, 0, map[string]string{"k0": "1"})
	expectRows(t, follower, 1, map[string]string{"b": "1", "k1": "1"})
	expectRows(t, follower, 2, map[string]string{"k2": "1", "last": "1"})
	closeCopies(t, map[int32]*localCopy{1: copies[0]})
	mustDo(t, i.pool.close())
	mustDo(t, i.failed())
}
