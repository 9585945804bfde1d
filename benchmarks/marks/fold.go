//go:build linux

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"chargestream/engine"
	"chargestream/internal/kafkatest"
)

const (
	partFold       = "fold"
	foldPartitions = 4
	foldInput      = "marks-fold"
	warmInput      = "marks-warm"
	// foldLook is how often committed offsets are looked at.
	foldLook = 20 * time.Millisecond
	// foldStall is how long a group may commit nothing before it counts as stuck.
	foldStall = 60 * time.Second
	// warmShare is the part of the events that the discarded first run folds.
	warmShare = 2
)

// foldKind is one row of the table: who folds, and by which decoder.
type foldKind struct {
	name    string
	kind    string
	promise engine.Guarantee
	decoder string
}

func foldKinds() []foldKind {
	var kinds []foldKind
	for _, decoder := range []string{decoderLexer, decoderStd} {
		kinds = append(kinds,
			foldKind{"here exactly_once", kindEngine, engine.ExactlyOnce, decoder},
			foldKind{"here at_least_once", kindEngine, engine.AtLeastOnce, decoder},
			foldKind{"stock goka 1.1.17", kindGoka, "", decoder})
	}
	return kinds
}

// foldResult is what one run of a kind gave. Times are seen from outside: FirstCommit and
// LastCommit are when committed offsets were first and completely there, since the child's start.
type foldResult struct {
	Name           string
	Decoder        string
	Events         int64
	FirstCommit    time.Duration
	FirstCommitted int64
	LastCommit     time.Duration
	ClientCPU      time.Duration
	BrokerCPU      time.Duration
	Others         float64 // share of all cores
	Loop           time.Duration
	RSSMax         int64 // bytes
	Want, Got      total
	Written        int64 // records of rows in the changelog
	Child          report
}

// foldPart measures the bare fold.
func (r *run) foldPart(ctx context.Context) error {
	r.title("fold: %d events, %d keys, %d partitions, rows of %d bytes, metrics %v",
		r.events, r.keys, foldPartitions, rowBytes, r.metrics)
	warm := max(r.events/warmShare, 1)
	if _, _, err := r.load(ctx, warmInput, warm); err != nil {
		return err
	}
	want, size, err := r.load(ctx, foldInput, r.events)
	if err != nil {
		return err
	}
	r.say("%.1f bytes of JSON an event, keys of %d; a first run of %d events is discarded",
		size, len(keyOf(0)), warm)
	if _, err := r.foldOnce(ctx, foldKinds()[0], warmInput, warm, "warm", ""); err != nil {
		return err
	}
	var rows [][]string
	for n := range r.repeat {
		for i, kind := range foldKinds() {
			if !r.only.MatchString(kind.name + " " + kind.decoder) {
				continue
			}
			id := fmt.Sprintf("%d-%d", n, i)
			profile := ""
			if r.profiles != "" {
				profile = filepath.Join(r.profiles, fmt.Sprintf("fold-%s.cpu.prof", id))
				r.say("profile of %s, %s: %s", kind.name, kind.decoder, profile)
			}
			one, err := r.foldOnce(ctx, kind, foldInput, r.events, id, profile)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", kind.name, kind.decoder, err)
			}
			one.Want = want
			if one.Got != want {
				r.fail(partFold, kind.name, "table adds up to %+v, want %+v", one.Got, want)
			}
			if err := r.line(partFold, one); err != nil {
				return err
			}
			rows = append(rows, one.cells())
		}
	}
	if err := r.table(foldHead(), rows); err != nil {
		return err
	}
	return r.broker.deleteTopics(ctx, foldInput, warmInput)
}

// load makes a topic of events.
func (r *run) load(ctx context.Context, topic string, n int64) (total, float64, error) {
	if err := r.broker.createTopic(ctx, topic, foldPartitions, keep); err != nil {
		return total{}, 0, err
	}
	return r.broker.preloadEvents(ctx, topic, n, r.keys)
}

func foldHead() []string {
	return []string{"who", "JSON", "events/s", "with start", "folds/s", "client us/ev",
		"broker us/ev", "rows/ev", "RSS MiB", "loop ns", "others", "right"}
}

func (f *foldResult) cells() []string {
	return []string{f.Name, f.Decoder,
		rate(f.Events-f.FirstCommitted, f.LastCommit-f.FirstCommit),
		rate(f.Events, f.LastCommit), rate(f.Events, f.Child.LastFold-f.Child.FirstFold),
		perRecord(f.ClientCPU, f.Events), perRecord(f.BrokerCPU, f.Events),
		fmt.Sprintf("%.3f", float64(f.Written)/float64(f.Events)),
		fmt.Sprint(f.RSSMax >> 20), fmt.Sprint(f.Loop.Nanoseconds()),
		fmt.Sprintf("%.0f %%", 100*f.Others), fmt.Sprint(f.Got == f.Want)}
}

// foldOnce folds a topic in a child with an empty disk and an empty table.
func (r *run) foldOnce(ctx context.Context, kind foldKind, input string, events int64,
	id, profile string) (*foldResult, error) {
	group := "marks-fold-" + id
	table := group + "-table"
	if err := r.broker.createTopic(ctx, table, foldPartitions, compact); err != nil {
		return nil, err
	}
	m, err := r.startMeter()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(r.dir, group)
	p, err := startChild(dir, task{Kind: kind.kind, Broker: r.broker.Addr, StateDir: dir,
		Instance: "a", Group: group, Input: input, Guarantee: kind.promise, Decoder: kind.decoder,
		Metrics: r.metrics, CPUProfile: profile, Partitions: foldPartitions, Events: events})
	if err != nil {
		return nil, err
	}
	f := &foldResult{Name: kind.name, Decoder: kind.decoder, Events: events}
	if err := r.foldAwait(ctx, p, f, group, input); err != nil {
		return nil, err
	}
	if f.Child, err = p.finish(); err != nil {
		return nil, err
	}
	f.ClientCPU, f.RSSMax = p.CPU(), p.PeakRSS()
	reading, err := m.Stop(f.ClientCPU)
	if err != nil {
		return nil, err
	}
	f.BrokerCPU, f.Others, f.Loop = reading.Broker, reading.Others, reading.Loop
	if f.Got, f.Written, err = r.broker.readTable(ctx, table); err != nil {
		return nil, err
	}
	return f, r.discard(ctx, dir, table)
}

// foldAwait looks at the committed offsets until all events are committed.
func (r *run) foldAwait(ctx context.Context, p *process, f *foldResult, group,
	input string) error {
	return r.broker.Admin(func(adm *kadm.Client) error {
		last, moved := int64(0), time.Now()
		for {
			n, err := committed(ctx, adm, group, input)
			now := time.Since(p.Began)
			if err == nil && n > last {
				if last == 0 {
					f.FirstCommit, f.FirstCommitted = now, n
				}
				last, moved = n, time.Now()
			}
			if last == f.Events {
				f.LastCommit = now
				return nil
			}
			if p.Ended() || time.Since(moved) > foldStall {
				return fmt.Errorf("%d of %d events were committed (%v, %v): %s", last, f.Events,
					err, p.Signal(syscall.SIGKILL), p.Tail())
			}
			if err := kafkatest.Pause(ctx, foldLook); err != nil {
				return err
			}
		}
	})
}
