//go:build faults

package e2e_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/kafkatest"
	"chargestream/topics"
)

// Spans of faults.
const (
	minute = time.Minute
	frozen = 20 * time.Second
	// unmet is how long replicas are missing, or a node is cut off: long enough to be said.
	unmet = 35 * time.Second
)

// all are the faults that there are.
func (f *faults) all() []fault {
	return []fault{
		{name: "instance killed, disk kept", nodes: 1, do: func() { f.kill(false) }},
		{name: "instance killed, disk lost", nodes: 1, do: func() { f.kill(true) }},
		{name: "instance frozen", nodes: 1, do: f.freeze},
		{name: "transaction hangs", nodes: 1, do: f.hang,
			says: []string{"hanging transaction ended"}},
		f.disk("state directory full", diskSmall),
		f.disk("state directory full before a store is made", diskTiny),
		f.disk("state directory read-only", diskLocked),
		{name: "broker killed, back at once", nodes: 1, short: true,
			do: func() { f.away((*kafkatest.Node).Kill, 0) }},
		{name: "broker stopped, back at once", nodes: 1,
			do: func() { f.away((*kafkatest.Node).Stop, 0) }},
		{name: "broker killed, back after a minute", nodes: 1,
			do:   func() { f.away((*kafkatest.Node).Kill, minute) },
			says: f.ifAlone("stall: brokers")},
		{name: "broker frozen 20 s", nodes: 1, short: true, do: f.freezeNode},
		{name: "leaders moved", nodes: 3, short: true, do: func() { f.move(f.led()...) }},
		{name: "coordinators moved", nodes: 3, short: true, do: func() {
			f.move(kafkatest.OffsetsTopic, kafkatest.TransactionsTopic)
		}},
		{name: "transaction coordinator killed", nodes: 3, short: true, do: func() {
			f.killOne(func(ctx context.Context) (*kafkatest.Node, error) {
				return f.cluster.TransactionCoordinator(ctx, topics.GroupStations+"-a")
			})
		}},
		{name: "group coordinator killed", nodes: 3, short: true, do: func() {
			f.killOne(func(ctx context.Context) (*kafkatest.Node, error) {
				return f.cluster.GroupCoordinator(ctx, topics.GroupStations)
			})
		}},
		{name: "rolling restart", nodes: 3, do: f.roll},
		{name: "broker cut off from the others", nodes: 3, do: f.isolate},
		{name: "min.insync.replicas not met, and met again", nodes: 3, short: true,
			do: f.lackReplicas, says: []string{"replicas_missing"}},
		{name: "two of three brokers away", nodes: 3, do: f.loseQuorum,
			says: []string{"stall: brokers"}},
	}
}

// led are the topics whose leaders are moved: all of the application's.
func (f *faults) led() []string {
	var names []string
	for _, topic := range topics.All() {
		names = append(names, topic.Name)
	}
	return names
}

// disk is an instance whose disk fails. It ends, and the others have its partitions again.
func (f *faults) disk(name, disk string) fault {
	return fault{name: name, nodes: 1, outcome: "that instance ends, the others go on",
		says: []string{"process ended: local_disk"}, do: func() {
			f.startOn(f.third, disk)
			c := f.running[f.third]
			delete(f.running, f.third)
			select {
			case <-c.ended:
			case <-time.After(minute):
				f.t.Errorf("%s: the instance goes on", name)
				f.must(c.cmd.Process.Kill())
				<-c.ended
			}
			f.must(os.RemoveAll(f.third))
		}}
}

// ifAlone are words that a cluster of one node must say.
func (f *faults) ifAlone(words ...string) []string {
	if len(f.cluster.Nodes()) > 1 {
		return nil
	}
	return words
}

// anyNode is one of the nodes.
func (f *faults) anyNode() *kafkatest.Node {
	nodes := f.cluster.Nodes()
	return nodes[f.rng.IntN(len(nodes))]
}

// leaderNode is the node that leads a partition of an input.
func (f *faults) leaderNode() *kafkatest.Node {
	ctx, cancel := context.WithTimeout(f.t.Context(), adminLimit)
	defer cancel()
	n, err := f.cluster.Leader(ctx, topics.MeterValues, f.rng.Int32N(partitions))
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

func (f *faults) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Error(err)
	}
}

// await waits until all nodes work.
func (f *faults) await() {
	ctx, cancel := context.WithTimeout(f.t.Context(), 2*time.Minute)
	defer cancel()
	f.must(f.cluster.Await(ctx))
}

// away takes the leader of a partition away for a while.
func (f *faults) away(end func(*kafkatest.Node) error, span time.Duration) {
	n := f.leaderNode()
	f.note("node away", strconv.Itoa(int(n.ID())))
	f.must(end(n))
	<-time.After(span)
	f.must(n.Start())
	f.await()
}

// freezeNode lets the leader of a partition stand still.
func (f *faults) freezeNode() {
	n := f.leaderNode()
	f.note("node frozen", strconv.Itoa(int(n.ID())))
	f.must(n.Freeze(true))
	<-time.After(frozen)
	f.must(n.Freeze(false))
	f.await()
}

// move gives each partition of topics another leader, several times.
func (f *faults) move(names ...string) {
	ctx, cancel := context.WithTimeout(f.t.Context(), adminLimit)
	defer cancel()
	for range 3 {
		moved, err := f.cluster.MoveLeaders(ctx, names...)
		f.must(err)
		f.note("leaders moved", strconv.Itoa(moved))
		<-time.After(f.between())
	}
}

// killOne kills the node that find finds, and starts it again.
func (f *faults) killOne(find func(context.Context) (*kafkatest.Node, error)) {
	ctx, cancel := context.WithTimeout(f.t.Context(), adminLimit)
	defer cancel()
	n, err := find(ctx)
	if err != nil {
		f.t.Error(err)
		return
	}
	f.note("node killed", strconv.Itoa(int(n.ID())))
	f.must(n.Kill())
	<-time.After(5 * f.between()) // longer than its session
	f.must(n.Start())
	f.await()
}

// roll restarts one node after another in order.
func (f *faults) roll() {
	for _, n := range f.cluster.Nodes() {
		f.note("node restarted", strconv.Itoa(int(n.ID())))
		f.must(n.Stop())
		f.must(n.Start())
		f.await()
	}
}

// isolate cuts the leader of a partition off from the other nodes, but not from clients.
func (f *faults) isolate() {
	n := f.leaderNode()
	f.note("node cut off", strconv.Itoa(int(n.ID())))
	n.Isolate(true)
	<-time.After(unmet)
	n.Isolate(false)
	f.await()
}

// lackReplicas takes one node away while all three replicas must be in sync for a write.
func (f *faults) lackReplicas() {
	f.minInSync("3")
	n := f.leaderNode()
	f.note("replicas are missing: without node", strconv.Itoa(int(n.ID())))
	f.must(n.Kill())
	<-time.After(unmet)
	f.must(n.Start())
	f.await()
	f.minInSync("2")
}

// minInSync sets how many replicas must be in sync for a write.
func (f *faults) minInSync(replicas string) {
	f.admin(func(ctx context.Context, client *kgo.Client) error {
		altered, err := kadm.NewClient(client).AlterBrokerConfigs(ctx, []kadm.AlterConfig{
			{Op: kadm.SetConfig, Name: "min.insync.replicas", Value: &replicas}})
		for _, a := range altered {
			err = errors.Join(err, a.Err)
		}
		return err
	})
}

// loseQuorum leaves one node of three: there is no controller, and too few replicas to write.
func (f *faults) loseQuorum() {
	one := f.anyNode()
	f.note("only this node is left", strconv.Itoa(int(one.ID())))
	for _, n := range f.cluster.Nodes() {
		if n != one {
			f.must(n.Kill())
		}
	}
	<-time.After(unmet)
	for _, n := range f.cluster.Nodes() {
		f.must(n.Start())
	}
	f.await()
}
