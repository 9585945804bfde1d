package engine_test

import (
	"fmt"
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

// translation is two processors: one keeps a dictionary as its table, the other looks words up in
// that table.
func translation(name string) (maker, reader *engine.Processor) {
	table, entries := name+"-maker-table", name+"-entries"
	dictionary := texts(name + "-maker")
	maker = &engine.Processor{Group: name + "-maker", Inputs: []string{entries},
		Tables: []engine.Declared{dictionary},
		Fold: func(ctx *engine.Context, m *engine.Message) error {
			row, err := dictionary.Edit(ctx, m.Key)
			if err == nil {
				*row = string(m.Value)
			}
			return err
		}}
	reader = lookingUp(name, table)
	reader.Sources = map[string][]string{table: {entries}}
	return maker, reader
}

// texts is a table of text.
func texts(name string) *engine.Table[string] {
	return &engine.Table[string]{Name: name,
		Decode: func(_ string, row []byte) (*string, error) {
			text := string(row)
			return &text, nil
		},
		Append: func(buf []byte, row *string) []byte { return append(buf, *row...) }}
}

// lookingUp emits what each key is in a table that it looks up.
func lookingUp(name, table string) *engine.Processor {
	return &engine.Processor{Group: name, Inputs: []string{name + "-words"},
		Tables: []engine.Declared{numbers(name)}, Lookups: []string{table},
		Outputs: []engine.Output{{Topic: name + "-counts"}},
		Fold: func(ctx *engine.Context, m *engine.Message) error {
			word, err := ctx.Lookup(table, m.Key)
			if err != nil {
				return err
			}
			ctx.Emit(name+"-counts", m.Key, append([]byte("="), word...))
			return nil
		}}
}

func translationTopics(t *testing.T, b kafkatest.Broker, name string) {
	t.Helper()
	topicsOf(t, b, name)
	shared.mustTopics(t, b, kafkatest.Topic{Name: name + "-entries"},
		kafkatest.CompactedTopic(name+"-maker-table"))
}

// outputsOf are the outputs of a key, one behind the other.
func outputsOf(t *testing.T, b kafkatest.Broker, name string) map[string]string {
	t.Helper()
	got := map[string]string{}
	for _, r := range kafkatest.MustReadAll(t, b, name+"-counts", true) {
		got[string(r.Key)] += string(r.Value)
	}
	return got
}

// misplaced is a word that lies in another partition in capitals.
func misplaced(partitions int32) string {
	for n := 0; ; n++ {
		word := fmt.Sprintf("word-%d", n)
		if engine.PartitionOf(word, partitions) !=
			engine.PartitionOf(strings.ToUpper(word), partitions) {
			return word
		}
	}
}

// TestLookupOfRepartitioned: a record that the other processor repartitions is read by it twice,
// and is in its table only after the second time.
func TestLookupOfRepartitioned(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "sources-moved"
	translationTopics(t, b, name)
	maker, reader := translation(name)
	maker.Address = func(m *engine.Message) { m.Key = strings.ToLower(m.Key) }
	word := misplaced(partitionsOf(t, b, name+"-entries"))
	kafkatest.MustProduce(t, b, put(name+"-entries", strings.ToUpper(word), "uno"),
		put(name+"-words", word, "x"))
	reading := start(t, reader, configOf(t, b, "reader"))
	c := configOf(t, b, "maker")
	c.CommitInterval = time.Second // between the two times
	making := start(t, maker, c)
	eventually(t, "it is emitted", func() bool { return outputsOf(t, b, name)[word] != "" })
	if got := outputsOf(t, b, name)[word]; got != "=uno" {
		t.Errorf("emitted %q before the table was complete", got)
	}
	reading.stop(t)
	making.stop(t)
}

// partitionsOf is how many partitions a topic has.
func partitionsOf(t *testing.T, b kafkatest.Broker, topic string) int32 {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	details, err := kadm.NewClient(client).ListTopics(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	return int32(len(details[topic].Partitions))
}

// TestLookupOfAnotherTable: who looks a table up that another processor keeps waits until the other
// has read what there was, sees what is committed later, and no key of the engine's own.
func TestLookupOfAnotherTable(t *testing.T) {
	t.Parallel()
	for _, guarantee := range []engine.Guarantee{engine.ExactlyOnce, engine.AtLeastOnce} {
		t.Run(string(guarantee), func(t *testing.T) {
			t.Parallel()
			b, name := shared.Broker(t), "sources-"+string(guarantee)[:2]
			translationTopics(t, b, name)
			maker, reader := translation(name)
			entries, words := name+"-entries", name+"-words"
			// A transaction that was aborted, and control records, end the topic.
			transaction(t, b, kgo.TryCommit, put(entries, "one", "uno"), put(entries, "two", "due"))
			transaction(t, b, kgo.TryAbort, put(entries, "one", "bad"), put(entries, "x", "bad"))
			for _, key := range []string{"one", "two", "three", "\x00progress"} {
				kafkatest.MustProduce(t, b, put(words, key, "x"))
			}
			c := configOf(t, b, "reader")
			c.Guarantee = guarantee
			reading := start(t, reader, c)
			<-time.After(time.Second) // it would have folded by then
			if got := outputsOf(t, b, name); len(got) > 0 {
				t.Fatalf("folded before the table was there: %v", got)
			}
			c = configOf(t, b, "maker")
			c.Guarantee = guarantee
			making := start(t, maker, c)
			want := map[string]string{"one": "=uno", "two": "=due", "three": "=",
				"\x00progress": "="}
			eventually(t, "all is emitted", func() bool {
				return len(outputsOf(t, b, name)) == len(want)
			})
			if diff := cmp.Diff(want, outputsOf(t, b, name)); diff != "" {
				t.Errorf("emitted (-want +got):\n%s", diff)
			}
			kafkatest.MustProduce(t, b, put(entries, "one", "eins"))
			eventually(t, "the new word is seen", func() bool {
				kafkatest.MustProduce(t, b, put(words, "one", "x"))
				got := outputsOf(t, b, name)["one"]
				return len(got) > 5 && got[len(got)-5:] == "=eins"
			})
			reading.stop(t)
			making.stop(t)
		})
	}
}

// TestLookupTableThatNobodyKeeps: where the other processor has stopped nothing is folded after a
// while, until it is back.
func TestLookupTableThatNobodyKeeps(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "unkept"
	translationTopics(t, b, name)
	maker, reader := translation(name)
	entries, words := name+"-entries", name+"-words"
	kafkatest.MustProduce(t, b, put(entries, "one", "uno"), put(words, "one", "x"))
	var member atomic.Bool
	c := configOf(t, b, "reader")
	c.SourcesMax = 300 * time.Millisecond
	c.OnState = func(s engine.State) { member.Store(s.Member) }
	reading := start(t, reader, c)
	runUntilCaughtUp(t, maker, configOf(t, b, "maker"))
	eventually(t, "it is emitted", func() bool { return outputsOf(t, b, name)["one"] == "=uno" })
	<-time.After(2 * c.SourcesMax)
	if !member.Load() {
		t.Error("ended although nothing was behind")
	}
	kafkatest.MustProduce(t, b, put(entries, "one", "eins"))
	eventually(t, "the reader stands still", func() bool { return !member.Load() })
	kafkatest.MustProduce(t, b, put(words, "one", "x"))
	<-time.After(time.Second) // it would have folded by then
	if got := outputsOf(t, b, name)["one"]; got != "=uno" {
		t.Errorf("emitted %q while the table was behind", got)
	}
	making := start(t, maker, configOf(t, b, "again"))
	eventually(t, "it is emitted", func() bool {
		return outputsOf(t, b, name)["one"] == "=uno=eins"
	})
	reading.stop(t)
	making.stop(t)
}

// TestStopWhileSourcesAreAwaited: an instance that waits for another one's table stops at once.
func TestStopWhileSourcesAreAwaited(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "await-stop"
	translationTopics(t, b, name)
	_, reader := translation(name)
	kafkatest.MustProduce(t, b, put(name+"-entries", "one", "uno"))
	reading := start(t, reader, configOf(t, b, "reader"))
	<-time.After(time.Second) // it waits by then
	reading.stop(t)
}
