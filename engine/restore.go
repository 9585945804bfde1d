package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"chargestream/engine/store"
)

// Bounds of a restore.
const (
	// restoreFetchBytes is fetched of a partition at once.
	restoreFetchBytes = 1 << 20
	// restoreTries bounds how often a restore is tried when the log is truncated at its start.
	restoreTries = 3
	// followPollMax bounds a wait for records; after it follow checks whether the copies are still
	// wanted.
	followPollMax = 500 * time.Millisecond
	// restoreLogEvery is how often a long restore is logged.
	restoreLogEvery = 5 * time.Second
	// restoreReportEvery is how often Config.OnRestore is called.
	restoreReportEvery = 100 * time.Millisecond
)

// Restore is the progress of a restore of the tables of some partitions.
type Restore struct {
	Group      string
	Partitions int
	// Rows is how many changelog offsets are read, of Total that there were at the beginning.
	Rows, Total int64
	Elapsed     time.Duration
	Done        bool
}

// localCopy is the local copy of a partition's tables, read up to their changelogs.
type localCopy struct {
	store     *store.Store
	partition int32
	from      []int64 // by table: next changelog offset to read
	until     []int64 // by table: offset to read up to; nil for as long as possible
	ended     bool
	gone      *atomic.Bool // set when it is unwanted; nil for never
}

// unwanted reports whether the copy need not be read any further.
func (c *localCopy) unwanted() bool { return c.gone != nil && c.gone.Load() }

// left is how many changelog offsets are still to be read.
func (c *localCopy) left() int64 {
	var sum int64
	for table := range c.until {
		sum += max(c.until[table]-c.from[table], 0)
	}
	return sum
}

// aim sets the end up to which the copy is read.
func (c *localCopy) aim(until []int64) { c.until, c.ended = until, false; c.ended = c.left() == 0 }

// path is where the local copy of a partition of a table lies.
func (i *instance) path(topic string, partition int32) string {
	return filepath.Join(i.c.StateDir, i.p.Group, fmt.Sprintf("%s.%d", topic, partition))
}

// storePath is where the local copy of a partition lies.
func (i *instance) storePath(partition int32) string { return i.path(i.p.Table(), partition) }

// local are the partitions that there is a local copy of.
func (i *instance) local() []int32 {
	var found []int32
	for p := range i.partitions {
		if _, err := os.Stat(i.storePath(p)); err == nil {
			found = append(found, p)
		}
	}
	return found
}

// open opens the local copies of partitions, except those in have, and finds what they lack. A copy
// that cannot be continued is rebuilt: one that is ahead of a changelog, which lost those records,
// or so far behind that the changelog begins after it.
func (i *instance) open(ctx context.Context, partitions []int32,
	have map[int32]*localCopy) (copies []*localCopy, err error) {
	defer func() {
		if err == nil {
			return
		}
		for _, c := range copies {
			delete(have, c.partition)
			err = errors.Join(err, c.store.Close())
		}
		for _, c := range have {
			err = errors.Join(err, c.store.Close())
		}
	}()
	// Up to the high watermark, not the last stable offset: rows that others committed may lie
	// behind a transaction that is still open.
	starts, ends, err := i.bounds(ctx, (*kadm.Client).ListEndOffsets, i.p.TableTopics()...)
	if err != nil {
		return copies, fmt.Errorf("bounds of tables: %w", err)
	}
	for _, p := range partitions {
		start, end, err := i.boundsOf(p, starts, ends)
		if err != nil {
			return copies, err
		}
		if c := have[p]; c != nil && c.continues(start, end) {
			c.aim(end)
			copies = append(copies, c)
			continue
		} else if c != nil { // openCopy logs the reason
			if err := c.store.Close(); err != nil {
				return copies, err
			}
			delete(have, p)
		}
		c, err := i.openCopy(p, start, end)
		if err != nil {
			return copies, err
		}
		copies = append(copies, c)
	}
	return copies, nil
}

// boundsOf are the first offset and the end of a partition of each table.
func (i *instance) boundsOf(p int32, starts, ends kadm.ListedOffsets) (start, end []int64,
	err error) {
	for _, topic := range i.p.TableTopics() {
		s, ok := starts.Lookup(topic, p)
		e, known := ends.Lookup(topic, p)
		if !ok || !known {
			return nil, nil, fmt.Errorf("%w: table %q has no partition %d", ErrTopics, topic, p)
		}
		start, end = append(start, s.Offset), append(end, e.Offset)
	}
	return start, end, nil
}

// continues reports whether the changelogs have the records after the copy.
func (c *localCopy) continues(start, end []int64) bool {
	for table, from := range c.from {
		if from < start[table] || from > end[table] {
			return false
		}
	}
	return true
}

// lister asks for the ends of topics: the high watermarks, or what is committed.
type lister func(*kadm.Client, context.Context, ...string) (kadm.ListedOffsets, error)

// bounds are the first offset and the end of every partition of topics.
func (i *instance) bounds(ctx context.Context, end lister,
	topics ...string) (starts, ends kadm.ListedOffsets, err error) {
	admin := kadm.NewClient(i.producer)
	if starts, err = admin.ListStartOffsets(ctx, topics...); err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, nil, err
	}
	if ends, err = end(admin, ctx, topics...); err == nil {
		err = ends.Error()
	}
	return starts, ends, err
}

func (i *instance) openCopy(partition int32, start, end []int64) (*localCopy, error) {
	path, tables := i.storePath(partition), len(i.p.Tables)
	s, err := i.openOrRebuild(path, i.p.Table(), tables)
	if err != nil {
		return nil, err
	}
	c := i.newCopy(s, partition)
	empty := true
	for table := range c.from {
		if c.from[table] == 0 {
			c.from[table] = start[table]
		} else {
			empty = false
		}
	}
	if !empty && !c.continues(start, end) {
		i.c.Log.Warn("the local copy of a partition cannot be continued and is rebuilt",
			"path", path, "next", c.from, "begin", start, "end", end)
		i.c.Metrics.rebuilt(i.p.Table())
		if err := errors.Join(s.Close(), os.RemoveAll(path)); err != nil {
			return nil, fmt.Errorf("remove store: %w", err)
		}
		if s, err = i.openOrRebuild(path, i.p.Table(), tables); err != nil {
			return nil, err
		}
		c = &localCopy{store: s, partition: partition, from: start}
	}
	c.aim(end)
	return c, nil
}

// newCopy is a store as a copy that is read on from its position.
func (i *instance) newCopy(s *store.Store, partition int32) *localCopy {
	c := &localCopy{store: s, partition: partition}
	for table := range i.p.Tables {
		c.from = append(c.from, s.Offset(table)+1)
	}
	return c
}

// restore reads the changelogs until every copy has what there was when it was opened, and calls
// ready for each that has.
func (i *instance) restore(ctx context.Context, copies []*localCopy,
	ready func(*localCopy) error) error {
	began := time.Now()
	t := &restoring{i: i, began: began, reported: began, copies: copies}
	for _, c := range copies {
		t.total += c.left()
	}
	err := i.follow(ctx, copies, func(c *localCopy, rows int64) error {
		t.progress(rows)
		if !c.ended {
			return nil
		}
		if !c.unwanted() {
			i.c.Metrics.restored(i.p.Table(), time.Since(began))
		}
		return ready(c)
	})
	if err == nil {
		t.done()
	}
	return err
}

// restoring reports the progress of a restore.
type restoring struct {
	i               *instance
	copies          []*localCopy
	rows, total     int64
	began, reported time.Time
	logged          time.Time
}

func (t *restoring) progress(rows int64) {
	t.rows += rows
	t.i.restoredRows.Add(rows)
	t.i.c.Metrics.restoring(t.i.p.Table(), rows, t.copies)
	now := time.Now()
	if now.Sub(t.reported) >= restoreReportEvery {
		t.reported = now
		t.report(false)
	}
	if now.Sub(t.began) >= restoreLogEvery && now.Sub(t.logged) >= restoreLogEvery {
		t.logged = now
		t.i.c.Log.Info("restoring the table", "group", t.i.p.Group, "rows", t.rows, "of", t.total,
			"elapsed", now.Sub(t.began).Round(time.Millisecond))
	}
}

func (t *restoring) report(done bool) {
	if t.i.c.OnRestore != nil && t.total > 0 {
		t.i.c.OnRestore(Restore{Group: t.i.p.Group, Partitions: len(t.copies), Rows: t.rows,
			Total: t.total, Elapsed: time.Since(t.began), Done: done})
	}
}

func (t *restoring) done() {
	if t.total == 0 {
		return
	}
	t.report(true)
	t.i.c.Log.Info("table restored", "group", t.i.p.Group, "partitions", len(t.copies), "rows",
		t.rows, "elapsed", time.Since(t.began).Round(time.Millisecond))
}

// follow reads the changelogs into copies until each is ended, or ctx is done. It calls read after
// each portion of a copy, and once for a copy that lacks nothing.
func (i *instance) follow(ctx context.Context, copies []*localCopy,
	read func(c *localCopy, rows int64) error) error {
	at, open := map[string]map[int32]kgo.Offset{}, map[int32]*localCopy{}
	for _, c := range copies {
		if c.ended {
			if err := read(c, 0); err != nil {
				return err
			}
			continue
		}
		open[c.partition] = c
		for table, topic := range i.p.TableTopics() {
			if c.until != nil && c.from[table] >= c.until[table] {
				continue
			}
			if at[topic] == nil {
				at[topic] = map[int32]kgo.Offset{}
			}
			at[topic][c.partition] = kgo.NewOffset().At(c.from[table])
		}
	}
	if len(open) == 0 {
		return nil
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(i.c.Brokers...),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.FetchMaxWait(250*time.Millisecond), kgo.FetchMaxPartitionBytes(restoreFetchBytes),
		kgo.FetchMaxBytes(fetchBytesMax),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.ConsumePartitions(at))
	if err != nil {
		return fmt.Errorf("read tables: %w", err)
	}
	defer client.Close()
	for len(open) > 0 {
		polling, cancel := context.WithTimeout(ctx, followPollMax)
		fetches := client.PollFetches(polling)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := i.fetchErrors(fetches); err != nil {
			return fmt.Errorf("read tables: %w", err)
		}
		counts := make(map[int32]int64, len(open))
		for p, c := range open {
			if c.unwanted() {
				counts[p] = 0
			}
		}
		if err := i.apply(fetches, open, counts); err != nil {
			return err
		}
		for p, rows := range counts {
			c := open[p]
			if c.unwanted() || (c.until != nil && c.left() == 0) {
				c.ended = true
				delete(open, p)
				for _, topic := range i.p.TableTopics() {
					client.RemoveConsumePartitions(map[string][]int32{topic: {p}})
				}
			}
			if err := read(c, rows); err != nil {
				return err
			}
		}
	}
	return nil
}

// apply loads what was fetched into the copies, the partitions concurrently, and counts the offsets
// by which each advanced.
func (i *instance) apply(fetches kgo.Fetches, open map[int32]*localCopy,
	counts map[int32]int64) error {
	var mu sync.Mutex
	var working errgroup.Group
	byPartition := map[int32][]kgo.FetchTopicPartition{}
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		if open[f.Partition] != nil && len(f.Records) > 0 {
			byPartition[f.Partition] = append(byPartition[f.Partition], f)
		}
	})
	for p, portions := range byPartition {
		c := open[p]
		working.Go(func() error {
			var moved int64
			for _, f := range portions {
				moved += c.load(slices.Index(i.p.TableTopics(), f.Topic), f.Records)
			}
			mu.Lock()
			counts[p] = moved
			mu.Unlock()
			return c.store.Write()
		})
	}
	return working.Wait()
}

// load loads records of a table's changelog, and returns by how many offsets the copy advanced.
func (c *localCopy) load(table int, records []*kgo.Record) int64 {
	c.store.Load(table, len(records), func(n int) (key, value []byte, offset int64) {
		r := records[n]
		if r.Attrs.IsControl() {
			return nil, nil, r.Offset
		}
		return r.Key, r.Value, r.Offset
	})
	was := c.from[table]
	c.from[table] = records[len(records)-1].Offset + 1
	return c.from[table] - was
}
