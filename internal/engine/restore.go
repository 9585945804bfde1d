package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Bounds of a restore.
const (
	// restoreFetchBytes is fetched of a partition at once.
	restoreFetchBytes = 1 << 20
	// restoreTries bounds how often a restore begins anew as the log was cut while it began.
	restoreTries = 3
	// followPollMax is how long records are waited for before it is looked whether the copies are
	// wanted still.
	followPollMax = 500 * time.Millisecond
	// restoreLogEvery is how often a restore that takes long is told of.
	restoreLogEvery = 5 * time.Second
	// restoreTellEvery is how often Config.OnRestore is called.
	restoreTellEvery = 100 * time.Millisecond
)

// Restore is how far the restore of a table's partitions is.
type Restore struct {
	Group      string
	Partitions int
	// Rows is how many changelog offsets are read, of Total that there were at the beginning.
	Rows, Total int64
	Elapsed     time.Duration
	Done        bool
}

// copyOf is a partition's local copy that is brought up to its changelog.
type copyOf struct {
	store *store
	from  int64 // next changelog offset to read
	until int64 // offset to read up to; -1 for as long as possible
	ended bool
	gone  *atomic.Bool // nobody wants it any more; nil for never
}

// unwanted tells whether the copy need not be brought up any further.
func (c *copyOf) unwanted() bool { return c.gone != nil && c.gone.Load() }

// path is where the local copy of a partition of the table lies.
func (i *instance) path(topic string, partition int32) string {
	return filepath.Join(i.c.StateDir, i.p.Group, fmt.Sprintf("%s.%d", topic, partition))
}

// local are the partitions of the table that there is a local copy of.
func (i *instance) local() []int32 {
	var found []int32
	for p := range i.partitions {
		if _, err := os.Stat(i.path(i.p.Table(), p)); err == nil {
			found = append(found, p)
		}
	}
	return found
}

// open opens the local copies of partitions, but for those that are at hand already, and finds
// what they lack. A copy that cannot be continued is built anew: one that is ahead of its
// changelog, which lost what the copy has, or so far behind that the changelog begins after it.
func (i *instance) open(ctx context.Context, partitions []int32,
	have map[int32]*copyOf) (copies []*copyOf, err error) {
	defer func() {
		if err == nil {
			return
		}
		for _, c := range copies {
			delete(have, c.store.partition)
			err = errors.Join(err, c.store.close())
		}
		for _, c := range have {
			err = errors.Join(err, c.store.close())
		}
	}()
	starts, ends, err := i.bounds(ctx, (*kadm.Client).ListEndOffsets, i.p.Table())
	if err != nil {
		return copies, fmt.Errorf("bounds of table: %w", err)
	}
	for _, p := range partitions {
		start, ok := starts.Lookup(i.p.Table(), p)
		// Up to the high watermark, not the last stable offset: rows that others committed may
		// lie behind a transaction that is still open.
		end, known := ends.Lookup(i.p.Table(), p)
		if !ok || !known {
			return copies, fmt.Errorf("%w: table %q has no partition %d", ErrTopics, i.p.Table(), p)
		}
		if c := have[p]; c != nil && c.from >= start.Offset && c.from <= end.Offset {
			c.until, c.ended = end.Offset, c.from >= end.Offset
			copies = append(copies, c)
			continue
		} else if c != nil { // openCopy sees what is wrong with it, too
			if err := c.store.close(); err != nil {
				return copies, err
			}
			delete(have, p)
		}
		c, err := i.openCopy(p, start.Offset, end.Offset)
		if err != nil {
			return copies, err
		}
		copies = append(copies, c)
	}
	return copies, nil
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

func (i *instance) openCopy(partition int32, start, end int64) (*copyOf, error) {
	path := i.path(i.p.Table(), partition)
	s, err := i.openOrRebuild(path, i.p.Table(), partition)
	if err != nil {
		return nil, err
	}
	from := s.offset + 1
	if s.offset < 0 {
		from = start
	}
	if s.offset >= 0 && (from < start || from > end) {
		i.c.Log.Warn("the local copy of a table cannot be continued and is built anew",
			"path", path, "next", from, "begin", start, "end", end)
		i.c.Metrics.rebuilt(i.p.Table())
		if err := errors.Join(s.close(), os.RemoveAll(path)); err != nil {
			return nil, fmt.Errorf("remove store: %w", err)
		}
		if s, err = i.openOrRebuild(path, i.p.Table(), partition); err != nil {
			return nil, err
		}
		from = start
	}
	return &copyOf{store: s, from: from, until: end, ended: from >= end}, nil
}

// restore reads the changelog until every copy has what there was when it was opened, and calls
// ready for each that has.
func (i *instance) restore(ctx context.Context, copies []*copyOf, ready func(*copyOf) error) error {
	began := time.Now()
	t := &restoring{i: i, began: began, told: began, copies: copies}
	for _, c := range copies {
		t.total += max(c.until-c.from, 0)
	}
	err := i.follow(ctx, copies, func(c *copyOf, rows int64) error {
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

// restoring tells of a restore while it runs.
type restoring struct {
	i           *instance
	copies      []*copyOf
	rows, total int64
	began, told time.Time
	logged      time.Time
}

func (t *restoring) progress(rows int64) {
	t.rows += rows
	t.i.c.Metrics.restoring(t.i.p.Table(), rows, t.copies)
	now := time.Now()
	if now.Sub(t.told) >= restoreTellEvery {
		t.told = now
		t.tell(false)
	}
	if now.Sub(t.began) >= restoreLogEvery && now.Sub(t.logged) >= restoreLogEvery {
		t.logged = now
		t.i.c.Log.Info("restoring the table", "group", t.i.p.Group, "rows", t.rows, "of", t.total,
			"elapsed", now.Sub(t.began).Round(time.Millisecond))
	}
}

func (t *restoring) tell(done bool) {
	if t.i.c.OnRestore != nil && t.total > 0 {
		t.i.c.OnRestore(Restore{Group: t.i.p.Group, Partitions: len(t.copies), Rows: t.rows,
			Total: t.total, Elapsed: time.Since(t.began), Done: done})
	}
}

func (t *restoring) done() {
	if t.total == 0 {
		return
	}
	t.tell(true)
	t.i.c.Log.Info("table restored", "group", t.i.p.Group, "partitions", len(t.copies), "rows",
		t.rows, "elapsed", time.Since(t.began).Round(time.Millisecond))
}

// follow reads the changelog into copies until each is ended, or ctx is done. It calls read after
// each portion of one, and once for those that lack nothing.
func (i *instance) follow(ctx context.Context, copies []*copyOf,
	read func(c *copyOf, rows int64) error) error {
	at, open := map[int32]kgo.Offset{}, map[int32]*copyOf{}
	for _, c := range copies {
		if c.ended {
			if err := read(c, 0); err != nil {
				return err
			}
			continue
		}
		at[c.store.partition], open[c.store.partition] = kgo.NewOffset().At(c.from), c
	}
	if len(open) == 0 {
		return nil
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(i.c.Brokers...),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.FetchMaxWait(250*time.Millisecond), kgo.FetchMaxPartitionBytes(restoreFetchBytes),
		kgo.FetchMaxBytes(fetchBytesMax),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{i.p.Table(): at}))
	if err != nil {
		return fmt.Errorf("read table: %w", err)
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
			return fmt.Errorf("read table: %w", err)
		}
		counts := make(map[int32]int64, len(open))
		for p, c := range open {
			if c.unwanted() {
				counts[p] = 0
			}
		}
		if err := apply(fetches, open, counts); err != nil {
			return err
		}
		for p, rows := range counts {
			c := open[p]
			if c.unwanted() || (c.until >= 0 && c.from >= c.until) {
				c.ended = true
				delete(open, p)
				client.RemoveConsumePartitions(map[string][]int32{i.p.Table(): {p}})
			}
			if err := read(c, rows); err != nil {
				return err
			}
		}
	}
	return nil
}

// apply puts what was fetched into the copies, each partition by itself, and counts the offsets
// that each moved on.
func apply(fetches kgo.Fetches, open map[int32]*copyOf, counts map[int32]int64) error {
	var mu sync.Mutex
	var working sync.WaitGroup
	var first error
	byPartition := map[int32][]*kgo.Record{}
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		byPartition[f.Partition] = append(byPartition[f.Partition], f.Records...)
	})
	for p, records := range byPartition {
		c := open[p]
		if c == nil || len(records) == 0 {
			continue
		}
		working.Go(func() {
			was := c.from
			c.from = records[len(records)-1].Offset + 1
			c.store.loadAll(records)
			err := c.store.write(false)
			mu.Lock()
			defer mu.Unlock()
			counts[p] = c.from - was
			if err != nil && first == nil {
				first = err
			}
		})
	}
	working.Wait()
	return first
}

// standby keeps copies up to their changelogs, until ctx is done, so that whoever takes a
// partition over has little to read.
func (i *instance) standby(ctx context.Context, copies []*copyOf) error {
	for _, c := range copies {
		c.until, c.ended = -1, false
	}
	err := i.follow(ctx, copies, func(*copyOf, int64) error { return nil })
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// pool holds the local copies of partitions that this instance does not own: those that were
// restored before it joined the group, and with Config.Standby all that others own.
type pool struct {
	i        *instance
	mu       sync.Mutex
	copies   map[int32]*copyOf
	cancel   context.CancelFunc
	running  sync.WaitGroup
	givingMu sync.Mutex
	given    chan struct{} // closed when all that were on their way into the pool are in it
}

// recoverAhead brings what there is of local copies up to date before the group is joined, when
// nobody waits for it; with Config.Standby those of all partitions.
func (o *pool) recoverAhead(ctx context.Context) error {
	partitions := o.i.local()
	if o.i.c.Standby {
		partitions = partitions[:0]
		for p := range o.i.partitions {
			partitions = append(partitions, p)
		}
	}
	if len(partitions) == 0 {
		return nil
	}
	for try := 1; ; try++ {
		err := o.fill(ctx, partitions)
		if try == restoreTries || !errors.Is(err, kerr.OffsetOutOfRange) {
			return err
		}
		if err := o.closeAll(); err != nil {
			return err
		}
	}
}

// fill restores partitions into the pool.
func (o *pool) fill(ctx context.Context, partitions []int32) error {
	copies, err := o.i.open(ctx, partitions, nil)
	if err != nil {
		return err
	}
	for _, c := range copies {
		o.copies[c.store.partition] = c
	}
	return o.i.restore(ctx, copies, func(*copyOf) error { return nil })
}

// refill builds the pool anew, as a changelog was cut beyond what a copy had.
func (o *pool) refill(ctx context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	o.stop()
	partitions := slices.Collect(maps.Keys(o.copies))
	err := o.closeAll()
	if err == nil {
		err = o.fill(ctx, partitions)
	}
	if err == nil {
		err = o.follow(ctx)
	}
	if err != nil && ctx.Err() == nil {
		o.i.fail(fmt.Errorf("follow table: %w", err))
	}
}

// await waits until what was given up before is in the pool.
func (o *pool) await() {
	o.givingMu.Lock()
	given := o.given
	o.givingMu.Unlock()
	if given != nil {
		<-given
	}
}

// take takes partitions out of the pool, and gives those that are in it.
func (o *pool) take(partitions []int32) map[int32]*copyOf {
	o.await()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stop()
	taken := map[int32]*copyOf{}
	for _, p := range partitions {
		if c := o.copies[p]; c != nil {
			taken[p] = c
			delete(o.copies, p)
		}
	}
	return taken
}

// put gives partitions that were owned to the pool, behind the caller's back; without
// Config.Standby they are closed. A partition that comes back is not opened before that is done.
func (o *pool) put(ctx context.Context, stores []*store) {
	o.givingMu.Lock()
	before, done := o.given, make(chan struct{})
	o.given = done
	o.givingMu.Unlock()
	go func() {
		defer close(done)
		if before != nil {
			<-before
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		var err error
		for _, s := range stores {
			if !o.i.c.Standby || o.i.failed() != nil {
				err = errors.Join(err, s.close())
				continue
			}
			s.forget()
			o.copies[s.partition] = &copyOf{store: s, from: s.offset + 1}
		}
		if err = errors.Join(err, o.follow(ctx)); err != nil {
			o.i.fail(fmt.Errorf("give up partitions: %w", err))
		}
	}()
}

// resume follows the changelogs of what is in the pool, or closes it without Config.Standby.
func (o *pool) resume(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.follow(ctx)
}

func (o *pool) follow(ctx context.Context) error {
	if !o.i.c.Standby {
		return o.closeAll()
	}
	o.stop()
	copies := make([]*copyOf, 0, len(o.copies))
	for _, c := range o.copies {
		copies = append(copies, c)
	}
	o.i.c.Metrics.state(o.i.p.Group, "standby", len(copies))
	if len(copies) == 0 || ctx.Err() != nil {
		return nil
	}
	following, cancel := context.WithCancel(ctx)
	o.cancel = cancel
	o.running.Go(func() {
		err := o.i.standby(following, copies)
		switch {
		case errors.Is(err, kerr.OffsetOutOfRange):
			go o.refill(ctx)
		case err != nil:
			o.i.fail(fmt.Errorf("follow table: %w", err))
		}
	})
	return nil
}

func (o *pool) stop() {
	if o.cancel != nil {
		o.cancel()
		o.cancel = nil
	}
	o.running.Wait()
}

func (o *pool) close() error {
	o.await()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stop()
	return o.closeAll()
}

func (o *pool) closeAll() error {
	var err error
	for p, c := range o.copies {
		err = errors.Join(err, c.store.close())
		delete(o.copies, p)
	}
	return err
}

// progressOf writes where the inputs of a partition stand: topic, space, next offset, newline.
func progressOf(next map[string]int64) []byte {
	var text []byte
	for _, topic := range slices.Sorted(maps.Keys(next)) {
		text = fmt.Appendf(text, "%s %d\n", topic, next[topic])
	}
	return text
}

// parseProgress reads what progressOf wrote.
func parseProgress(text []byte) (map[string]int64, error) {
	next := map[string]int64{}
	for line := range strings.Lines(string(text)) {
		topic, number, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		offset, err := strconv.ParseInt(number, 10, 64)
		if err == nil && topic == "" {
			err = errors.New("no topic")
		}
		if err != nil {
			return nil, fmt.Errorf("progress record %q: %w", line, err)
		}
		next[topic] = offset
	}
	return next, nil
}
