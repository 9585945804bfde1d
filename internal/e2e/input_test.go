package e2e_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/engine"
	"chargestream/internal/kafkatest"
	"chargestream/processors"
	"chargestream/topics"
)

// TestBadInput mixes everything that is wrong with records among good ones: each bad one is kept
// with where it came from and why, none stops anything, and a record in the wrong partition is
// repartitioned.
func TestBadInput(t *testing.T) {
	b := kafkatest.Start(t)
	makeTopics(t, b)
	now := parisOver - chargestream.Day
	good := func(session string) []byte {
		return fmt.Appendf(nil, `{"session_id":%q,"station_id":"s1","user_id":"u","start_time":%q,`+
			`"end_time":%q,"energy_kwh":7.5,"unheard_of":{"a":[1]}}`, session,
			now-2*chargestream.Hour, now-chargestream.Hour)
	}
	bad := []struct {
		reason processors.Reason
		topic  string
		key    []byte
		value  []byte
	}{
		{processors.ReasonMalformed, topics.ChargingSessions, []byte("s1"), []byte("not JSON")},
		{
			processors.ReasonMalformed,
			topics.ChargingSessions,
			[]byte("s1"),
			[]byte(`{"station_id":"s1"}`),
		},
		{processors.ReasonMalformed, topics.MeterValues, []byte("s1"),
			[]byte(`{"station_id":"s1","timestamp":"2017-07-31T00:00:00Z","energy_wh":{"a":1}}`)},
		{processors.ReasonMalformed, topics.StationStatus, []byte("s1"), []byte{0xff, 0xfe, 0}},
		{processors.ReasonOversized, topics.StationStatus, []byte("s1"),
			[]byte(`{"station_id":"` + strings.Repeat("x", topics.RecordBytesMax) + `"}`)},
		{processors.ReasonNullValue, topics.Heartbeats, []byte("s1"), nil},
		{processors.ReasonNullKey, topics.Heartbeats, nil,
			[]byte(`{"timestamp":"2017-07-31T00:00:00Z"}`)},
		{processors.ReasonKeyMismatch, topics.Heartbeats, []byte("s2"),
			[]byte(`{"station_id":"s1","timestamp":"2017-07-31T00:00:00Z"}`)},
		{processors.ReasonFuture, topics.Heartbeats, []byte("s1"),
			[]byte(`{"station_id":"s1","timestamp":"2017-09-01T00:00:00Z"}`)},
		{processors.ReasonLate, topics.Heartbeats, []byte("s1"),
			[]byte(`{"station_id":"s1","timestamp":"2017-07-01T00:00:00Z"}`)},
	}
	arrival := []kgo.RecordHeader{{Key: topics.HeaderArrival, Value: []byte(now.String())}}
	home := engine.PartitionOf("s1", 4)
	put := func(topic string, partition int32, key, value []byte) {
		r := &kgo.Record{
			Topic:     topic,
			Partition: partition,
			Key:       key,
			Value:     value,
			Headers:   arrival,
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if err := kafkatest.ProduceAt(ctx, b.Addrs(), r); err != nil {
			t.Fatal(err)
		}
	}
	put(topics.ChargingSessions, home, []byte("s1"), good("first"))
	for _, x := range bad {
		partition := home
		if x.key != nil {
			partition = engine.PartitionOf(string(x.key), 4)
		}
		put(x.topic, partition, x.key, x.value)
	}
	put(topics.ChargingSessions, (home+1)%4, []byte("s1"), good("astray"))
	// A record without a key is repartitioned by its station_id, from wherever it lies.
	put(topics.ChargingSessions, (home+2)%4, nil, good("keyless"))
	put(topics.ChargingSessions, home, nil, good("keyless at home"))
	put(topics.ChargingSessions, home, []byte("s1"), good("last"))
	settle(t, b, engine.ExactlyOnce, filepath.Join(t.TempDir(), "a"))

	reasons := map[processors.Reason]int{}
	for _, r := range kafkatest.MustReadAll(t, b, topics.DeadLetters, true) {
		headers := map[string]string{}
		for _, h := range r.Headers {
			headers[h.Key] = string(h.Value)
		}
		reasons[processors.Reason(headers[topics.HeaderReason])]++
		for _, name := range []string{topics.HeaderError, topics.HeaderSourceTopic,
			topics.HeaderSourcePartition, topics.HeaderSourceOffset, topics.HeaderSourceTime} {
			if headers[name] == "" {
				t.Errorf("dead letter %q has no header %s", headers[topics.HeaderReason], name)
			}
		}
	}
	want := map[processors.Reason]int{}
	for _, x := range bad {
		want[x.reason]++
	}
	for reason, n := range want {
		if reasons[reason] != n {
			t.Errorf("%d dead letters for %s, want %d", reasons[reason], reason, n)
		}
		delete(reasons, reason)
	}
	if len(reasons) > 0 {
		t.Errorf("dead letters that must not be there: %v", reasons)
	}
	sessions := table(t, b, topics.TableSessions)
	for _, id := range []chargestream.SessionID{"first", "astray", "keyless",
		"keyless at home", "last"} {
		if sessions[processors.SessionKey("s1", id)] == nil {
			t.Errorf("session %q is lost", id)
		}
	}
	home0 := kafkatest.MustEndOffsets(t, b, topics.ChargingSessions)[home]
	if home0 < 7 {
		t.Errorf("the partition of s1 ends at %d: a record astray was not repartitioned", home0)
	}
}
