package engine

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"chargestream/engine/hanging"
)

// scripted is a fake cluster with a topic t of eight partitions, whose answers a test scripts.
func scripted(t *testing.T) (*kfake.Cluster, *kgo.Client) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(8, "t"))
	mustDo(t, err)
	t.Cleanup(c.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...),
		kgo.MetadataMinAge(metadataMinAge))
	mustDo(t, err)
	t.Cleanup(client.Close)
	return c, client
}

// TestLackReplicas: of partitions without a leader, or with replicas that are not in sync.
func TestLackReplicas(t *testing.T) {
	c, client := scripted(t)
	if got, err := lackReplicas(patient(t), kadm.NewClient(client), []string{"t"}); err != nil ||
		len(got) > 0 {
		t.Errorf("all are in sync: %v, %v", got, err)
	}
	host, port, _ := strings.Cut(c.ListenAddrs()[0], ":")
	number, err := strconv.Atoi(port)
	mustDo(t, err)
	c.ControlKey(int16(kmsg.Metadata), func(q kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		r := q.ResponseKind().(*kmsg.MetadataResponse)
		b := kmsg.NewMetadataResponseBroker()
		b.NodeID, b.Host, b.Port = 0, host, int32(number)
		r.Brokers = append(r.Brokers, b)
		topic, name := kmsg.NewMetadataResponseTopic(), "t"
		topic.Topic = &name
		for n := range int32(8) {
			p := kmsg.NewMetadataResponseTopicPartition()
			p.Partition, p.Replicas, p.ISR = n, []int32{0, 1, 2}, []int32{0, 1, 2}
			switch {
			case n == 0:
				p.ISR = p.ISR[:1]
			case n == 1:
				p.Leader = -1
			case n > 2:
				p.ISR = p.ISR[:2]
			}
			topic.Partitions = append(topic.Partitions, p)
		}
		r.Topics = append(r.Topics, topic)
		return r, nil, true
	})
	fresh, err := kgo.NewClient(client.Opts()...) // the other one may not ask again so soon
	mustDo(t, err)
	t.Cleanup(fresh.Close)
	got, err := lackReplicas(patient(t), kadm.NewClient(fresh), []string{"t"})
	mustDo(t, err)
	want := []string{"t/0 (1 of 3)", "t/1 (3 of 3)", "t/3 (2 of 3)", "t/4 (2 of 3)",
		"t/5 (2 of 3)", "2 more"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lacking (-want +got):\n%s", diff)
	}
}

// warnings are what is logged as a warning.
type warnings struct {
	slog.Handler
	said *[]string
}

// Handle implements slog.Handler.
func (w warnings) Handle(_ context.Context, r slog.Record) error {
	if r.Level == slog.LevelWarn {
		class := ""
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "class" {
				class = " " + a.Value.String()
			}
			return true
		})
		*w.said = append(*w.said, r.Message+class)
	}
	return nil
}

// TestWatchWithoutTheRightOnOffsets: it is logged once, and is no stall: the rest does not need it.
func TestWatchWithoutTheRightOnOffsets(t *testing.T) {
	c, client := scripted(t)
	c.ControlKey(int16(kmsg.Metadata), func(q kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		asked := slices.ContainsFunc(q.(*kmsg.MetadataRequest).Topics,
			func(one kmsg.MetadataRequestTopic) bool {
				return one.Topic != nil && *one.Topic == hanging.OffsetsTopic
			})
		if !asked {
			return nil, nil, false
		}
		r := q.ResponseKind().(*kmsg.MetadataResponse)
		topic, name := kmsg.NewMetadataResponseTopic(), hanging.OffsetsTopic
		topic.Topic, topic.ErrorCode = &name, kerr.TopicAuthorizationFailed.Code
		r.Topics = append(r.Topics, topic)
		return r, nil, true
	})
	var said []string
	w := NewWatch(Config{Brokers: c.ListenAddrs(),
		Log: slog.New(warnings{slog.NewTextHandler(t.Output(), nil), &said})}, nil)
	w.procs = []*Processor{{Group: "g", Inputs: []string{"t"},
		Tables: []Declared{&Table[int]{Name: "g"}}}}
	w.seen["g"] = &seen{began: w.clock()}
	for range 3 {
		w.LookOnce(patient(t), client)
	}
	want := []string{"hanging transactions could not be looked for or ended unauthorized"}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
	if stalls := w.Stalls(); len(stalls) > 0 {
		t.Errorf("stands still is %+v", stalls)
	}
}
