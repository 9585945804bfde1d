//go:build faults

package e2e_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/internal/e2e"
	"chargestream/internal/kafkatest"
)

var (
	faultSeed   = flag.Uint64("faults.seed", 0, "seed of the faults; 0 takes one from the clock")
	faultEvents = flag.Int("faults.events", 500_000, "events of the run")
	faultNodes  = flag.Int("faults.nodes", 1, "nodes of the Kafka")
	faultKills  = flag.Int("faults.kills", 7, "how often an instance is killed")
)

// faultSpan is about how long a kill and what follows it take: the events are spread over as many
// of these as there are kills, so that every fault meets records on their way.
const faultSpan = 15 * time.Second

// Bounds of the pause between two faults, in ms.
const (
	faultPauseMin = 500
	faultPauseMax = 2500
)

// TestFaults runs two instances over the events of a simulated world, with all that is wrong in a
// journal among them, while one thing after another goes wrong. Then it compares every record and
// every row that came out with the journal.
func TestFaults(t *testing.T) {
	seed := *faultSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	again := fmt.Sprintf("make test-faults SEED=%d EVENTS=%d KILLS=%d BROKERS=%d", seed,
		*faultEvents, *faultKills, *faultNodes)
	t.Log("run again with:", again)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("FAILED. Run again with:", again)
		} else {
			t.Log("passed. Run again with:", again)
		}
	})
	b, proxies := kafkatest.StartCluster(t, *faultNodes)
	defer watchHanging(t, b)()
	makeAuditedTopics(t, b)
	j, reference := journalOf(t, e2e.JournalConfig{Seed: seed, Events: *faultEvents,
		Partitions: partitions, Depot: 400, City: 300})
	produce(t, b, reference)
	f := &faults{t: t, b: b, proxies: proxies, rng: rand.New(rand.NewPCG(seed, 0)),
		running: map[string]*child{}, done: map[string]int{}}
	t.Cleanup(f.killAll)
	base := t.TempDir()
	f.start(filepath.Join(base, "a"))
	f.start(filepath.Join(base, "b"))
	produced := make(chan struct{})
	go func() {
		defer close(produced)
		f.produce(j.Entries, time.Duration(*faultKills)*faultSpan)
	}()
	f.run(*faultKills, filepath.Join(base, "c"))
	during := len(f.done)
	select {
	case <-produced:
		t.Log("all was put in before the last fault was over")
	default:
		t.Log("the faults are over, and there is more to put in")
	}
	<-produced
	for _, dir := range slices.Sorted(maps.Keys(f.running)) {
		f.stop(dir)
	}
	settleAt(t, b, engine.ExactlyOnce, j.End, true, filepath.Join(base, "a"),
		filepath.Join(base, "b"))
	verify(t, b, j, reference)
	f.report()
	if during == 0 {
		t.Error("nothing went wrong: nothing was tested")
	}
}

// faults makes things go wrong, one at a time.
type faults struct {
	t       *testing.T
	b       kafkatest.Broker
	proxies kafkatest.Proxies
	rng     *rand.Rand
	running map[string]*child
	done    map[string]int

	// Of TestFaultTable.
	cluster  *kafkatest.Cluster
	progress *progress
	fed      *gaps // of writes to inputs that were acknowledged
	said     *said
	standby  bool
	lossy    bool   // writes to inputs may fail
	over     bool   // the instances have ended for good
	third    string // state directory of an instance that comes and goes
}

// run makes faults until an instance was killed often enough. After each kill, two other things go
// wrong, each in its turn, in an order that the seed draws.
func (f *faults) run(kills int, third string) {
	others := []func(){f.freeze, f.restartBroker, f.killBroker, func() { f.joinAndLeave(third) },
		f.cut, f.stall, f.refuseWrites, f.loseAnswers, f.endAttempts, f.fence, f.expel, f.tooLarge,
		f.hang}
	f.rng.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	for kill := range kills {
		f.pause()
		f.kill(kill%2 == 1)
		for i := range 2 {
			f.pause()
			others[(2*kill+i)%len(others)]()
		}
	}
}

func (f *faults) pause() {
	ms := faultPauseMin + f.rng.IntN(faultPauseMax-faultPauseMin)
	<-time.After(time.Duration(ms) * time.Millisecond)
}

// between is a span of 1 to 2 s.
func (f *faults) between() time.Duration {
	return time.Second + time.Duration(f.rng.Int64N(int64(time.Second)))
}

func (f *faults) note(name, detail string) {
	f.done[name]++
	f.t.Logf("%s fault: %s %s", time.Now().UTC().Format("15:04:05"), name, detail)
}

// report prints what went wrong, and how often.
func (f *faults) report() {
	total := 0
	f.t.Logf("%-28s %5s", "fault", "times")
	for _, name := range slices.Sorted(maps.Keys(f.done)) {
		f.t.Logf("%-28s %5d", name, f.done[name])
		total += f.done[name]
	}
	f.t.Logf("%-28s %5d", "all", total)
}

// produce puts the entries in, spread over a span of time, and straight to the broker. The client
// sends again what that did not take.
func (f *faults) produce(entries []e2e.Entry, span time.Duration) {
	client, err := kgo.NewClient(kgo.SeedBrokers(f.b.Addrs()...), kgo.RecordPartitioner(
		kgo.ManualPartitioner()), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchMaxBytes(4_000_000))
	if err != nil {
		f.t.Error(err)
		return
	}
	defer client.Close()
	const portion = 2000
	pace := span * portion / time.Duration(len(entries))
	due := time.Now()
	for from := 0; from < len(entries); from += portion {
		list := make([]*kgo.Record, 0, portion)
		for i := range entries[from:min(from+portion, len(entries))] {
			list = append(list, entries[from+i].Record())
		}
		if err := client.ProduceSync(f.t.Context(), list...).FirstErr(); err != nil {
			f.t.Error(fmt.Errorf("produce events: %w", err))
			return
		}
		due = due.Add(pace)
		<-time.After(time.Until(due))
	}
}
