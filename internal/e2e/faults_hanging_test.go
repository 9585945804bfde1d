//go:build faults

package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

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
// it, so no process ever ends it, and readers of committed records stand still. That the
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
					states := coordinatorStates(ctx, b, &p)
					t.Logf("a hanging transaction is aborted: %s, its coordinator:%s: %v", key,
						states, abortHanging(ctx, kadm.NewClient(client), &p))
				}
			}
			seen = now
		}
	}()
	return func() { cancel(); <-done }
}

// openUnknown are the transactions that are open on partitions and over for their coordinator.
// There are none as long as the broker does not answer. The topic of groups' offsets is looked at
// too: a member waits for offsets that are pending there.
func openUnknown(ctx context.Context, admin *kadm.Client) []kadm.DescribedProducer {
	ctx, cancel := context.WithTimeout(ctx, hangingEvery)
	defer cancel()
	details, err := admin.ListTopicsWithInternal(ctx)
	if err != nil {
		return nil
	}
	all := kadm.TopicsSet{}
	details.EachPartition(func(p kadm.PartitionDetail) { all.Add(p.Topic, p.Partition) })
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

// coordinatorStates are the states that the coordinator wrote for the producer of a transaction,
// from the epoch of the transaction on. A transaction that it decided to commit, and that hangs on
// some partitions, is torn by the abort: the comparison of all records finds that, and these states
// show that the broker did not write its markers.
func coordinatorStates(ctx context.Context, b kafkatest.Broker, p *kadm.DescribedProducer) string {
	records, err := kafkatest.ReadAll(ctx, b.Addrs(), "__transaction_state", false)
	if err != nil {
		return " " + err.Error()
	}
	text := ""
	for _, r := range records {
		var v kmsg.TxnMetadataValue
		if r.Value == nil || v.ReadFrom(r.Value) != nil || v.ProducerID != p.ProducerID ||
			int(v.ProducerEpoch) < int(p.ProducerEpoch) {
			continue
		}
		text += fmt.Sprintf(" epoch %d %v", v.ProducerEpoch, v.State)
	}
	return text
}

func abortHanging(ctx context.Context, admin *kadm.Client, p *kadm.DescribedProducer) error {
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
