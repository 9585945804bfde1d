package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"chargestream/engine/store"
)

// A table of another group that is looked up is as old as that group is behind. goka waits until
// the local copy has what is in the table's topic. That is not what is in the topics that the table
// is made of: where both groups start at once it is nothing. So an instance waits for what was in
// those topics, by the progress records that the other group writes into its table, and does not
// fold on for long where the other group has stopped.

// Bounds of how far a looked-up table may be behind the topics that it is made of.
const (
	// sourcesPoll is how often a local copy is looked at while it is waited for.
	sourcesPoll = 50 * time.Millisecond
	// sourcesEvery is how often a running instance asks how far the topics go.
	sourcesEvery = 10 * time.Second
	// sourcesMax is the default of Config.SourcesMax.
	sourcesMax = time.Minute
)

// errSources ends an attempt that looks up a table which no process keeps up to date. The next
// attempt waits for the table.
var errSources = errors.New("a table that is looked up is behind")

// noteLookup remembers the store of a partition of a lookup table. The caller holds mu.
func (i *instance) noteLookup(s *store.Store, topic string, partition int32) {
	if i.copies[topic] == nil {
		i.copies[topic] = map[int32]*store.Store{}
	}
	i.copies[topic][partition] = s
}

// sourcesPasses: a record that the other group repartitions is read by it twice. When the first
// pass is over the record lies at the end of its topic again, in its own partition; the second pass
// waits for what is there now. It is not repartitioned once more.
const sourcesPasses = 2

// awaitSources returns when every looked-up table has all that its topics had at the call.
func (i *instance) awaitSources(ctx context.Context) error {
	for table, topics := range i.p.Sources {
		for range sourcesPasses {
			if err := i.awaitSource(ctx, table, topics); err != nil {
				return err
			}
		}
	}
	return nil
}

func (i *instance) awaitSource(ctx context.Context, table string, topics []string) error {
	// Uncommitted records are not part of a topic yet: awaitSource does not wait for them.
	starts, ends, err := i.bounds(ctx, (*kadm.Client).ListCommittedOffsets, topics...)
	if err != nil {
		return fmt.Errorf("bounds of %s: %w", strings.Join(topics, ", "), err)
	}
	counted, logged := int64(-1), time.Now()
	i.awaited.Store(&table)
	defer i.awaited.Store(nil)
	for {
		behind, total, err := i.behindSource(table, starts, ends)
		if err != nil || total == 0 {
			return err
		}
		if total != counted && total <= markersMax {
			// The last records may be control records, which no progress record covers.
			records, err := dataAfter(ctx, i.c.Brokers, behind, ends)
			if err != nil || records == 0 {
				return err
			}
		}
		if counted = total; time.Since(logged) >= repeatEvery {
			logged = time.Now()
			i.c.Log.Info("waits for a table that is looked up: does its processor run?", "group",
				i.p.Group, "table", table, "offsets", total)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(sourcesPoll):
		}
	}
}

// behindSource is from which offsets on the local copy of a table lacks records of its topics, and
// how many offsets that are.
func (i *instance) behindSource(table string, starts, ends kadm.ListedOffsets) (
	behind map[string]map[int32]int64, total int64, err error) {
	behind = map[string]map[int32]int64{}
	ends.Each(func(end kadm.ListedOffset) {
		start, _ := starts.Lookup(end.Topic, end.Partition)
		next, known := start.Offset, map[string]int64{}
		if known, err = i.progressOfCopy(table, end.Partition, err); err != nil {
			return
		}
		if next = max(next, known[end.Topic]); next >= end.Offset {
			return
		}
		if behind[end.Topic] == nil {
			behind[end.Topic] = map[int32]int64{}
		}
		behind[end.Topic][end.Partition] = next
		total += end.Offset - next
	})
	return behind, total, err
}

// progressOfCopy is the progress record of the local copy of a looked-up table. It returns an
// earlier error unchanged.
func (i *instance) progressOfCopy(table string, partition int32, before error) (
	map[string]int64, error) {
	if before != nil {
		return nil, before
	}
	i.mu.Lock()
	s := i.copies[table][partition]
	i.mu.Unlock()
	if s == nil {
		return nil, nil // not there yet: nothing is in it
	}
	text, err := s.Get(0, progressKey)
	if err != nil {
		return nil, err
	}
	_, next, err := parseProgress(text)
	return next, err
}

// watchSources ends the attempt when a looked-up table has been behind for too long.
func (i *instance) watchSources(ctx context.Context) {
	if len(i.p.Sources) == 0 {
		return
	}
	ticker := time.NewTicker(min(sourcesEvery, i.c.SourcesMax))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		within, cancel := context.WithTimeout(ctx, i.c.SourcesMax)
		err := i.awaitSources(within)
		late := within.Err() != nil && ctx.Err() == nil
		cancel()
		switch {
		case late:
			i.fail(fmt.Errorf("%w for %s", errSources, i.c.SourcesMax))
			return
		case err != nil && ctx.Err() == nil:
			i.c.Log.Debug("look at the sources of lookups", "group", i.p.Group, "error", err)
		}
	}
}
