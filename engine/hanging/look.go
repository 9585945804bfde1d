package hanging

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Found is an open transaction with what its coordinator says of it and what to do about it.
type Found struct {
	Open
	ID         string // transactional id; empty if no coordinator and no log names it
	State      State  // of the id; empty if no coordinator knows the producer
	KnownEpoch int16  // of the id; the transaction's own is Open.Epoch
	Decision   Decision
}

// Same reports whether another look found the same transaction on the same partition.
func (f *Found) Same(g *Found) bool {
	return f.Topic == g.Topic && f.Partition == g.Partition && f.ProducerID == g.ProducerID &&
		f.Epoch == g.Epoch && f.Start == g.Start
}

// Confirm returns the second of two looks. What hangs in it and did not in the first one, in the
// same way, is to be waited for: between the answers of leader and coordinator a transaction may
// have been ended that was alive.
func Confirm(first, second []Found) []Found {
	confirmed := slices.Clone(second)
	for n := range confirmed {
		f := &confirmed[n]
		same := func(g Found) bool { return f.Same(&g) && f.Decision == g.Decision }
		if f.Decision.Action.Hangs() && !slices.ContainsFunc(first, same) {
			f.Decision = Decision{Wait, "it was seen once: look again"}
		}
	}
	return confirmed
}

// Look describes the transactions that are open on partitions, ordered by topic and partition. With
// errors it returns what it could find: unseen is of partitions that could not be looked at,
// unclear of what coordinators and their log say of the transactions that were found.
//
// It needs the rights Read on the topics and Describe on the transactional ids; Read on
// __transaction_state where the coordinator's current state does not show the outcome.
func Look(ctx context.Context, client *kgo.Client, at kadm.TopicsSet) (found []Found, unseen,
	unclear error) {
	if len(at) == 0 {
		return nil, nil, nil
	}
	admin := kadm.NewClient(client)
	opens, unseen := openOn(ctx, admin, at)
	if len(opens) == 0 {
		return nil, unseen, nil
	}
	known, all, err := coordinators(ctx, client, admin, opens)
	log, e := entriesFor(ctx, client, admin, opens, known, all)
	unclear = errors.Join(err, e)
	found = make([]Found, len(opens))
	for n, o := range opens {
		f := Found{Open: o}
		k := known[o.ProducerID]
		if k != nil {
			f.ID, f.State, f.KnownEpoch = k.ID, k.State, k.Epoch
		}
		if f.Decision = Decide(o, k, log[o.ProducerID]); k == nil && !all {
			f.Decision = Decision{Wait, "not every coordinator answered"}
		}
		if entries := log[o.ProducerID]; f.ID == "" && len(entries) > 0 {
			f.ID = entries[0].ID
		}
		found[n] = f
	}
	return found, unseen, unclear
}

// openOn are the transactions that are open on partitions, for their leaders.
func openOn(ctx context.Context, admin *kadm.Client, at kadm.TopicsSet) ([]Open, error) {
	described, failed := admin.DescribeProducers(ctx, at)
	if failed != nil {
		failed = fmt.Errorf("describe producers: %w", failed)
	}
	var opens []Open
	described.EachPartition(func(p kadm.DescribedProducersPartition) {
		if p.Err != nil {
			failed = errors.Join(failed, fmt.Errorf("describe producers of %s/%d: %w", p.Topic,
				p.Partition, p.Err))
		}
	})
	described.EachProducer(func(p kadm.DescribedProducer) {
		if p.CurrentTxnStartOffset >= 0 {
			opens = append(opens, Open{Topic: p.Topic, Partition: p.Partition,
				ProducerID: p.ProducerID, Epoch: p.ProducerEpoch,
				CoordinatorEpoch: p.CoordinatorEpoch, Start: p.CurrentTxnStartOffset,
				Last: p.LastTimestamp})
		}
	})
	slices.SortFunc(opens, func(a, b Open) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition),
			cmp.Compare(a.Start, b.Start))
	})
	return opens, failed
}

// coordinators are what the coordinators say, by producer, and whether all of them answered.
func coordinators(ctx context.Context, client *kgo.Client, admin *kadm.Client,
	opens []Open) (map[int64]*Known, bool, error) {
	var producers []int64
	for _, o := range opens {
		producers = append(producers, o.ProducerID)
	}
	slices.Sort(producers)
	listed, err := admin.ListTransactions(ctx, slices.Compact(producers), nil)
	all, known := err == nil, map[int64]*Known{}
	if err != nil {
		err = fmt.Errorf("list transactions: %w", err)
	}
	if len(listed) == 0 {
		return known, all, err
	}
	bumps, e := epochsBump(ctx, client)
	err = errors.Join(err, e)
	described, e := admin.DescribeTransactions(ctx, listed.TransactionalIDs()...)
	if e != nil {
		err = errors.Join(err, fmt.Errorf("describe transactions: %w", e))
	}
	for _, t := range listed {
		d, ok := described[t.TxnID]
		if ok && d.Err != nil {
			err = errors.Join(err, fmt.Errorf("describe transaction %q: %w", t.TxnID, d.Err))
		}
		if !ok || d.Err != nil {
			all = false // it is known, but not how it is
			continue
		}
		known[t.ProducerID] = &Known{ID: t.TxnID, State: State(d.State), ProducerID: d.ProducerID,
			Epoch: d.ProducerEpoch, Bumps: bumps}
	}
	return known, all, err
}

// epochsBump reports whether the cluster has transaction.version 2 (KIP-890).
func epochsBump(ctx context.Context, client *kgo.Client) (bool, error) {
	q := kmsg.NewPtrApiVersionsRequest()
	q.ClientSoftwareName, q.ClientSoftwareVersion = "chargestream", "1"
	response, err := q.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(response.ErrorCode)
	}
	if err != nil {
		return false, fmt.Errorf("ask for the features of the cluster: %w", err)
	}
	for _, f := range response.FinalizedFeatures {
		if f.Name == "transaction.version" {
			return f.MaxVersionLevel >= bumpingVersion, nil
		}
	}
	return false, nil
}
