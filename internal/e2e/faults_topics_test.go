//go:build faults

package e2e_test

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/e2e"
	"chargestream/internal/kafkatest"
	"chargestream/topics"
)

// TestTopicFaults has what operators do to topics while two instances are at work, each on topics
// of its own. What is in the topics is lost then, so nothing is compared: held is that the
// instances go on, or end with the word that they must say.
func TestTopicFaults(t *testing.T) {
	seed := *faultSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("run again with: make fault-table SEED=%d BROKERS=%d", seed, *faultNodes)
	c, proxies := kafkatest.StartCluster(t, *faultNodes)
	var rows []faultRow
	for n, name := range []string{"partitions added to an input", "an input deleted and made anew",
		"an output deleted and made anew", "retention passes a stopped instance"} {
		t.Run(name, func(t *testing.T) {
			f := &faults{t: t, b: c, proxies: proxies, cluster: c, lossy: true,
				rng: rand.New(rand.NewPCG(seed, 2)), running: map[string]*child{},
				done: map[string]int{}, said: &said{also: t.Output(), part: map[*saidBy][]byte{}}}
			makeAuditedTopics(t, c)
			j, reference := journalOf(t, e2e.JournalConfig{Seed: seed + uint64(n),
				Events: tableRate * 120, Partitions: partitions, Depot: 200, City: 150})
			produce(t, c, reference)
			t.Cleanup(f.killAll)
			base := t.TempDir()
			f.start(filepath.Join(base, "a"))
			f.start(filepath.Join(base, "b"))
			f.fed, f.progress = newGaps(), watchProgress(t, c)
			feed := f.feed(j.Entries)
			f.settled(time.Now())
			for _, one := range f.ofTopics() {
				if one.name == name {
					rows = append(rows, f.measure(one))
				}
			}
			close(feed.stop)
			<-feed.done
			for _, dir := range slices.Sorted(maps.Keys(f.running)) {
				f.stop(dir)
			}
			<-time.After(gone(c)) // the next test deletes the groups
		})
	}
	printTable(t, rows)
}

// gone is when a member that has ended by itself is no member any more.
func gone(b kafkatest.Broker) time.Duration { return sessionTimeout(b) + 2*time.Second }

// ofTopics are the faults of topics.
func (f *faults) ofTopics() []fault {
	return []fault{
		{name: "partitions added to an input", says: []string{"process ended: topics"},
			outcome: "every process ends: keys lie elsewhere than their rows", do: f.addPartitions},
		{name: "an input deleted and made anew", says: []string{"process ended: topics"},
			outcome: "every process ends, and goes on when the group's offset is set",
			do:      f.renewInput},
		{name: "an output deleted and made anew", do: func() { f.renew(topics.Anomalies) }},
		{name: "retention passes a stopped instance", do: f.passRetention,
			says: []string{"records deleted before they were read"}},
	}
}

// addPartitions adds one to an input. Both instances end, and are not started again.
func (f *faults) addPartitions() {
	f.admin(func(ctx context.Context, client *kgo.Client) error {
		added, err := kadm.NewClient(client).CreatePartitions(ctx, 1, topics.MeterValues)
		return errors.Join(err, added.Error())
	})
	f.awaitEnds()
	f.over = true
}

// awaitEnds waits until every instance has ended by itself.
func (f *faults) awaitEnds() {
	for _, dir := range slices.Sorted(maps.Keys(f.running)) {
		select {
		case <-f.running[dir].ended:
			delete(f.running, dir)
		case <-time.After(minute):
			f.t.Errorf("instance %s goes on", filepath.Base(dir))
		}
	}
}

// renew deletes a topic and makes it again.
func (f *faults) renew(topic string) {
	f.admin(func(ctx context.Context, client *kgo.Client) error {
		deleted, err := kadm.NewClient(client).DeleteTopics(ctx, topic)
		return errors.Join(err, deleted.Error())
	})
	<-time.After(2 * time.Second)
	f.admin(func(ctx context.Context, _ *kgo.Client) error {
		return f.b.CreateTopics(ctx, kafkatest.Topic{Name: topic, Partitions: partitions,
			Config: map[string]string{"retention.ms": "-1"}})
	})
}

// renewInput makes an input anew. Both instances end; they are started again when the group's
// offset is set, as docs/operations.md says.
func (f *faults) renewInput() {
	dirs := slices.Sorted(maps.Keys(f.running))
	f.renew(topics.Heartbeats)
	f.awaitEnds()
	<-time.After(gone(f.b)) // the offsets of a group with members stay
	f.admin(func(ctx context.Context, client *kgo.Client) error {
		var at kadm.Offsets
		for p := range int32(partitions) {
			at.AddOffset(topics.Heartbeats, p, 0, -1)
		}
		return kadm.NewClient(client).CommitAllOffsets(ctx, topics.GroupStations, at)
	})
	for _, dir := range dirs {
		f.start(dir)
	}
}

// passRetention deletes records of an input that no instance has read, as both are stopped.
func (f *faults) passRetention() {
	dirs := slices.Sorted(maps.Keys(f.running))
	for _, dir := range dirs {
		f.signal(dir, syscall.SIGTERM)
		<-f.running[dir].ended
		delete(f.running, dir)
	}
	<-time.After(3 * time.Second) // what is put in meanwhile is what is lost
	f.admin(func(ctx context.Context, client *kgo.Client) error {
		admin := kadm.NewClient(client)
		ends, err := admin.ListEndOffsets(ctx, topics.MeterValues)
		if err != nil {
			return err
		}
		deleted, err := admin.DeleteRecords(ctx, ends.Offsets())
		return errors.Join(err, deleted.Error())
	})
	for _, dir := range dirs {
		f.start(dir)
	}
}
