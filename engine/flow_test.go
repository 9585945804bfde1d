package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/internal/kafkatest"
)

// numbers is a table of numbers.
func numbers(name string) *engine.Table[int] {
	return &engine.Table[int]{Name: name,
		Decode: func(_ string, row []byte) (*int, error) {
			n, err := strconv.Atoi(string(row))
			return &n, err
		},
		Append: func(buf []byte, n *int) []byte { return strconv.AppendInt(buf, int64(*n), 10) }}
}

// wordCount counts how often each key came, and emits every count. A count is no semilattice: a
// record that is folded twice shows.
func wordCount() *engine.Processor {
	table := numbers("wordcount")
	p := &engine.Processor{Group: "wordcount", Inputs: []string{"words"},
		Tables: []engine.Declared{table}, Outputs: []engine.Output{{Topic: "counts"}}}
	p.Fold = func(ctx *engine.Context, m *engine.Message) error {
		n, err := table.Edit(ctx, m.Key)
		if err != nil {
			return err
		}
		*n++
		ctx.Emit(p.Outputs[0].Topic, m.Key, fmt.Append(nil, *n))
		return nil
	}
	return p
}

// largest keeps the largest number that each key came with, and passes every number on. Its rows
// are a semilattice: a record that is folded twice does not show.
func largest() *engine.Processor {
	table := numbers("largest")
	p := &engine.Processor{Group: "largest", Inputs: []string{"numbers"},
		Tables: []engine.Declared{table}, Outputs: []engine.Output{{Topic: "passed"}}}
	p.Fold = func(ctx *engine.Context, m *engine.Message) error {
		number, err := strconv.Atoi(string(m.Value))
		if err != nil {
			return err
		}
		row, err := table.Edit(ctx, m.Key)
		if err != nil {
			return err
		}
		*row = max(*row, number)
		ctx.Emit(p.Outputs[0].Topic, m.Key, append([]byte(nil), m.Value...))
		return nil
	}
	return p
}

// named gives wordCount or largest topics and a group of its own, so that tests can share a broker.
func named(name string, p *engine.Processor) *engine.Processor {
	p.Inputs = []string{name + "-words"}
	p.Outputs = []engine.Output{{Topic: name + "-counts"}}
	return grouped(name, p)
}

// grouped gives it a group, and its first table the same name.
func grouped(name string, p *engine.Processor) *engine.Processor {
	p.Group = name
	p.Tables[0].(*engine.Table[int]).Name = name
	return p
}

func topicsOf(t *testing.T, b kafkatest.Broker, name string) {
	t.Helper()
	shared.mustTopics(t, b, kafkatest.Topic{Name: name + "-words"},
		kafkatest.Topic{Name: name + "-counts"}, kafkatest.CompactedTopic(name+"-table"))
}

// pour writes numbered records to a topic until it is stopped: the nth record of a key has value n,
// counted from one.
type pour struct {
	sent map[string]int
	stop chan struct{}
	done chan error
}

const pourKeys = 11

func startPour(t *testing.T, b kafkatest.Broker, topic string) *pour {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.DefaultProduceTopic(topic))
	if err != nil {
		t.Fatal(err)
	}
	p := &pour{sent: map[string]int{}, stop: make(chan struct{}), done: make(chan error, 1)}
	go func() {
		defer client.Close()
		p.done <- p.run(client)
	}()
	return p
}

func (p *pour) run(client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(4 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; {
		var batch []*kgo.Record
		for range 8 {
			key := fmt.Sprintf("word-%d", n%pourKeys)
			p.sent[key]++
			n++
			batch = append(batch, &kgo.Record{Key: []byte(key),
				Value: strconv.AppendInt(nil, int64(p.sent[key]), 10)})
		}
		if err := client.ProduceSync(ctx, batch...).FirstErr(); err != nil {
			return err
		}
		select {
		case <-p.stop:
			return nil
		case <-tick.C:
		}
	}
}

// end stops the pour and returns how many records each key got.
func (p *pour) end(t *testing.T) map[string]int {
	t.Helper()
	close(p.stop)
	if err := <-p.done; err != nil {
		t.Fatalf("pour: %v", err)
	}
	return p.sent
}

// expectExact checks the word count: of a key with n records the outputs are 1 to n, each once, and
// the table holds n.
func expectExact(t *testing.T, b kafkatest.Broker, name string, sent map[string]int) {
	t.Helper()
	counts := map[string][]string{}
	for _, r := range kafkatest.MustReadAll(t, b, name+"-counts", true) {
		counts[string(r.Key)] = append(counts[string(r.Key)], string(r.Value))
	}
	table := kafkatest.Compacted(kafkatest.MustReadAll(t, b, name+"-table", true))
	total := 0
	for key, n := range sent {
		total += n
		want := make([]string, n)
		for i := range want {
			want[i] = strconv.Itoa(i + 1)
		}
		if diff := cmp.Diff(want, counts[key]); diff != "" {
			t.Errorf("outputs of %s (-want +got):\n%s", key, diff)
		}
		if got := string(table[key]); got != strconv.Itoa(n) {
			t.Errorf("table of %s is %s, want %d", key, got, n)
		}
	}
	if len(counts) != len(sent) {
		t.Errorf("outputs of %d keys, want %d", len(counts), len(sent))
	}
	t.Logf("%d records of %d keys", total, len(sent))
}

// expectLargest checks that no record was lost: each number was passed on, and the table holds the
// largest.
func expectLargest(t *testing.T, b kafkatest.Broker, name string, sent map[string]int) {
	t.Helper()
	passed := map[string]map[string]int{}
	total := 0
	for _, r := range kafkatest.MustReadAll(t, b, name+"-counts", true) {
		if passed[string(r.Key)] == nil {
			passed[string(r.Key)] = map[string]int{}
		}
		passed[string(r.Key)][string(r.Value)]++
		total++
	}
	table := kafkatest.Compacted(kafkatest.MustReadAll(t, b, name+"-table", true))
	want := 0
	for key, n := range sent {
		want += n
		for i := range n {
			if passed[key][strconv.Itoa(i+1)] == 0 {
				t.Errorf("%d of %s was not passed on", i+1, key)
			}
		}
		if got := string(table[key]); got != strconv.Itoa(n) {
			t.Errorf("table of %s is %s, want %d", key, got, n)
		}
	}
	t.Logf("%d records, passed on %d times", want, total)
}

// expectOffsetsBehindProgress checks that no input offset was committed that the changelog does not
// cover. It reads what is not committed too, as a transaction may be open.
func expectOffsetsBehindProgress(t *testing.T, b kafkatest.Broker, p *engine.Processor) {
	t.Helper()
	committed := committedOffsets(t, b, p.Group)
	progress := progressOf(t, b, p, false)
	committed.Each(func(o kadm.OffsetResponse) {
		if recorded := progress[o.Partition][o.Topic]; o.At > recorded {
			t.Errorf("%s/%d: offset %d is committed, the changelog has %d",
				o.Topic, o.Partition, o.At, recorded)
		}
	})
}

// expectOffsetsAreProgress checks that after all is done both are the same.
func expectOffsetsAreProgress(t *testing.T, b kafkatest.Broker, p *engine.Processor) {
	t.Helper()
	committed := committedOffsets(t, b, p.Group)
	compared := 0
	for partition, topics := range progressOf(t, b, p, true) {
		for topic, recorded := range topics {
			compared++
			if o, ok := committed.Lookup(topic, partition); !ok || o.At != recorded {
				t.Errorf("%s/%d: offset %d is committed, the changelog has %d", topic,
					partition, o.At, recorded)
			}
		}
	}
	if compared == 0 {
		t.Error("no progress record was found")
	}
}

func committedOffsets(t *testing.T, b kafkatest.Broker, group string) kadm.OffsetResponses {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var offsets kadm.OffsetResponses
	withAdmin(t, b, func(admin *kadm.Client) error {
		var err error
		offsets, err = admin.FetchOffsets(ctx, group)
		return errors.Join(err, offsets.Error())
	})
	return offsets
}

func withAdmin(t *testing.T, b kafkatest.Broker, f func(*kadm.Client) error) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := f(kadm.NewClient(client)); err != nil {
		t.Fatal(err)
	}
}

// progressOf is the last progress record of each partition, by partition and topic.
func progressOf(t *testing.T, b kafkatest.Broker, p *engine.Processor, committed bool,
) map[int32]map[string]int64 {
	t.Helper()
	progress := map[int32]map[string]int64{}
	for _, r := range kafkatest.MustReadAll(t, b, p.Table(), committed) {
		if !engine.Reserved(string(r.Key)) {
			continue
		}
		if progress[r.Partition] == nil {
			progress[r.Partition] = map[string]int64{}
		}
		for line := range strings.Lines(string(r.Value)) {
			topic, text, _ := strings.Cut(strings.TrimSpace(line), " ")
			if topic == "#layout" {
				continue
			}
			offset, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				t.Fatalf("progress record %q: %v", r.Value, err)
			}
			progress[r.Partition][topic] = offset
		}
	}
	return progress
}

func recordsIn(t *testing.T, b kafkatest.Broker, topic string) int64 {
	t.Helper()
	var n int64
	for _, end := range kafkatest.MustEndOffsets(t, b, topic) {
		n += end
	}
	return n
}
