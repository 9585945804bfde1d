package engine_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"chargestream/engine"
)

// TestNothingIsWrittenBeforeTheLook: an instance that cannot look for transactions of its own that
// hang, as the leader of a partition is away on which one is open, writes nothing. What hangs there
// would be committed with its first transaction.
func TestNothingIsWrittenBeforeTheLook(t *testing.T) {
	t.Parallel()
	c, err := kfake.NewCluster(kfake.NumBrokers(1),
		kfake.SeedTopics(1, "words", "counts", "wordcount-table"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	addrs := c.ListenAddrs()
	openTransaction(t, addrs, "counts")
	produceTo(t, addrs, "words")
	const refusals = 6 // each look asks three times
	var refused, early atomic.Int64
	c.ControlKey(int16(kmsg.DescribeProducers), func(q kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if refused.Load() == refusals {
			return nil, nil, false
		}
		refused.Add(1)
		req := q.(*kmsg.DescribeProducersRequest)
		resp := req.ResponseKind().(*kmsg.DescribeProducersResponse)
		for _, rt := range req.Topics {
			st := kmsg.NewDescribeProducersResponseTopic()
			st.Topic = rt.Topic
			for _, partition := range rt.Partitions {
				sp := kmsg.NewDescribeProducersResponseTopicPartition()
				sp.Partition, sp.ErrorCode = partition, kerr.UnknownServerError.Code
				st.Partitions = append(st.Partitions, sp)
			}
			resp.Topics = append(resp.Topics, st)
		}
		return resp, nil, true
	})
	c.ControlKey(int16(kmsg.Produce), func(q kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if refused.Load() < refusals {
			early.Add(1)
		}
		return nil, nil, false
	})
	p := wordCount()
	cfg := quickConfig(addrs, t.TempDir(), engine.ExactlyOnce)
	cfg.Log, cfg.SessionTimeout = testLog(t), 7*time.Second // the least that this broker takes
	r := start(t, p, cfg)
	eventually(t, "all is committed", func() bool {
		lag, err := engine.Lag(t.Context(), addrs, p)
		return err == nil && lag == 0
	})
	r.stop(t)
	if n := refused.Load(); n != refusals {
		t.Errorf("it looked %d times in vain, want %d", n, refusals)
	}
	if n := early.Load(); n > 0 {
		t.Errorf("%d writes before the look", n)
	}
}

// openTransaction leaves a transaction of another application open on a topic, for the test.
func openTransaction(t *testing.T, addrs []string, topic string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.TransactionalID("another"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	record := &kgo.Record{Topic: topic, Value: []byte("x")}
	if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func produceTo(t *testing.T, addrs []string, topic string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addrs...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	record := &kgo.Record{Topic: topic, Key: []byte("a"), Value: []byte("x")}
	if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
		t.Fatal(err)
	}
}
