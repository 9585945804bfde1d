package engine_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/engine"
	"chargestream/internal/kafkatest"
)

// translation is two processors: one keeps a dictionary as its table, the other looks words up in
// that table.
func translation(name string) (maker, reader *engine.Processor) {
	table, entries := name+"-maker-table", name+"-entries"
	maker = &engine.Processor{Group: name + "-maker", Inputs: []string{entries},
		Fold: func(ctx engine.Context, m *engine.Message) error {
			ctx.SetRow(append([]byte(nil), m.Value...))
			return nil
		}}
	reader = &engine.Processor{Group: name, Inputs: []string{name + "-words"},
		Outputs: []string{name + "-counts"}, Lookups: []string{table},
		Sources: map[string][]string{table: {entries}},
		Fold: func(ctx engine.Context, _ *engine.Message) error {
			word, err := ctx.Lookup(table, ctx.Key())
			if err != nil {
				return err
			}
			ctx.Emit(name+"-counts", ctx.Key(), append([]byte("="), word...))
			return nil
		}}
	return maker, reader
}

func translationTopics(t *testing.T, b kafkatest.Broker, name string) {
	t.Helper()
	topicsOf(t, b, name)
	shared.mustTopics(t, b, kafkatest.Topic{Name: name + "-entries"},
		kafkatest.CompactedTopic(name+"-maker-table"))
}

// told are the outputs of a key, one behind the other.
func told(t *testing.T, b kafkatest.Broker, name string) map[string]string {
	t.Helper()
	got := map[string]string{}
	for _, r := range kafkatest.MustReadAll(t, b, name+"-counts", true) {
		got[string(r.Key)] += string(r.Value)
	}
	return got
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
			if got := told(t, b, name); len(got) > 0 {
				t.Fatalf("folded before the table was there: %v", got)
			}
			c = configOf(t, b, "maker")
			c.Guarantee = guarantee
			making := start(t, maker, c)
			want := map[string]string{"one": "=uno", "two": "=due", "three": "=",
				"\x00progress": "="}
			eventually(t, "all is told", func() bool { return len(told(t, b, name)) == len(want) })
			if diff := cmp.Diff(want, told(t, b, name)); diff != "" {
				t.Errorf("emitted (-want +got):\n%s", diff)
			}
			kafkatest.MustProduce(t, b, put(entries, "one", "eins"))
			eventually(t, "the new word is seen", func() bool {
				kafkatest.MustProduce(t, b, put(words, "one", "x"))
				got := told(t, b, name)["one"]
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
	eventually(t, "it is told", func() bool { return told(t, b, name)["one"] == "=uno" })
	<-time.After(2 * c.SourcesMax)
	if !member.Load() {
		t.Error("ended although nothing was behind")
	}
	kafkatest.MustProduce(t, b, put(entries, "one", "eins"))
	eventually(t, "the reader stands still", func() bool { return !member.Load() })
	kafkatest.MustProduce(t, b, put(words, "one", "x"))
	<-time.After(time.Second) // it would have folded by then
	if got := told(t, b, name)["one"]; got != "=uno" {
		t.Errorf("told %q while the table was behind", got)
	}
	making := start(t, maker, configOf(t, b, "again"))
	eventually(t, "it is told", func() bool { return told(t, b, name)["one"] == "=uno=eins" })
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

// TestDriverLooksUpTablesOfOthers: what one processor sets another sees with the next record.
func TestDriverLooksUpTablesOfOthers(t *testing.T) {
	t.Parallel()
	maker, reader := translation("driven")
	for what, procs := range map[string][]*engine.Processor{
		"maker first": {maker, reader}, "reader first": {reader, maker}} {
		d, err := engine.NewDriver(3, procs...)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		d.OnRecord = func(_, key string, value []byte, _ []engine.Header) {
			got = append(got, key+string(value))
		}
		feed := func(topic, key string, value []byte) {
			if err := d.Feed(engine.Message{Topic: "driven-" + topic, Partition: -1, Key: key,
				HasKey: true, Value: value}); err != nil {
				t.Fatal(err)
			}
		}
		feed("words", "one", nil)
		feed("entries", "one", []byte("uno"))
		feed("words", "one", nil)
		feed("words", "\x00progress", nil)
		feed("entries", "one", nil)
		feed("words", "one", nil)
		feed("maker-table", "one", []byte("eins")) // as where the other processor is elsewhere
		feed("words", "one", nil)
		want := []string{"one=", "one=uno", "\x00progress=", "one=", "one=eins"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: emitted (-want +got):\n%s", what, diff)
		}
	}
}
