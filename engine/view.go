package engine

import (
	"context"
	"fmt"
	"hash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine/task"
)

// Bounds of how a view measures itself.
const (
	// measureEvery is how often the ends of the topic are asked for.
	measureEvery = time.Second
	// measureMax bounds one request. A view that had caught up at the last measurement is taken to
	// be caught up for as long.
	measureMax = 5 * time.Second
)

// View is a full copy of a compacted topic, kept up to date by a goka view: of what is committed,
// with keys placed by murmur2. It reconnects by itself.
type View struct {
	brokers []string
	topic   string
	log     *slog.Logger
	view    *goka.View
	rows    *memory
	newest  atomic.Int64 // largest timestamp read, ms; zero for none

	mu       sync.Mutex
	ends     map[int32]extent
	measured time.Time // when ends was asked for; zero for never
	caughtUp time.Time // the last moment at which all that there was is known to be read
}

// extent is where a partition begins and where it ends, as offsets.
type extent struct{ start, end int64 }

// NewView makes a view of a topic whose records are placed by their keys; Run starts it. Its rows
// are held in memory.
func NewView(brokers []string, topic string, log *slog.Logger) (*View, error) {
	return newView(brokers, topic, log, task.NewHasher)
}

// NewRowView makes a view of a table whose rows are placed by the beginning of their keys, up to
// task.KeyPrefix.
func NewRowView(brokers []string, topic string, log *slog.Logger) (*View, error) {
	return newView(brokers, topic, log, task.NewPrefixHasher)
}

func newView(brokers []string, topic string, log *slog.Logger, hasher func() hash.Hash32) (*View,
	error) {
	v := &View{brokers: brokers, topic: topic, log: log, rows: newMemory()}
	view, err := goka.NewView(brokers, goka.Table(topic), Bytes{},
		goka.WithViewHasher(hasher),
		goka.WithViewAutoReconnect(),
		goka.WithViewCallback(v.update),
		goka.WithViewConsumerSaramaBuilder(NewTableReader(log)),
		goka.WithViewTopicManagerBuilder(topicManager),
		goka.WithViewLogger(printer{log}),
		goka.WithViewStorageBuilder(func(_ string, partition int32) (storage.Storage, error) {
			return v.rows.partition(partition), nil
		}))
	if err != nil {
		return nil, fmt.Errorf("view of %s: %w", topic, err)
	}
	v.view = view
	return v, nil
}

// update is Update, and records the timestamp.
func (v *View) update(ctx goka.UpdateContext, s storage.Storage, key string, value []byte) error {
	if key != markerKey {
		ms := ctx.Timestamp().UnixMilli()
		for was := v.newest.Load(); ms > was && !v.newest.CompareAndSwap(was, ms); {
			was = v.newest.Load()
		}
	}
	return Update(ctx, s, key, value)
}

// Run keeps the view up to date until ctx is done.
func (v *View) Run(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(v.brokers...))
	if err != nil {
		return fmt.Errorf("view of %s: %w", v.topic, err)
	}
	defer client.Close()
	measured, stop := context.WithCancel(ctx)
	var measuring sync.WaitGroup
	measuring.Go(func() { v.measure(measured, kadm.NewClient(client)) })
	err = v.view.Run(ctx)
	stop()
	measuring.Wait()
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("view of %s: %w", v.topic, err)
	}
	return nil
}

// Topic is the topic that is viewed.
func (v *View) Topic() string { return v.topic }

// Ready reports whether the view has caught up with the topic.
func (v *View) Ready() bool { return v.view.Recovered() }

// Get is the value of a key; nil where there is none.
func (v *View) Get(key string) ([]byte, error) {
	value, err := v.view.Get(key)
	if err != nil {
		return nil, fmt.Errorf("view of %s: %w", v.topic, err)
	}
	raw, ok := value.([]byte)
	if !ok {
		return nil, nil
	}
	return raw, nil
}

// OnChange has f called for every change of a row, with the row's key, the old and the new value;
// nil for a row that does not exist. Get returns the new value only after f has returned. Several
// goroutines call f, one at a time for a partition, with the partition's lock held: f must not use
// the view. OnChange must be called before Run, and once at most.
func (v *View) OnChange(f func(key string, old, row []byte)) { v.rows.onChange = f }

// Each calls f with keys and values, in no order, until f returns an error, which it returns. No
// lock is held meanwhile. The keys of a partition are those that it has when Each reaches it. Each
// calls f at most once for a key, with the value at that time; it skips rows that were deleted
// before and rows that are new. So different rows may show different moments.
func (v *View) Each(f func(key string, value []byte) error) error { return v.rows.each(f) }

// Newest is when the newest record that was read was written, in ms since the epoch; zero before
// the first.
func (v *View) Newest() int64 { return v.newest.Load() }

// Behind is how many offsets are not read yet, of those that the topic had at most a second ago;
// control records and open transactions count. It is zero before the first measurement.
func (v *View) Behind() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.behind()
}

func (v *View) behind() int64 {
	var total int64
	for partition, at := range v.ends {
		total += max(at.end-max(v.rows.next(partition), at.start), 0)
	}
	return total
}

// Staleness is the age of the state that the view shows. It is zero for a view that has caught up.
// Otherwise it is the time since the newest record that the view read, or since it had caught up,
// whichever is later. A view that could not measure its topic for some seconds has not caught up,
// whatever it has read. Staleness returns false before the view knows such a moment.
func (v *View) Staleness(now time.Time) (time.Duration, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.complete()
	if v.caughtUp.Equal(v.measured) && !v.measured.IsZero() && now.Sub(v.measured) <= measureMax {
		return 0, true
	}
	shown := v.caughtUp
	if ms := v.newest.Load(); ms > 0 && time.UnixMilli(ms).After(shown) {
		shown = time.UnixMilli(ms)
	}
	if shown.IsZero() {
		return 0, false
	}
	return max(now.Sub(shown), 0), true
}

// complete records that the view has read everything up to the ends of the last measurement.
func (v *View) complete() {
	if !v.measured.IsZero() && v.behind() == 0 {
		v.caughtUp = v.measured
	}
}

// measure lists the ends of the topic until ctx is done. Fetches do not suffice: a view receives
// nothing both when an open transaction hides the records and when the broker is unreachable.
func (v *View) measure(ctx context.Context, admin *kadm.Client) {
	ticker := time.NewTicker(measureEvery)
	defer ticker.Stop()
	for {
		asked := time.Now()
		ends, err := v.extents(ctx, admin)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			v.log.Debug("measure view", "topic", v.topic, "error", err)
		default:
			v.mu.Lock()
			v.complete()
			v.ends, v.measured = ends, asked
			v.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (v *View) extents(ctx context.Context, admin *kadm.Client) (map[int32]extent, error) {
	ctx, cancel := context.WithTimeout(ctx, measureMax)
	defer cancel()
	starts, err := admin.ListStartOffsets(ctx, v.topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("start offsets: %w", err)
	}
	ends, err := admin.ListEndOffsets(ctx, v.topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("end offsets: %w", err)
	}
	extents := map[int32]extent{}
	ends.Each(func(end kadm.ListedOffset) {
		start, _ := starts.Lookup(end.Topic, end.Partition)
		extents[end.Partition] = extent{start.Offset, end.Offset}
	})
	return extents, nil
}
