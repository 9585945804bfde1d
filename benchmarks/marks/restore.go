//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/internal/kafkatest"
)

const (
	partRestore       = "restore"
	restorePartitions = 4
	// restoreLimit bounds how long a restore is waited for.
	restoreLimit = 2 * time.Minute
	// The engine's own account of restores, where it has one.
	metricRestored    = "stream_table_restored_records_total"
	metricRestoreTime = "stream_table_restore_duration_seconds_sum"
)

// restoreResult is what one restore gave. Ready is from the call of Run until each partition had
// a record folded, for a view until it calls itself recovered.
type restoreResult struct {
	Name      string
	Keys      string
	Rows      int64
	Ready     time.Duration
	ReadyCPU  time.Duration
	BrokerCPU time.Duration
	Others    float64
	Loop      time.Duration
	RSSMax    int64
	Right     bool
	Child     report
}

// restorePart measures how a long changelog becomes a table on an empty disk.
func (r *run) restorePart(ctx context.Context) error {
	r.title("restore: %d records of %d bytes in the changelog, %d partitions", r.rows,
		rowBytes, restorePartitions)
	var rows [][]string
	for _, shape := range []struct {
		name     string
		distinct bool
	}{{fmt.Sprintf("of %d", r.keys), false}, {"all distinct", true}} {
		group := "marks-restore"
		if shape.distinct {
			group += "-distinct"
		}
		want, err := r.loadTable(ctx, group, shape.distinct)
		if err != nil {
			return err
		}
		for _, one := range []struct{ name, kind string }{
			{"stock goka view", kindView}, {"here exactly_once", kindEngine}} {
			if !r.only.MatchString(one.name) {
				continue
			}
			f, err := r.restoreOnce(ctx, group, one.kind, want)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", one.name, shape.name, err)
			}
			f.Name, f.Keys = one.name, shape.name
			if !f.Right {
				r.fail(partRestore, one.name, "counts of the probes are wrong")
			}
			if err := r.line(partRestore, f); err != nil {
				return err
			}
			rows = append(rows, f.cells())
		}
		if err := r.broker.deleteTopics(ctx, group+"-table", group+"-in"); err != nil {
			return err
		}
	}
	return r.table([]string{"who", "keys", "ready s", "rows/s", "client us/row", "broker us/row",
		"RSS MiB", "loop ns", "others", "right", "own records", "own s"}, rows)
}

func (f *restoreResult) cells() []string {
	own, ownTime := "-", "-"
	if n, ok := f.Child.Metrics[metricRestored]; ok {
		own = fmt.Sprintf("%.0f", n)
	}
	if s, ok := f.Child.Metrics[metricRestoreTime]; ok {
		ownTime = fmt.Sprintf("%.3f", s)
	}
	return []string{f.Name, f.Keys, seconds(f.Ready), rate(f.Rows, f.Ready),
		perRecord(f.ReadyCPU, f.Rows), perRecord(f.BrokerCPU, f.Rows), fmt.Sprint(f.RSSMax >> 20),
		fmt.Sprint(f.Loop.Nanoseconds()), fmt.Sprintf("%.0f %%", 100*f.Others),
		fmt.Sprint(f.Right), own, ownTime}
}

// probes are keys of which every partition has readyFolds: their events tell when a partition is
// there, and their counts whether the table was right.
func probes() []string {
	var keys []string
	var have [restorePartitions]int
	for n := 0; len(keys) < restorePartitions*readyFolds; n++ {
		key := keyOf(n)
		if p := engine.PartitionOf(key, restorePartitions); have[p] < readyFolds {
			have[p]++
			keys = append(keys, key)
		}
	}
	return keys
}

// loadTable writes a group's changelog and one event of each probe as its input, and gives the
// counts of the probes after these events.
func (r *run) loadTable(ctx context.Context, group string, distinct bool) (map[string]int64,
	error) {
	table, input := group+"-table", group+"-in"
	err := errors.Join(r.broker.createTopic(ctx, table, restorePartitions, compact),
		r.broker.createTopic(ctx, input, restorePartitions, keep))
	if err != nil {
		return nil, err
	}
	keys := probes()
	counts := map[string]int64{}
	for _, key := range keys {
		counts[key] = 1
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	err = r.broker.preload(ctx, r.rows, func(seq int64) *kgo.Record {
		key := keyOf(int(seq))
		if !distinct {
			key = keyOf(rng.IntN(r.keys))
		}
		e := newEvent(rng, seq, key)
		var one row
		one.fold(&e)
		one[rowCount] = seq + 1
		if _, ok := counts[key]; ok {
			counts[key] = one[rowCount] + 1
		}
		return &kgo.Record{Topic: table, Key: []byte(key), Value: one.append(nil)}
	})
	if err != nil {
		return nil, err
	}
	return counts, r.broker.preload(ctx, int64(len(keys)), func(seq int64) *kgo.Record {
		e := newEvent(rng, seq, keys[seq])
		return &kgo.Record{Topic: input, Key: []byte(e.StationID), Value: e.append(nil)}
	})
}

// restoreOnce restores a group's table in a child with an empty disk. The view goes first, as it
// waits for ever behind the transaction markers that the engine leaves at the table's end.
func (r *run) restoreOnce(ctx context.Context, group, kind string, want map[string]int64) (
	*restoreResult, error) {
	m, err := r.startMeter()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(r.dir, group+"-"+kind)
	p, err := startChild(dir, task{Kind: kind, Broker: r.broker.Addr, StateDir: dir,
		Instance: "a", Group: group, Input: group + "-in", Guarantee: engine.ExactlyOnce,
		Decoder: decoderLexer, Metrics: true, Partitions: restorePartitions, Probes: probes()})
	if err != nil {
		return nil, err
	}
	f := &restoreResult{Rows: r.rows}
	select {
	case ready := <-p.reports:
		if ready.Kind != reportReady {
			return nil, fmt.Errorf("the child is not ready: %s", p.Tail())
		}
		f.Ready, f.ReadyCPU = ready.Ready, ready.ReadyCPU
	case <-time.After(restoreLimit):
		return nil, fmt.Errorf("not ready after %v: %s", restoreLimit, p.Tail())
	}
	reading, err := m.Stop(f.ReadyCPU)
	if err != nil {
		return nil, err
	}
	f.BrokerCPU, f.Others, f.Loop = reading.Broker, reading.Others, reading.Loop
	if kind == kindEngine {
		if err := r.awaitCommitted(ctx, group, int64(len(want))); err != nil {
			return nil, err
		}
	}
	if f.Child, err = p.finish(); err != nil {
		return nil, err
	}
	f.RSSMax = p.PeakRSS()
	if kind == kindView {
		f.Right = same(f.Child.Probes, want, -1)
	} else if f.Right, err = r.tableHolds(ctx, group+"-table", want); err != nil {
		return nil, err
	}
	return f, r.discard(ctx, dir)
}

// same reports whether counts are as wanted, each with as many more.
func same(got, want map[string]int64, more int64) bool {
	for key, n := range want {
		if got[key] != n+more {
			return false
		}
	}
	return true
}

// awaitCommitted waits until a group has committed its input.
func (r *run) awaitCommitted(ctx context.Context, group string, want int64) error {
	ctx, cancel := context.WithTimeout(ctx, foldStall)
	defer cancel()
	return r.broker.Admin(func(adm *kadm.Client) error {
		for {
			n, err := committed(ctx, adm, group, group+"-in")
			if err == nil && n == want {
				return nil
			}
			if err := kafkatest.Pause(ctx, foldLook); err != nil {
				return fmt.Errorf("%d of %d probes are committed: %w", n, want, err)
			}
		}
	})
}

// tableHolds reports whether a table has these counts.
func (r *run) tableHolds(ctx context.Context, topic string, want map[string]int64) (bool, error) {
	got := map[string]int64{}
	err := r.broker.readAll(ctx, topic, func(record *kgo.Record) error {
		if _, ok := want[string(record.Key)]; !ok || record.Value == nil {
			return nil
		}
		var one row
		err := decodeRow(record.Value, &one)
		got[string(record.Key)] = one[rowCount]
		return err
	})
	return same(got, want, 0), err
}
