package redrive_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/kafkaread"
	"chargestream/internal/kafkatest"
	"chargestream/redrive"
	"chargestream/topics"
)

// letter is a dead letter; headers are names and values in turn.
func letter(key, reason, source string, headers ...string) *kgo.Record {
	r := &kgo.Record{Topic: topics.DeadLetters, Key: []byte(key), Value: []byte("value")}
	headers = append([]string{topics.HeaderReason, reason, topics.HeaderError, "why",
		topics.HeaderSourceTopic, source, topics.HeaderSourcePartition, "2",
		topics.HeaderSourceOffset, "17"}, headers...)
	for i := 0; i < len(headers); i += 2 {
		r.Headers = append(r.Headers,
			kgo.RecordHeader{Key: headers[i], Value: []byte(headers[i+1])})
	}
	return r
}

// collector is a Producer that keeps what it is given.
type collector struct {
	sent map[string]int
	fail error // of Flush
}

// Send implements redrive.Producer.
func (c *collector) Send(r *kgo.Record) error {
	c.sent[r.Topic]++
	return nil
}

// Flush implements redrive.Producer.
func (c *collector) Flush() (map[string]int, error) { return c.sent, c.fail }

// letters is a broker with dead letters, and a reader of them.
func letters(t *testing.T, list ...*kgo.Record) *kafkaread.Reader {
	t.Helper()
	b := kafkatest.StartFake(t)
	kafkatest.MustTopics(t, b, kafkatest.Topic{Name: topics.DeadLetters})
	kafkatest.MustProduce(t, b, list...)
	client, err := kgo.NewClient(append(kafkaread.Options(), kgo.SeedBrokers(b.Addrs()...))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &kafkaread.Reader{Client: client, Timeout: time.Minute}
}

func TestRun(t *testing.T) {
	reader := letters(t, letter("S1", "late", topics.MeterValues),
		letter("S2", "malformed", topics.Heartbeats), letter("S3", "malformed", "payroll"),
		letter("S4", "malformed", topics.Table(topics.TableStations)),
		letter("S5", "oversized", topics.MeterValues, topics.HeaderSourceBytes, "900000"))
	both := map[string]int{topics.MeterValues: 1, topics.Heartbeats: 1}
	left := map[string]int{"payroll": 1, "stations-table": 1, topics.MeterValues: 1}
	late := map[string]int{topics.MeterValues: 1}
	for _, step := range []struct {
		name   string
		config redrive.Config
		want   redrive.Answer
		sent   map[string]int
	}{
		{"dry run", redrive.Config{DryRun: true},
			redrive.Answer{DryRun: true, Redriven: both, Left: left}, nil},
		{"first", redrive.Config{}, redrive.Answer{Redriven: both, Left: left}, both},
		{"second", redrive.Config{}, redrive.Answer{Redriven: nil, Left: nil}, nil},
		{"a reason keeps its own place", redrive.Config{Reason: "late"},
			redrive.Answer{Redriven: late}, late},
		{"of a reason", redrive.Config{Reason: "late"}, redrive.Answer{}, nil},
		{"again", redrive.Config{Again: true}, redrive.Answer{Redriven: both, Left: left}, both},
	} {
		p := &collector{sent: map[string]int{}}
		got, err := redrive.Run(t.Context(), reader, p, step.config)
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		for _, m := range []*map[string]int{&step.want.Redriven, &step.want.Left, &step.sent} {
			if *m == nil {
				*m = map[string]int{}
			}
		}
		if diff := cmp.Diff(&step.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
		if diff := cmp.Diff(step.sent, p.sent); diff != "" {
			t.Errorf("%s sent (-want +got):\n%s", step.name, diff)
		}
	}
}

// TestFailedRunIsNotKept: letters whose records were not acknowledged are driven again next time.
func TestFailedRunIsNotKept(t *testing.T) {
	reader := letters(t, letter("S1", "late", topics.MeterValues))
	lost := errors.New("not acknowledged")
	p := &collector{sent: map[string]int{}, fail: lost}
	if _, err := redrive.Run(t.Context(), reader, p, redrive.Config{}); !errors.Is(err, lost) {
		t.Errorf("error %v", err)
	}
	p = &collector{sent: map[string]int{}}
	got, err := redrive.Run(t.Context(), reader, p, redrive.Config{})
	if err != nil || got.Redriven[topics.MeterValues] != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestRecord(t *testing.T) {
	const arrived, written = "2024-01-01T00:00:00Z", "2024-06-01T00:00:00Z"
	for name, c := range map[string]struct {
		headers []string
		want    map[string]string
	}{
		"with an arrival": {[]string{topics.HeaderArrival, arrived, topics.HeaderSourceTime,
			written, "trace", "x"}, map[string]string{topics.HeaderArrival: arrived, "trace": "x",
			topics.HeaderRedriven: "1"}},
		"without": {[]string{topics.HeaderSourceTime, written, topics.HeaderRedriven, "2"},
			map[string]string{topics.HeaderArrival: written, topics.HeaderRedriven: "3"}},
		"with neither": {[]string{topics.HeaderSourceTime, "noon", topics.HeaderRedriven, "-7"},
			map[string]string{topics.HeaderRedriven: "1"}},
	} {
		r := redrive.Record(letter("S1", "late", topics.MeterValues, c.headers...))
		got := map[string]string{}
		for _, h := range r.Headers {
			got[h.Key] = string(h.Value)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: headers (-want +got):\n%s", name, diff)
		}
		if r.Topic != topics.MeterValues || string(r.Key) != "S1" || string(r.Value) != "value" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestTakes: letters go to topics that are input, and to no table.
func TestTakes(t *testing.T) {
	for _, topic := range topics.All() {
		want := topic.Kind != topics.KindTable && topic.Kind != topics.KindDerived
		if redrive.Takes(topic.Name) != want {
			t.Errorf("%s takes letters: %v", topic.Name, !want)
		}
	}
	if redrive.Takes("payroll") || redrive.Takes("") {
		t.Error("a topic takes letters that the register does not have")
	}
}
