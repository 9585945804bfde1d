package hanging

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrUndecided is returned by End for a transaction that does not hang or whose outcome is unknown.
var ErrUndecided = errors.New("the coordinator's outcome of the transaction is not known")

// fenceEvery is the pause before a producer is fenced again whose id is busy.
const fenceEvery = 50 * time.Millisecond

// End ends a transaction on its partition by the outcome of f.Decision: it writes the marker that
// the coordinator did not (WriteTxnMarkers, as kafka-transactions.sh abort does).
//
// The marker has the epoch of the transaction. If the producer has begun another transaction on the
// partition meanwhile, the leader refuses the marker: it cannot end the wrong one.
//
// It needs the right Alter or ClusterAction on the cluster, and for FenceAbort Write on the
// transactional id.
func End(ctx context.Context, client *kgo.Client, f *Found) error {
	commit := f.Decision.Action == Commit
	switch f.Decision.Action {
	case Commit, Abort:
	case FenceAbort:
		if err := fence(ctx, client, f.ID); err != nil {
			return fmt.Errorf("fence %q: %w", f.ID, err)
		}
	default:
		return fmt.Errorf("%w: %s", ErrUndecided, f.Decision.Reason)
	}
	at := kadm.TopicsSet{}
	at.Add(f.Topic, f.Partition)
	responses, err := kadm.NewClient(client).WriteTxnMarkers(ctx, kadm.TxnMarkers{
		ProducerID: f.ProducerID, ProducerEpoch: f.Epoch, Commit: commit,
		CoordinatorEpoch: max(f.CoordinatorEpoch, 0), Topics: at})
	if err == nil {
		responses.EachPartition(func(r kadm.TxnMarkersPartitionResponse) {
			err = errors.Join(err, r.Err)
		})
	}
	if err != nil {
		return fmt.Errorf("write marker to %s/%d: %w", f.Topic, f.Partition, err)
	}
	return nil
}

// fence initialises the producer of a transactional id, so that the one before cannot go on. The
// coordinator returns CONCURRENT_TRANSACTIONS while it ends a transaction of that one.
func fence(ctx context.Context, client *kgo.Client, id string) error {
	q := kmsg.NewPtrInitProducerIDRequest()
	q.TransactionalID = &id
	q.TransactionTimeoutMillis = int32(10 * time.Second / time.Millisecond)
	q.ProducerID, q.ProducerEpoch = -1, -1
	for {
		response, err := q.RequestWith(ctx, client)
		if err == nil {
			err = kerr.ErrorForCode(response.ErrorCode)
		}
		if !errors.Is(err, kerr.ConcurrentTransactions) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(fenceEvery):
		}
	}
}
