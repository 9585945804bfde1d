package engine_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"chargestream/internal/engine"
)

// TestRefusedCommitIsNotMadeGoodAtTheEnd: the coordinator refuses the offsets of a unit of work,
// and the session ends. What was refused must not reach the disk by the commit that ends a session.
func TestRefusedCommitIsNotMadeGoodAtTheEnd(t *testing.T) {
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
