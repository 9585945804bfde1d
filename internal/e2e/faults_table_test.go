//go:build faults

package e2e_test

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/engine/broker"
	"chargestream/engine/stall"
	"chargestream/internal/e2e"
	"chargestream/internal/kafkatest"
)

var (
	tableShort = flag.Bool("faults.short", false, "only the faults of the short form")
	tableOnly  = flag.String("faults.only", "", "only faults with this in their name")
	tableFile  = flag.String("faults.table", "", "file that gets the table; empty for none")
)

// Bounds of TestFaultTable.
const (
	tableRate = 500 // events a second that are put in
	// stillMax is how long partitions may stand still after a fault is over.
	stillMax = 90 * time.Second
	// wordMax is how long a partition may stand still until that is said: stall.After, and the
	// looks of the watch before and after it.
	wordMax = stall.After + 12*time.Second
	// breather is how long everything must work before the next fault.
	breather = 4 * time.Second
)

// fault is one thing that goes wrong, and what must be said of it.
type fault struct {
	name  string
	short bool // it is part of the short form
	nodes int  // the least that it needs
	do    func()
	// outcome is what the table has; empty: that all goes on.
	outcome string
	// says has words, one of which the instances must say; none: nothing need be said.
	says []string
}

// faultRow is a row of the table.
type faultRow struct {
	name    string
	outcome string
	still   time.Duration // nothing was committed
	unfed   time.Duration // nothing could be written to a partition of the inputs
	said    []string
}

// TestFaultTable lets one fault after another happen to two instances that are at work and keep
// standby copies of each other's tables, on a Kafka of one or three nodes. It measures for each
// fault how long a partition stood still, and holds that every process goes on, and that what must
// be said was said. Then it compares every record and every row that came out with the journal.
func TestFaultTable(t *testing.T) {
	seed := *faultSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	again := fmt.Sprintf("make fault-table SEED=%d BROKERS=%d", seed, *faultNodes)
	t.Log("run again with:", again)
	c, proxies := kafkatest.StartCluster(t, *faultNodes)
	f := &faults{t: t, b: c, proxies: proxies, cluster: c, rng: rand.New(rand.NewPCG(seed, 1)),
		running: map[string]*child{}, done: map[string]int{}, standby: true,
		said: &said{also: t.Output(), part: map[*saidBy][]byte{}}}
	list := f.chosen()
	defer watchHanging(t, c)()
	makeAuditedTopics(t, c)
	j, reference := journalOf(t, e2e.JournalConfig{Seed: seed, Events: tableRate * 45 * len(list),
		Partitions: partitions, Depot: 200, City: 150})
	produce(t, c, reference)
	t.Cleanup(f.killAll)
	base := t.TempDir()
	f.third = filepath.Join(base, "c")
	f.start(filepath.Join(base, "a"))
	f.start(filepath.Join(base, "b"))
	f.fed, f.progress = newGaps(), watchProgress(t, c)
	feed := f.feed(j.Entries)
	var rows []faultRow
	f.settled(time.Now())
	for _, one := range list {
		rows = append(rows, f.measure(one))
	}
	feed.rest()
	for _, dir := range slices.Sorted(maps.Keys(f.running)) {
		f.stop(dir)
	}
	settleAt(t, c, engine.ExactlyOnce, j.End, true, filepath.Join(base, "a"),
		filepath.Join(base, "b"))
	verify(t, c, j, reference)
	printTable(t, rows)
}

// printTable logs the rows, and adds them to the file that gets the table.
func printTable(t *testing.T, rows []faultRow) {
	text := tableText(rows)
	t.Log("\n" + text)
	if *tableFile == "" {
		return
	}
	file, err := os.OpenFile(*tableFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = file.WriteString(text + "\n")
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		t.Error(err)
	}
}

// chosen are the faults of this run, in an order that the seed draws.
func (f *faults) chosen() []fault {
	var list []fault
	for _, one := range f.all() {
		if one.nodes <= *faultNodes && (one.short || !*tableShort) &&
			strings.Contains(one.name, *tableOnly) {
			list = append(list, one)
		}
	}
	if len(list) == 0 {
		f.t.Fatalf("no fault has %q in its name", *tableOnly)
	}
	f.rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// measure lets a fault happen and waits until everything works again.
func (f *faults) measure(one fault) faultRow {
	f.note("begins:", one.name)
	f.progress.reset()
	f.fed.reset()
	_, mark := f.said.since(0)
	one.do()
	still := f.settled(time.Now())
	said, _ := f.said.since(mark)
	_, unfed := f.fed.since(time.Now())
	row := faultRow{name: one.name, outcome: cmp.Or(one.outcome, "goes on"), still: still,
		unfed: unfed, said: said}
	if ended := f.restartEnded(); ended > 0 {
		row.outcome = fmt.Sprintf("%d processes ended", ended)
		f.t.Errorf("%s: %s by themselves", one.name, row.outcome)
	}
	f.note("is over:", fmt.Sprintf("%s, %.1f s without progress, %.1f s without a write, said: %s",
		one.name, still.Seconds(), unfed.Seconds(), strings.Join(said, "; ")))
	if len(one.says) > 0 && !anyOf(said, one.says) {
		f.t.Errorf("%s: said was %q, want one of %q", one.name, said, one.says)
	}
	if still-unfed > wordMax && !anyOf(said, []string{"stall", "restart", "ended"}) {
		f.t.Errorf("%s: %v without progress and without a word", one.name, still)
	}
	return row
}

// settled waits until every partition moves for a while, and returns how long the one that stood
// longest has stood since the last reset.
func (f *faults) settled(from time.Time) time.Duration {
	for deadline := time.Now().Add(stillMax); ; <-time.After(progressEvery) {
		moved, longest := f.progress.since(from)
		if f.over {
			return longest
		}
		if moved {
			<-time.After(breather)
			return longest
		}
		if time.Now().After(deadline) {
			f.t.Errorf("a partition stands still for %v after the fault was over", stillMax)
			logBehind(f.t, f.b, fleet(true))
			return longest
		}
	}
}

// restartEnded starts those instances again that ended by themselves.
func (f *faults) restartEnded() (ended int) {
	for _, dir := range slices.Sorted(maps.Keys(f.running)) {
		c := f.running[dir]
		select {
		case <-c.ended:
			f.t.Logf("instance %s ended: %v", filepath.Base(dir), c.err)
			ended++
			f.start(dir)
		default:
		}
	}
	return ended
}

// feeding puts entries in, at a steady rate.
type feeding struct {
	hurry chan struct{} // closed: the rest as fast as it goes
	stop  chan struct{} // closed: no more
	done  chan struct{}
}

// feed puts the entries in, and straight to the brokers.
func (f *faults) feed(entries []e2e.Entry) *feeding {
	client, err := kgo.NewClient(kgo.SeedBrokers(f.b.Addrs()...), kgo.RecordPartitioner(
		kgo.ManualPartitioner()), kgo.MaxBufferedRecords(len(entries)+1),
		kgo.ProducerBatchMaxBytes(4_000_000))
	if err != nil {
		f.t.Fatal(err)
	}
	feed := &feeding{hurry: make(chan struct{}), stop: make(chan struct{}),
		done: make(chan struct{})}
	f.t.Cleanup(client.Close)
	go func() {
		defer close(feed.done)
		const portion = tableRate / 10
		due := time.Now()
		for list := range slices.Chunk(entries, portion) {
			for i := range list {
				f.put(client, list[i].Record())
			}
			due = due.Add(time.Second / 10)
			select {
			case <-feed.hurry:
			case <-feed.stop:
				return
			case <-f.t.Context().Done():
				return
			case <-time.After(time.Until(due)):
			}
		}
		if err := client.Flush(f.t.Context()); err != nil {
			f.t.Error(err)
		}
	}()
	return feed
}

// put writes a record. The client gives a record up when a broker that goes down ends the first
// connection to it: it is written again then.
func (f *faults) put(client *kgo.Client, r *kgo.Record) {
	client.Produce(f.t.Context(), r, func(r *kgo.Record, err error) {
		switch {
		case err == nil:
			f.fed.note(r.Partition)
		case f.lossy || f.t.Context().Err() != nil:
		case broker.Classify(err).Name == "closed_at_once":
			f.put(client, r)
		default:
			f.t.Error(fmt.Errorf("produce events: %w", err))
		}
	})
}

// rest puts in what is left, and waits for it.
func (f *feeding) rest() {
	close(f.hurry)
	<-f.done
}

// tableText is the table for a page.
func tableText(rows []faultRow) string {
	var text strings.Builder
	text.WriteString("| fault | outcome | s without progress | s without a write | said |\n" +
		"| --- | --- | ---: | ---: | --- |\n")
	slices.SortFunc(rows, func(a, b faultRow) int { return strings.Compare(a.name, b.name) })
	for _, r := range rows {
		said := strings.Join(r.said, "; ")
		if said == "" {
			said = "-"
		}
		fmt.Fprintf(&text, "| %s | %s | %.1f | %.1f | %s |\n", r.name, r.outcome,
			r.still.Seconds(), r.unfed.Seconds(), said)
	}
	return text.String()
}
