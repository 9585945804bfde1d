package engine

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Bounds of how a view measures itself.
const (
	// measureEvery is how often the ends of the topic are asked for.
	measureEvery = time.Second
	// measureMax bounds one question. A view that was caught up when it last heard of the ends is
	// taken to be so for as long.
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

	mu    sync.Mutex
	ends  map[int32]extent
	heard time.Time // when ends was asked for; zero for never
	whole time.Time // the last moment at which all that there was is known to be read
}

// extent is where a partition begins and where it ends, as offsets.
type extent struct{ start, end int64 }

// NewView makes a view of a topic; Run starts it. Its rows are held in memory.
func NewView(brokers []string, topic string, log *slog.Logger) (*View, error) {
	v := &View{brokers: brokers, topic: topic, log: log, rows: newMemory()}
	view, err := goka.NewView(brokers, goka.Table(topic), Bytes{},
		goka.WithViewHasher(NewHasher),
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

// update is Update, and takes note of the record's time.
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

// Ready tells whether the view has caught up with the topic.
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

// Each calls f with keys and values, in no order, until f returns an error, which it returns. No
// lock is held meanwhile. The keys of a partition are those that it has when Each comes to it:
// each is told once at most, with the value that it has then; what is deleted before is not told,
// and neither is what is new. Different rows may so be told of different moments.
func (v *View) Each(f func(key string, value []byte) error) error { return v.rows.each(f) }

// Newest is when the newest record that was read was written, in ms since the epoch; zero before
// the first.
func (v *View) Newest() int64 { return v.newest.Load() }

// Behind is how many offsets are not read yet, of those that the topic had at most a second ago;
// control records and those of open transactions count. It is zero as long as nothing is known.
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

// Staleness is how long ago the moment is that the view shows: zero for one that has caught up, and
// else the time since the newest record that it read or since it last had caught up, whichever is
// later. A view that has not heard of its topic for some seconds has not caught up, whatever it
// has read. It is false as long as there is no such moment.
func (v *View) Staleness(now time.Time) (time.Duration, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.complete()
	if v.whole.Equal(v.heard) && !v.heard.IsZero() && now.Sub(v.heard) <= measureMax {
		return 0, true
	}
	shown := v.whole
	if ms := v.newest.Load(); ms > 0 && time.UnixMilli(ms).After(shown) {
		shown = time.UnixMilli(ms)
	}
	if shown.IsZero() {
		return 0, false
	}
	return max(now.Sub(shown), 0), true
}

// complete takes note of a view that has read all that there was when it last heard of the ends.
func (v *View) complete() {
	if !v.heard.IsZero() && v.behind() == 0 {
		v.whole = v.heard
	}
}

// measure asks for the ends of the topic until ctx is done. What is fetched does not tell them: a
// view from which an open transaction hides what follows is sent nothing, like one that is cut off.
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
			v.ends, v.heard = ends, asked
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
