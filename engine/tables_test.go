package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/engine/store"
	"chargestream/internal/kafkatest"
)

// tally keeps three tables of one topic: how often each key came, how often with each last byte of
// the value, and, derived of the first when it is committed, the last count. It emits every count,
// and the newest of a commit on another topic.
func tally(name string) *engine.Processor {
	counts, bytes, latest := numbers(name), numbers(name+"-bytes"), numbers(name+"-latest")
	add := func(ctx *engine.Context, table *engine.Table[int], key string) (int, error) {
		n, err := table.Edit(ctx, key)
		if err != nil {
			return 0, err
		}
		*n++
		return *n, nil
	}
	counts.Flush = func(ctx *engine.Context, key string, n *int) error {
		row, err := latest.Edit(ctx, key+"/n")
		if err != nil {
			return err
		}
		*row = *n
		ctx.Emit(name+"-state", key, fmt.Append(nil, *n))
		return nil
	}
	return &engine.Processor{Group: name, Inputs: []string{name + "-words"},
		Tables:  []engine.Declared{counts, bytes, latest},
		Outputs: []engine.Output{{Topic: name + "-counts"}, {Topic: name + "-state", Newest: true}},
		Fold: func(ctx *engine.Context, m *engine.Message) error {
			n, err := add(ctx, counts, m.Key)
			if err != nil {
				return err
			}
			ctx.Emit(name+"-counts", m.Key, fmt.Append(nil, n))
			last := m.Value[len(m.Value)-1:]
			_, err = add(ctx, bytes, engine.EscapeKey(m.Key)+"/"+string(last))
			return err
		}}
}

func tallyTopics(t *testing.T, b kafkatest.Broker, name string) {
	t.Helper()
	topicsOf(t, b, name)
	shared.mustTopics(t, b, kafkatest.CompactedTopic(name+"-bytes-table"),
		kafkatest.CompactedTopic(name+"-latest-table"), kafkatest.Topic{Name: name + "-state"})
}

// rowsOfTopic are the rows of a changelog, without the engine's own.
func rowsOfTopic(t *testing.T, b kafkatest.Broker, topic string) map[string]string {
	t.Helper()
	rows := map[string]string{}
	for key, row := range kafkatest.Compacted(kafkatest.MustReadAll(t, b, topic, true)) {
		if !engine.Reserved(key) {
			rows[key] = string(row)
		}
	}
	return rows
}

// lastBytes are the rows that a tally has of last bytes when the values of each key are the numbers
// from one on.
func lastBytes(sent map[string]int) map[string]string {
	counts := map[string]int{}
	for key, n := range sent {
		for i := range n {
			counts[fmt.Sprintf("%s/%d", key, (i+1)%10)]++
		}
	}
	rows := map[string]string{}
	for key, n := range counts {
		rows[key] = strconv.Itoa(n)
	}
	return rows
}

// expectTallied checks all that a tally keeps and emits, each record counted once: of a key with n
// records whose values are the numbers from one on.
func expectTallied(t *testing.T, b kafkatest.Broker, name string, sent map[string]int) {
	t.Helper()
	expectExact(t, b, name, sent)
	if diff := cmp.Diff(lastBytes(sent), rowsOfTopic(t, b, name+"-bytes-table")); diff != "" {
		t.Errorf("rows of last bytes (-want +got):\n%s", diff)
	}
	want := map[string]string{}
	for key, n := range sent {
		want[key+"/n"] = strconv.Itoa(n)
	}
	if diff := cmp.Diff(want, rowsOfTopic(t, b, name+"-latest-table")); diff != "" {
		t.Errorf("rows of last counts (-want +got):\n%s", diff)
	}
	state := map[string]int{}
	for _, r := range kafkatest.MustReadAll(t, b, name+"-state", true) {
		n, err := strconv.Atoi(string(r.Value))
		if err != nil || n <= state[string(r.Key)] {
			t.Errorf("state of %s is %s after %d (%v)", r.Key, r.Value, state[string(r.Key)], err)
		}
		state[string(r.Key)] = n
	}
	if diff := cmp.Diff(sent, state); diff != "" {
		t.Errorf("last states (-want +got):\n%s", diff)
	}
}

// expectLocalIsChangelog opens the local copies that an instance left, and holds each table
// against its changelog.
func expectLocalIsChangelog(t *testing.T, b kafkatest.Broker, p *engine.Processor, dir string) {
	t.Helper()
	for partition := range int32(kafkatest.DefaultPartitions) {
		path := filepath.Join(dir, p.Group, fmt.Sprintf("%s.%d", p.Table(), partition))
		s, err := store.Open(path, len(p.Tables))
		if err != nil {
			t.Fatal(err)
		}
		for table, topic := range p.TableTopics() {
			want, got, last := map[string]string{}, map[string]string{}, int64(-1)
			var records []*kgo.Record
			for _, r := range kafkatest.MustReadAll(t, b, topic, true) {
				if r.Partition == partition {
					records, last = append(records, r), r.Offset
				}
			}
			for key, row := range kafkatest.Compacted(records) {
				if !engine.Reserved(key) {
					want[key] = string(row)
				}
			}
			err := s.Each(table, func(key string, row []byte) error {
				got[key] = string(row)
				return nil
			})
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("local copy of %s/%d (%v) (-changelog +copy):\n%s", topic, partition, err,
					diff)
			}
			if at := s.Offset(table); at < last {
				t.Errorf("local copy of %s/%d is at %d, the changelog at %d", topic, partition, at,
					last)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// numberedWords writes n records of each of some keys; the nth record of a key has value n.
func numberedWords(t *testing.T, b kafkatest.Broker, name string, n int, sent map[string]int) {
	t.Helper()
	var records []*kgo.Record
	for range n {
		for i := range 2 * pourKeys {
			key := fmt.Sprintf("word-%d", i)
			sent[key]++
			records = append(records, put(name+"-words", key, strconv.Itoa(sent[key])))
		}
	}
	kafkatest.MustProduce(t, b, records...)
}

// TestTablesOutliveTheirDisk: the rows of all tables are counted on from where they were, whether
// the disk is kept or lost, and the local copy is what the changelogs have.
func TestTablesOutliveTheirDisk(t *testing.T) {
	for _, guarantee := range []engine.Guarantee{engine.ExactlyOnce, engine.AtLeastOnce} {
		t.Run(string(guarantee), func(t *testing.T) {
			t.Parallel()
			b, name := shared.Broker(t), "tables-"+string(guarantee)[:2]
			tallyTopics(t, b, name)
			p, c, sent := tally(name), configOf(t, b, "one"), map[string]int{}
			c.Guarantee = guarantee
			for _, lost := range []bool{false, false, true, true, false} {
				if lost {
					if err := os.RemoveAll(c.StateDir); err != nil {
						t.Fatal(err)
					}
				}
				numberedWords(t, b, name, 7, sent)
				runUntilCaughtUp(t, p, c)
				expectLocalIsChangelog(t, b, p, c.StateDir)
				expectTallied(t, b, name, sent)
				if t.Failed() {
					return
				}
			}
			expectOffsetsAreProgress(t, b, p)
		})
	}
}

// TestTakeoverOfSeveralTables: an instance is killed beside another, which takes over what it had.
func TestTakeoverOfSeveralTables(t *testing.T) {
	if testing.Short() {
		t.Skip("a takeover takes the session timeout")
	}
	t.Parallel()
	b, name := shared.Broker(t), "tables-takeover"
	tallyTopics(t, b, name)
	water := startPour(t, b, name+"-words")
	victim := startChild(t, childTask{Name: name, Kind: "tally", Brokers: b.Addrs(),
		StateDir: t.TempDir(), Guarantee: engine.ExactlyOnce})
	eventually(t, "the child works", func() bool { return recordsIn(t, b, name+"-counts") > 100 })
	p, folded := counted(tally(name))
	c := configOf(t, b, "two")
	r := start(t, p, c)
	untilShared(t, b, name, map[string]int{"one": 2, "two": 2})
	eventually(t, "both work", func() bool { return folded.Load() > 100 })
	victim.kill(t)
	untilShared(t, b, name, map[string]int{"two": kafkatest.DefaultPartitions})
	before := folded.Load()
	eventually(t, "it works on", func() bool { return folded.Load() > before+200 })
	sent := water.end(t)
	r.stop(t)
	runUntilCaughtUp(t, p, c)
	expectTallied(t, b, name, sent)
	expectLocalIsChangelog(t, b, p, c.StateDir)
	expectOffsetsAreProgress(t, b, p)
}

// TestTakeoverFencesAllTables: a dead owner left a transaction open that got no further than one of
// the tables. It is ended at once, and what it wrote is none.
func TestTakeoverFencesAllTables(t *testing.T) {
	t.Parallel()
	for n, table := range []string{"-table", "-bytes-table", "-latest-table"} {
		t.Run(table[1:], func(t *testing.T) {
			t.Parallel()
			b, name := shared.Broker(t), fmt.Sprint("tables-fenced-", n)
			tallyTopics(t, b, name)
			p, c, sent := tally(name), configOf(t, b, "one"), map[string]int{}
			numberedWords(t, b, name, 3, sent)
			runUntilCaughtUp(t, p, c)
			dead, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...),
				kgo.TransactionalID(name+"-dead"), kgo.TransactionTimeout(10*time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			defer dead.Close()
			if err := dead.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			r := put(name+table, "word-1/n", "1000")
			if err := dead.ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
			c.StateDir = t.TempDir()
			numberedWords(t, b, name, 3, sent)
			runUntilCaughtUp(t, p, c)
			if err := dead.EndTransaction(t.Context(), kgo.TryCommit); err == nil {
				t.Error("the dead owner commits after a takeover")
			}
			expectTallied(t, b, name, sent)
			expectLocalIsChangelog(t, b, p, c.StateDir)
		})
	}
}

// TestTableThatIsAdded is empty at first, whether the disk of before is there or not; the others go
// on.
func TestTableThatIsAdded(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "tables-added"
	tallyTopics(t, b, name)
	c, sent := configOf(t, b, "one"), map[string]int{}
	numberedWords(t, b, name, 4, sent)
	before := lastBytes(sent)
	runUntilCaughtUp(t, named(name, wordCount()), c)
	numberedWords(t, b, name, 5, sent)
	p := tally(name)
	runUntilCaughtUp(t, p, c)
	expectExact(t, b, name, sent)
	want := map[string]string{}
	for key, n := range lastBytes(sent) {
		if before[key] == "" {
			want[key] = n
		}
	}
	if diff := cmp.Diff(want, rowsOfTopic(t, b, name+"-bytes-table")); diff != "" {
		t.Errorf("rows of the new table (-want +got):\n%s", diff)
	}
	expectLocalIsChangelog(t, b, p, c.StateDir)
}

// TestTableThatIsMadeAnew: the topic of one table was deleted and made again, with more records
// than before. What the local copy has of the old one does not show.
func TestTableThatIsMadeAnew(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "tables-again"
	tallyTopics(t, b, name)
	p, c, sent := tally(name), configOf(t, b, "one"), map[string]int{}
	numberedWords(t, b, name, 3, sent)
	runUntilCaughtUp(t, p, c)
	topic, want := name+"-bytes-table", map[string]string{}
	ends := kafkatest.MustEndOffsets(t, b, topic)
	shared.mustTopics(t, b, kafkatest.CompactedTopic(topic))
	for partition, end := range ends {
		for n := range end + 5 {
			key := fmt.Sprintf("foreign-%d-%d", partition, n)
			want[key] = "7"
			r := &kgo.Record{Topic: topic, Partition: partition, Key: []byte(key),
				Value: []byte("7")}
			if err := kafkatest.ProduceAt(t.Context(), b.Addrs(), r); err != nil {
				t.Fatal(err)
			}
		}
	}
	numberedWords(t, b, name, 1, sent)
	for key, n := range sent {
		want[fmt.Sprintf("%s/%d", key, n)] = "1"
	}
	runUntilCaughtUp(t, p, c)
	if diff := cmp.Diff(want, rowsOfTopic(t, b, topic)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	expectLocalIsChangelog(t, b, p, c.StateDir)
	expectExact(t, b, name, sent)
}

// TestRowView finds a row by the beginning of its key, which determines the partition, whatever
// that has of slashes and percent signs.
func TestRowView(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "tables-view"
	tallyTopics(t, b, name)
	keys := []string{"plain", "a/b", "/", "50%", "%2F", "a/b/c", "%", "x/50%/y"}
	want := map[string]string{}
	for _, key := range keys {
		kafkatest.MustProduce(t, b, put(name+"-words", key, "1"), put(name+"-words", key, "1"),
			put(name+"-words", key, "2"))
		want[engine.EscapeKey(key)+"/1"], want[engine.EscapeKey(key)+"/2"] = "2", "1"
	}
	runUntilCaughtUp(t, tally(name), configOf(t, b, "one"))
	v, err := engine.NewRowView(b.Addrs(), name+"-bytes-table", testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	runView(t, v)
	eventually(t, "view is ready", v.Ready)
	expectView(t, v, want)
}
