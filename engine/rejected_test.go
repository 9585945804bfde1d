package engine_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"chargestream/engine"
)

// TestRejectedCommitIsNotRepeatedAtTheEnd: the coordinator rejects the offsets of a
// commit, and the round ends. What was rejected must not reach the disk by the commit that ends a
// round.
func TestRejectedCommitIsNotRepeatedAtTheEnd(t *testing.T) {
	c, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.SeedTopics(1, "words", "counts", "wordcount-table"),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var calls atomic.Int64
	c.ControlKey(int16(kmsg.TxnOffsetCommit), func(q kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if calls.Add(1) != 2 {
			return nil, nil, false
		}
		req := q.(*kmsg.TxnOffsetCommitRequest)
		resp := req.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
		for _, rt := range req.Topics {
			st := kmsg.NewTxnOffsetCommitResponseTopic()
			st.Topic = rt.Topic
			for _, rp := range rt.Partitions {
				sp := kmsg.NewTxnOffsetCommitResponseTopicPartition()
				sp.Partition, sp.ErrorCode = rp.Partition, kerr.TransactionAbortable.Code
				st.Partitions = append(st.Partitions, sp)
			}
			resp.Topics = append(resp.Topics, st)
		}
		return resp, nil, true
	})
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	cfg := quickConfig(c.ListenAddrs(), t.TempDir(), engine.ExactlyOnce)
	cfg.Log, cfg.SessionTimeout = testLog(t), 7*time.Second
	r := start(t, wordCount(), cfg)
	for range 3 {
		x := &kgo.Record{Topic: "words", Key: []byte("k"), Value: []byte("x")}
		if err := cl.ProduceSync(t.Context(), x).FirstErr(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "caught up", func() bool {
			lag, err := engine.Lag(t.Context(), cfg.Brokers, wordCount())
			return err == nil && lag == 0
		})
	}
	r.stop(t)
	rd, err := kgo.NewClient(
		kgo.SeedBrokers(c.ListenAddrs()...),
		kgo.ConsumeTopics("counts"),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Close()
	var got []string
	for len(got) < 3 {
		for it := rd.PollFetches(t.Context()).RecordIter(); !it.Done(); {
			got = append(got, string(it.Next().Value))
		}
	}
	if got[2] != "3" {
		t.Errorf("counts are %v, want 1 2 3", got)
	}
}

// rejectOnce has a cluster reject the first request that writes to a topic.
func rejectOnce(c *kfake.Cluster, topic string) (rejected *atomic.Bool) {
	rejected = &atomic.Bool{}
	c.ControlKey(int16(kmsg.Produce), func(q kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := q.(*kmsg.ProduceRequest)
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		has := false
		for _, rt := range req.Topics {
			has = has || rt.Topic == topic
			st := kmsg.NewProduceResponseTopic()
			st.Topic = rt.Topic
			for _, rp := range rt.Partitions {
				sp := kmsg.NewProduceResponseTopicPartition()
				sp.Partition, sp.ErrorCode = rp.Partition, kerr.InvalidRequest.Code
				st.Partitions = append(st.Partitions, sp)
			}
			resp.Topics = append(resp.Topics, st)
		}
		if !has || rejected.Swap(true) {
			return nil, nil, false
		}
		return resp, nil, true
	})
	return rejected
}

// TestFirstTableIsNotAheadOfOthers: the broker of another table rejects what the broker of the
// first accepts. Its progress record must not cover what the other lacks, under both guarantees.
func TestFirstTableIsNotAheadOfOthers(t *testing.T) {
	for _, guarantee := range []engine.Guarantee{engine.ExactlyOnce, engine.AtLeastOnce} {
		t.Run(string(guarantee), func(t *testing.T) {
			t.Parallel()
			const name, other = "first", "first-bytes-table"
			p := tally(name)
			c, err := kfake.NewCluster(kfake.NumBrokers(2), kfake.SeedTopics(1, append(
				append(p.TableTopics(), p.OutputTopics()...), p.Inputs...)...))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for _, topic := range append(p.TableTopics(), p.OutputTopics()...) {
				node := int32(0)
				if topic == other {
					node = 1
				}
				if err := c.MoveTopicPartition(topic, 0, node); err != nil {
					t.Fatal(err)
				}
			}
			rejected := rejectOnce(c, other)
			cfg := quickConfig(c.ListenAddrs(), t.TempDir(), guarantee)
			cfg.Log, cfg.SessionTimeout = testLog(t), 7*time.Second
			r := start(t, p, cfg)
			cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...),
				kgo.ConsumeTopics(other), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
			if err != nil {
				t.Fatal(err)
			}
			defer cl.Close()
			got := map[string]string{}
			for _, key := range []string{"a", "b"} {
				x := &kgo.Record{Topic: p.Inputs[0], Key: []byte(key), Value: []byte("1")}
				if err := cl.ProduceSync(t.Context(), x).FirstErr(); err != nil {
					t.Fatal(err)
				}
				eventually(t, "a request is rejected", rejected.Load)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			for got["b/1"] == "" && ctx.Err() == nil {
				cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
					got[string(r.Key)] = string(r.Value)
				})
			}
			r.stop(t)
			if diff := cmp.Diff(map[string]string{"a/1": "1", "b/1": "1"}, got); diff != "" {
				t.Errorf("rows of the other table (-want +got):\n%s", diff)
			}
		})
	}
}
