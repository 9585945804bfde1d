//go:build faults

package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/engine/hanging"
	"chargestream/internal/kafkatest"
	"chargestream/topics"
)

// Bounds of the watch over hanging transactions: how often is looked, and how many looks in a row a
// transaction may hang before the instances have failed to end it. They need 20 s, and a fault may
// keep the broker or both instances away for as long.
const (
	hangingEvery = 2 * time.Second
	hangingLooks = 30
)

// watchHanging fails the test for a transaction that hangs for a minute, until the function that it
// returns is called. A broker that is stopped or killed leaves one now and then; the instances end
// it. That they end it by the right outcome is what the comparison of all records then shows.
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
			found, err := hangingNow(ctx, client)
			if err != nil {
				continue // the broker is away
			}
			for _, f := range found {
				key := fmt.Sprintf("%s/%d of %s, producer %d, epoch %d, from %d", f.Topic,
					f.Partition, f.ID, f.ProducerID, f.Epoch, f.Start)
				now[key] = seen[key] + 1
				switch now[key] {
				case 2: // one look alone also sees what is just being committed
					t.Logf("a transaction hangs: %s: %s at epoch %d: %v (%s)", key, f.State,
						f.KnownEpoch, f.Decision.Action, f.Decision.Reason)
				case hangingLooks:
					t.Errorf("still hangs, and no instance ended it: %s", key)
				}
			}
			seen = now
		}
	}()
	return func() { cancel(); <-done }
}

// hangingNow are the transactions that hang, by one look.
func hangingNow(ctx context.Context, client *kgo.Client) ([]hanging.Found, error) {
	ctx, cancel := context.WithTimeout(ctx, hangingEvery)
	defer cancel()
	found, err := engine.OpenTransactions(ctx, client, fleet(true)...)
	if err != nil {
		return nil, err
	}
	var hang []hanging.Found
	for _, f := range found {
		if f.Decision.Action.Hangs() {
			hang = append(hang, f)
		}
	}
	return hang, nil
}

// hang leaves a transaction of a dead instance open on a table and on the offsets of its group, and
// waits until the instances have ended it.
func (f *faults) hang() {
	ctx, cancel := context.WithTimeout(f.t.Context(), adminLimit)
	defer cancel()
	id := topics.GroupStations + "-gone"
	f.note("transaction hangs", id)
	_, _, err := kafkatest.MakeHang(ctx, f.b.Addrs(), kafkatest.Hang{ID: id,
		Topic: topics.Table(topics.TableStations), Ended: 0, Open: 1, Key: "aborted",
		Group: topics.GroupStations, Offset: 1})
	if err != nil {
		f.t.Error(err)
		return
	}
	began := time.Now()
	for time.Since(began) < hangingEvery*hangingLooks {
		left := false
		f.admin(func(ctx context.Context, client *kgo.Client) error {
			found, err := hangingNow(ctx, client)
			for _, h := range found {
				left = left || h.ID == id
			}
			return err
		})
		if !left {
			f.t.Logf("it was ended after %s", time.Since(began).Round(time.Second))
			return
		}
		<-time.After(hangingEvery)
	}
	f.t.Error("the instances did not end it")
}
