//go:build faults

package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/kafkatest"
)

// Bounds of the watch over hanging transactions: how often is looked, and how many looks in a row
// a transaction must be open that its coordinator knows nothing of.
const (
	hangingEvery = 2 * time.Second
	hangingLooks = 6
)

// watchHanging ends transactions that hang, as an operator does (kafka-transactions.sh abort),
// until the function that it returns is called. A broker that is stopped or killed leaves one now
// and then: it is open on partitions and its coordinator, which has begun anew, knows nothing of
// it, so nobody else ever ends it, and readers of committed records stand still. That the
// coordinator did not commit it is what the comparison of all records then shows.
func watchHanging(t *testing.T, b kafkatest.Broker) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(done)
		defer client.Close()
		seen := map[string]int{}
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(hangingEvery):
			}
			now := map[string]int{}
			for _, p := range openUnknown(ctx, kadm.NewClient(client)) {
				key := fmt.Sprint(p.Topic, "/", p.Partition, " producer ", p.ProducerID, " epoch ",
					p.ProducerEpoch, " from ", p.CurrentTxnStartOffset)
				if now[key] = seen[key] + 1; now[key] >= hangingLooks {
					t.Logf("a hanging transaction is ended: %s: %v", key,
						abortHanging(ctx, kadm.NewClient(client), p))
				}
			}
			seen = now
		}
	}()
	return func() { cancel(); <-done }
}

// openUnknown are the transactions that are open on partitions and over for their coordinator.
// There are none as long as the broker does not answer.
func openUnknown(ctx context.Context, admin *kadm.Client) []kadm.DescribedProducer {
	ctx, cancel := context.WithTimeout(ctx, hangingEvery)
	defer cancel()
	ends, err := admin.ListEndOffsets(ctx)
	if err != nil {
		return nil
	}
	all := kadm.TopicsSet{}
	ends.Each(func(o kadm.ListedOffset) { all.Add(o.Topic, o.Partition) })
	producers, err := admin.DescribeProducers(ctx, all)
	if err != nil {
		return nil
	}
	known, err := admin.ListTransactions(ctx, nil, nil)
	if err != nil {
		return nil
	}
	over := map[int64]bool{}
	for _, tx := range known.Sorted() {
		over[tx.ProducerID] = tx.State == "Empty" || tx.State == "CompleteCommit" ||
			tx.State == "CompleteAbort"
	}
	var open []kadm.DescribedProducer
	producers.EachProducer(func(p kadm.DescribedProducer) {
		if isOver, ok := over[p.ProducerID]; p.CurrentTxnStartOffset >= 0 && (isOver || !ok) {
			open = append(open, p)
		}
	})
	return open
}

func abortHanging(ctx context.Context, admin *kadm.Client, p kadm.DescribedProducer) error {
	at := kadm.TopicsSet{}
	at.Add(p.Topic, p.Partition)
	responses, err := admin.WriteTxnMarkers(ctx, kadm.TxnMarkers{ProducerID: p.ProducerID,
		ProducerEpoch: p.ProducerEpoch, CoordinatorEpoch: max(p.CoordinatorEpoch, 0), Topics: at})
	if err != nil {
		return err
	}
	responses.EachPartition(func(r kadm.TxnMarkersPartitionResponse) {
		if r.Err != nil {
			err = r.Err
		}
	})
	return err
}
