package e2e_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/engine"
	"chargestream/ingest"
	"chargestream/internal/e2e"
	"chargestream/internal/kafkatest"
	"chargestream/topics"
)

// The suite of this file runs on the fake broker and, with the tag integration, on a real Kafka.

// childEnv makes the test binary an instance of the processors instead of a test: its value is
// the brokers, the state directory, the guarantee, the session timeout, whether it is audited and
// keeps standby copies, and how its disk fails, parted by spaces.
const childEnv = "CHARGESTREAM_E2E_INSTANCE"

// Words of childEnv for an instance of an audited fleet, and for one with standby copies.
const (
	auditedChild = "audited"
	standbyChild = "standby"
)

func TestMain(m *testing.M) {
	if spec := os.Getenv(childEnv); spec != "" {
		if err := instance(strings.Fields(spec)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// instance runs all processors until it is killed, or gets SIGTERM.
func instance(spec []string) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	timeout, err := time.ParseDuration(spec[3])
	if err != nil {
		return err
	}
	c := engine.Config{Brokers: strings.Split(spec[0], ","), StateDir: spec[1],
		Instance: filepath.Base(spec[1]), Guarantee: engine.Guarantee(spec[2]),
		SessionTimeout: timeout, IdleAfter: -1, Log: log, Standby: spec[5] == standbyChild}
	if err := failDisk(spec[6], spec[1]); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ctx, orphaned := context.WithCancelCause(ctx)
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		orphaned(errors.Join(errors.New("the test is gone"), err))
	}()
	err = runAll(ctx, fleet(spec[4] == auditedChild), c)
	var stopped *engine.Stopped
	if errors.As(err, &stopped) {
		log.Error("the process ends", "class", stopped.Class, "reason", stopped.Reason)
	} else if errors.Is(err, engine.ErrTopics) {
		log.Error("the process ends", "class", "topics", "reason", err)
	}
	return err
}

// runAll runs processors until ctx is done, or one of them ends by itself: that ends the others.
func runAll(ctx context.Context, procs []*engine.Processor, c engine.Config) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error)
	c.Watch = engine.NewWatch(c, procs)
	go func() { ended <- c.Watch.Run(ctx) }()
	for _, p := range procs {
		go func() { ended <- engine.Run(ctx, p, c) }()
	}
	var err error
	for range len(procs) + 1 {
		err = errors.Join(err, <-ended)
		cancel()
	}
	return err
}

// sessionTimeout is the shortest that the broker grants: how long a killed instance keeps its
// partitions from the next one.
func sessionTimeout(b kafkatest.Broker) time.Duration {
	if b.Real() {
		return 6 * time.Second
	}
	return time.Second
}

func makeTopics(t *testing.T, b kafkatest.Broker) {
	t.Helper()
	var list []kafkatest.Topic
	for _, topic := range topics.All() {
		config := map[string]string{"cleanup.policy": string(topic.Cleanup), "retention.ms": "-1"}
		if topic.Kind == topics.KindInput {
			// The tests' own records are larger than what is taken, and must arrive to be refused.
			config["max.message.bytes"] = "4000000"
		}
		list = append(list, kafkatest.Topic{Name: topic.Name, Partitions: 4, Config: config})
	}
	kafkatest.MustTopics(t, b, list...)
}

// someEvents is how much of the file the quick runs take: those on the fake broker that only
// repeat what another run shows with all of it.
const someEvents = 2500

func toKafka(r ingest.Record) *kgo.Record {
	k := &kgo.Record{Topic: r.Topic, Key: []byte(r.Key), Value: r.Value}
	if r.Arrival != 0 {
		k.Headers = []kgo.RecordHeader{
			{Key: topics.HeaderArrival, Value: []byte(r.Arrival.String())},
		}
	}
	return k
}

func produce(t *testing.T, b kafkatest.Broker, records []ingest.Record) {
	t.Helper()
	list := make([]*kgo.Record, len(records))
	for i, r := range records {
		list[i] = toKafka(r)
	}
	kafkatest.MustProduce(t, b, list...)
}

// settle runs instances until nothing is left, moves time on to the end, and waits again.
func settle(t *testing.T, b kafkatest.Broker, guarantee engine.Guarantee, dirs ...string) {
	t.Helper()
	settleAt(t, b, guarantee, parisOver, false, dirs...)
}

func settleAt(
	t *testing.T,
	b kafkatest.Broker,
	guarantee engine.Guarantee,
	end chargestream.Millis,
	audited bool,
	dirs ...string,
) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	running, stop := context.WithCancel(ctx)
	done := make(chan error, len(dirs))
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	for _, dir := range dirs {
		c := engine.Config{Brokers: b.Addrs(), StateDir: dir, Instance: filepath.Base(dir),
			Guarantee: guarantee, SessionTimeout: sessionTimeout(b), IdleAfter: -1, Log: log}
		go func() {
			done <- runAll(running, fleet(audited), c)
			cancel() // else one that ended by itself would be waited for
		}()
	}
	all := fleet(audited)
	every := 50 * time.Millisecond
	err := engine.Quiet(ctx, b.Addrs(), every, all...)
	if err == nil && audited {
		verifyReplay(t, b) // before a clock record, too
	}
	if err == nil {
		err = engine.SendClock(ctx, b.Addrs(), end.Time(), all...)
	}
	if err == nil {
		err = engine.Quiet(ctx, b.Addrs(), every, all...)
	}
	stop()
	for range dirs {
		err = errors.Join(err, <-done)
	}
	if err != nil {
		logBehind(t, b, all)
		t.Fatal(err)
	}
}

// logBehind prints what groups have before them, where readers of committed records must wait, and
// the transactions that are open.
func logBehind(t *testing.T, b kafkatest.Broker, procs []*engine.Processor) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...))
	if err != nil {
		t.Error(err)
		return
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	for _, p := range procs {
		lags, err := kafkatest.GroupLag(ctx, b.Addrs(), p.Group, p.Inputs...)
		stable, stableErr := admin.ListCommittedOffsets(ctx, p.Inputs...)
		if err = errors.Join(err, stableErr); err != nil {
			t.Error(err)
		}
		for _, l := range lags {
			if at, ok := stable.Lookup(l.Topic, l.Partition); ok && l.Behind > 1 {
				t.Logf("group %s at %d of %s/%d, stable to %d, end %d", p.Group, l.Committed,
					l.Topic, l.Partition, at.Offset, l.End)
			}
		}
	}
	for _, p := range procs {
		offsets, err := admin.FetchOffsets(kadm.RequireStable(ctx), p.Group)
		if err = errors.Join(err, offsets.Error()); err != nil {
			t.Logf("offsets of group %s: %v", p.Group, err)
		}
	}
	for _, p := range procs {
		inputs := kadm.TopicsSet{}
		for _, topic := range p.Inputs {
			for n := range int32(kafkatest.DefaultPartitions) {
				inputs.Add(topic, n)
			}
		}
		writers, err := admin.DescribeProducers(ctx, inputs)
		if err != nil {
			t.Error(err)
		}
		writers.EachProducer(func(w kadm.DescribedProducer) {
			if w.CurrentTxnStartOffset >= 0 {
				t.Logf("%s/%d: producer %d, epoch %d, has a transaction open from %d on, last %v",
					w.Topic, w.Partition, w.ProducerID, w.ProducerEpoch,
					w.CurrentTxnStartOffset, time.UnixMilli(w.LastTimestamp))
			}
		})
	}
	open, err := admin.ListTransactions(ctx, nil, nil)
	if err != nil {
		t.Error(err)
	}
	for _, tx := range open.Sorted() {
		t.Logf("transaction %s of producer %d: %s", tx.TxnID, tx.ProducerID, tx.State)
	}
}

// table is the committed rows of a table.
func table(t *testing.T, b kafkatest.Broker, name string) map[string][]byte {
	t.Helper()
	rows := kafkatest.Compacted(kafkatest.MustReadAll(t, b, topics.Table(name), true))
	for key := range rows {
		if engine.Reserved(key) {
			delete(rows, key)
		}
	}
	return rows
}

func outcome(t *testing.T, b kafkatest.Broker) *e2e.Outcome {
	t.Helper()
	read := func(topic string) map[string][]byte {
		return kafkatest.Compacted(kafkatest.MustReadAll(t, b, topic, true))
	}
	return &e2e.Outcome{
		Sessions:    table(t, b, topics.TableSessions),
		Invoices:    read(topics.Invoices),
		Utilization: read(topics.Utilization),
		Anomalies:   read(topics.Anomalies),
	}
}

// compareWithMemory compares every table with the same records folded in memory.
func compareWithMemory(t *testing.T, b kafkatest.Broker, records ...[]ingest.Record) {
	t.Helper()
	w := newWorld(t)
	for _, list := range records {
		w.feed(t, list)
	}
	w.tick(t)
	compareTables(t, b, w)
}

func compareTables(t *testing.T, b kafkatest.Broker, w *world) {
	t.Helper()
	for _, name := range tableNames() {
		if diff := diffRows(name, w.driver.Rows(name), table(t, b, name)); diff != "" {
			t.Errorf("table %s: %s", name, diff)
		}
	}
}

func TestParisOnBroker(t *testing.T) {
	reference, events := parisRecords(t)
	want := parisExpected(t)
	for _, guarantee := range []engine.Guarantee{engine.ExactlyOnce, engine.AtLeastOnce} {
		t.Run(string(guarantee), func(t *testing.T) {
			b := kafkatest.Start(t)
			if !b.Real() && guarantee == engine.AtLeastOnce {
				events = ingest.Cut(events, 0, someEvents)
			}
			makeTopics(t, b)
			produce(t, b, reference)
			produce(t, b, events)
			settle(
				t,
				b,
				guarantee,
				filepath.Join(t.TempDir(), "a"),
				filepath.Join(t.TempDir(), "b"),
			)
			if b.Real() || guarantee == engine.ExactlyOnce {
				checkOutcome(t, want, outcome(t, b))
			}
			compareWithMemory(t, b, reference, events)
			if dead := kafkatest.MustReadAll(t, b, topics.DeadLetters, true); len(dead) > 0 {
				t.Errorf("%d dead letters", len(dead))
			}
		})
	}
}

// TestParisKilled kills the instance in the middle of its work, several times, and starts it
// again: with its disk and without. The tables are those of an undisturbed run.
func TestParisKilled(t *testing.T) {
	reference, events := parisRecords(t)
	want := parisExpected(t)
	for _, disk := range []string{"kept", "lost"} {
		for _, guarantee := range []engine.Guarantee{engine.ExactlyOnce, engine.AtLeastOnce} {
			t.Run(string(guarantee)+", disk "+disk, func(t *testing.T) {
				b := kafkatest.Start(t)
				if !b.Real() {
					events = ingest.Cut(events, 0, someEvents)
				}
				makeTopics(t, b)
				produce(t, b, reference)
				dir := filepath.Join(t.TempDir(), "a")
				for _, part := range []int{0, 1, 2} {
					n := len(events) / 3
					cut := ingest.Cut(events, part*n, n)
					if part == 2 {
						cut = ingest.Cut(events, part*n, 0)
					}
					produce(t, b, cut)
					killInTheMiddle(t, b, guarantee, dir)
					if disk == "lost" {
						if err := os.RemoveAll(dir); err != nil {
							t.Fatal(err)
						}
					}
				}
				settle(t, b, guarantee, dir)
				if b.Real() {
					checkOutcome(t, want, outcome(t, b))
				}
				compareWithMemory(t, b, reference, events)
			})
		}
	}
}

// killInTheMiddle starts an instance and kills it when it has written more than it had.
func killInTheMiddle(t *testing.T, b kafkatest.Broker, guarantee engine.Guarantee, dir string) {
	t.Helper()
	before := ends(t, b)
	cmd := startInstance(t, instanceSpec{brokers: b.Addrs(), dir: dir, guarantee: guarantee,
		session: sessionTimeout(b)})
	deadline := time.Now().Add(time.Minute)
	for ends(t, b) < before+200 && time.Now().Before(deadline) {
		<-time.After(5 * time.Millisecond)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the instance was not killed: %v", err)
	}
}

// instanceSpec is how a child is started.
type instanceSpec struct {
	brokers   []string
	dir       string
	guarantee engine.Guarantee
	session   time.Duration
	audited   bool
	standby   bool
	disk      string    // a key of diskFaults; empty for a disk that is well
	log       io.Writer // gets what it logs; the test's own log if nil
}

// startInstance starts the test binary as an instance of the processors. It ends by itself when the
// test is gone.
func startInstance(t *testing.T, spec instanceSpec) *exec.Cmd {
	t.Helper()
	kind, copies, disk := "plain", "alone", cmp.Or(spec.disk, diskWell)
	if spec.audited {
		kind = auditedChild
	}
	if spec.standby {
		copies = standbyChild
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join([]string{
		strings.Join(spec.brokers, ","), spec.dir, string(spec.guarantee), spec.session.String(),
		kind, copies, disk}, " "))
	cmd.SysProcAttr = ownMounts(disk)
	if cmd.Stderr = t.Output(); spec.log != nil {
		cmd.Stderr = spec.log
	}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// ends is how far the rows of sessions have been written.
func ends(t *testing.T, b kafkatest.Broker) int64 {
	t.Helper()
	var total int64
	for _, end := range kafkatest.MustEndOffsets(t, b, topics.Table(topics.TableSessions)) {
		total += end
	}
	return total
}
