//go:build faults

package e2e_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/codecs"
	"chargestream/ingest"
	"chargestream/internal/engine"
	"chargestream/internal/kafkatest"
	"chargestream/internal/sim"
	"chargestream/topics"
)

var (
	faultSeed   = flag.Uint64("faults.seed", 0, "seed of the faults; 0 takes one from the clock")
	faultEvents = flag.Int("faults.events", 500_000, "events of the run")
	faultKills  = flag.Int("faults.kills", 6, "how often an instance is killed")
)

// faultSpan is about how long a kill and what follows it take: the events are spread over as many
// of these as there are kills, so that every fault meets records on their way.
const faultSpan = 12 * time.Second

// faultGap bounds the pause between two faults, in ms.
const faultGap = 4000

// TestFaults runs two instances over the events of a simulated world while one thing after
// another goes wrong, and then holds everything that came out against the same events folded in
// memory by one goroutine.
func TestFaults(t *testing.T) {
	seed := *faultSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("run again with -faults.seed %d -faults.events %d -faults.kills %d", seed, *faultEvents,
		*faultKills)
	b := kafkatest.Start(t)
	makeTopics(t, b)
	reference, events, end := simulated(t, seed, *faultEvents)
	produce(t, b, reference)
	f := &faults{t: t, b: b, rng: rand.New(rand.NewPCG(seed, 0)), running: map[string]*exec.Cmd{}}
	base := t.TempDir()
	f.start(filepath.Join(base, "a"))
	f.start(filepath.Join(base, "b"))
	produced := make(chan struct{})
	go func() {
		defer close(produced)
		f.produce(events, time.Duration(*faultKills)*faultSpan)
	}()
	f.run(*faultKills, filepath.Join(base, "c"))
	<-produced
	for dir := range f.running {
		f.stop(dir)
	}
	settleAt(t, b, engine.ExactlyOnce, end, filepath.Join(base, "a"), filepath.Join(base, "b"))

	w := newWorld(t)
	w.feed(t, reference)
	w.feed(t, events)
	if err := w.driver.Tick(int64(end)); err != nil {
		t.Fatal(err)
	}
	compareTables(t, b, w)
	for _, topic := range []string{topics.Invoices, topics.Utilization} {
		got := kafkatest.Compacted(kafkatest.MustReadAll(t, b, topic, true))
		if diff := diffRows(w.derived[topic], got); diff != "" {
			t.Errorf("topic %s: %s", topic, diff)
		}
	}
	seen := map[string]int{}
	for _, r := range kafkatest.MustReadAll(t, b, topics.Invoices, true) {
		if seen[string(r.Key)]++; seen[string(r.Key)] > 1 {
			t.Errorf("invoice %q was sent twice", r.Key)
		}
	}
	t.Logf("%d events, %d invoices, %d windows: faults %v", len(events), len(seen),
		len(w.derived[topics.Utilization]), f.done)
}

// simulated are the records of a world, and a moment at which all of it is over.
func simulated(t *testing.T, seed uint64, n int) (reference, events []ingest.Record,
	end chargestream.Millis) {
	t.Helper()
	cfg := sim.Config{Seed: seed, DepotConnectors: 400, CityStations: 300}
	reference = referenceOf(t, sim.New(cfg))
	for _, r := range sim.Journal(cfg, n) {
		value, err := codecs.EncodeEvent(r.Event)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, ingest.Record{Topic: r.Topic, Key: string(r.Event.Station()),
			Value: value, Arrival: r.Arrival})
		end = max(end, r.Arrival)
	}
	return reference, events, end + 3*chargestream.Day
}

// faults makes things go wrong, one at a time.
type faults struct {
	t       *testing.T
	b       kafkatest.Broker
	rng     *rand.Rand
	running map[string]*exec.Cmd
	done    map[string]int
}

func (f *faults) start(dir string) {
	f.running[dir] = startInstance(f.t, f.b, engine.ExactlyOnce, dir)
}

// stop ends an instance and looks whether it ended well.
func (f *faults) stop(dir string) {
	cmd := f.running[dir]
	delete(f.running, dir)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		f.t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		f.t.Errorf("instance %s: %v", filepath.Base(dir), err)
	}
}

func (f *faults) pause() {
	<-time.After(time.Duration(500+f.rng.IntN(faultGap)) * time.Millisecond)
}

// run makes faults until an instance was killed often enough; between kills something else goes
// wrong.
func (f *faults) run(kills int, third string) {
	f.done = map[string]int{}
	others := []func(){f.freeze, f.restartBroker, f.killBroker, func() { f.joinAndLeave(third) }}
	for kill := range kills {
		f.pause()
		f.kill(kill%2 == 1)
		f.pause()
		others[kill%len(others)]()
	}
}

func (f *faults) any() string {
	dirs := []string{}
	for dir := range f.running {
		dirs = append(dirs, dir)
	}
	if len(dirs) > 1 && dirs[0] > dirs[1] {
		dirs[0], dirs[1] = dirs[1], dirs[0]
	}
	return dirs[f.rng.IntN(len(dirs))]
}

func (f *faults) kill(loseDisk bool) {
	dir := f.any()
	cmd := f.running[dir]
	if err := cmd.Process.Kill(); err != nil {
		f.t.Error(err)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		f.t.Errorf("instance %s was not killed: %v", filepath.Base(dir), err)
	}
	name := "kill, disk kept"
	if loseDisk {
		name = "kill, disk lost"
		if err := os.RemoveAll(dir); err != nil {
			f.t.Error(err)
		}
	}
	f.note(name, dir)
	f.start(dir)
}

// freeze stops an instance for longer than its session, and lets it go on as a zombie.
func (f *faults) freeze() {
	dir := f.any()
	f.note("freeze", dir)
	cmd := f.running[dir]
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		f.t.Error(err)
	}
	<-time.After(sessionTimeout(f.b) + 4*time.Second)
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		f.t.Error(err)
	}
}

func (f *faults) restartBroker() {
	f.note("broker stopped", "")
	if err := f.b.Stop(); err != nil {
		f.t.Error(err)
	}
	if err := f.b.Restart(); err != nil {
		f.t.Fatal(err)
	}
}

func (f *faults) killBroker() {
	f.note("broker killed", "")
	if err := f.b.Kill(); err != nil {
		f.t.Error(err)
	}
	if err := f.b.Restart(); err != nil {
		f.t.Fatal(err)
	}
}

func (f *faults) joinAndLeave(dir string) {
	f.note("join and leave", dir)
	f.start(dir)
	f.pause()
	f.stop(dir)
}

func (f *faults) note(name, dir string) {
	f.done[name]++
	f.t.Logf("%s %s", name, filepath.Base(dir))
}

// produce sends the events in portions, spread over a span of time. The client sends again what a
// broker did not take.
func (f *faults) produce(events []ingest.Record, span time.Duration) {
	client, err := kgo.NewClient(kgo.SeedBrokers(f.b.Addrs()...), kgo.RecordPartitioner(
		kgo.StickyKeyPartitioner(nil)), kgo.RequiredAcks(kgo.AllISRAcks()))
	if err != nil {
		f.t.Error(err)
		return
	}
	defer client.Close()
	const portion = 2000
	pace := span * portion / time.Duration(len(events))
	for from := 0; from < len(events); from += portion {
		list := make([]*kgo.Record, 0, portion)
		for _, r := range events[from:min(from+portion, len(events))] {
			list = append(list, toKafka(r))
		}
		if err := client.ProduceSync(f.t.Context(), list...).FirstErr(); err != nil {
			f.t.Error(fmt.Errorf("produce events: %w", err))
			return
		}
		<-time.After(pace)
	}
}
