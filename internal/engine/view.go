package engine

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"
)

// View is a full copy of a compacted topic, kept up to date by a goka view: of what is committed,
// with keys placed by murmur2. It reconnects by itself.
type View struct {
	topic string
	view  *goka.View
	rows  *memory
}

// NewView makes a view of a topic; Run starts it. Its rows are held in memory.
func NewView(brokers []string, topic string, log *slog.Logger) (*View, error) {
	v := &View{topic: topic, rows: newMemory()}
	view, err := goka.NewView(brokers, goka.Table(topic), Bytes{},
		goka.WithViewHasher(NewHasher),
		goka.WithViewAutoReconnect(),
		goka.WithViewCallback(Update),
		goka.WithViewConsumerSaramaBuilder(NewTableReader(log)),
		goka.WithViewTopicManagerBuilder(topicManager(Config{SessionTimeout: sessionTimeout})),
		goka.WithViewLogger(printer{log}),
		goka.WithViewStorageBuilder(func(string, int32) (storage.Storage, error) {
			return v.rows.partition(), nil
		}))
	if err != nil {
		return nil, fmt.Errorf("view of %s: %w", topic, err)
	}
	v.view = view
	return v, nil
}

// Run keeps the view up to date until ctx is done.
func (v *View) Run(ctx context.Context) error {
	if err := v.view.Run(ctx); err != nil && ctx.Err() == nil {
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

// Each calls f with every key and value, in no order.
func (v *View) Each(f func(key string, value []byte) error) error { return v.rows.each(f) }

// memory holds the partitions of a view.
type memory struct {
	mu         sync.Mutex
	partitions []*memoryStore
}

func newMemory() *memory { return &memory{} }

func (m *memory) partition() *memoryStore {
	s := &memoryStore{rows: map[string][]byte{}, offset: -1}
	m.mu.Lock()
	m.partitions = append(m.partitions, s)
	m.mu.Unlock()
	return s
}

func (m *memory) each(f func(key string, value []byte) error) error {
	m.mu.Lock()
	partitions := slices.Clone(m.partitions)
	m.mu.Unlock()
	for _, s := range partitions {
		for key, row := range s.snapshot() {
			if err := f(key, row); err != nil {
				return err
			}
		}
	}
	return nil
}

// memoryStore is a storage.Storage in memory. goka's own sorts all keys at each new one.
type memoryStore struct {
	mu     sync.RWMutex
	rows   map[string][]byte
	offset int64 // -1 for none
}

func (s *memoryStore) snapshot() map[string][]byte {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return maps.Clone(s.rows)
}

// Open implements storage.Storage.
func (s *memoryStore) Open() error { return nil }

// Close implements storage.Storage. The rows stay, for a view that reconnects.
func (s *memoryStore) Close() error { return nil }

// Has implements storage.Storage.
func (s *memoryStore) Has(key string) (bool, error) {
	row, err := s.Get(key)
	return row != nil, err
}

// Get implements storage.Storage.
func (s *memoryStore) Get(key string) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.rows[key], nil
}

// Set implements storage.Storage.
func (s *memoryStore) Set(key string, row []byte) error {
	s.mu.Lock()
	s.rows[key] = row
	s.mu.Unlock()
	return nil
}

// Delete implements storage.Storage.
func (s *memoryStore) Delete(key string) error {
	s.mu.Lock()
	delete(s.rows, key)
	s.mu.Unlock()
	return nil
}

// GetOffset implements storage.Storage.
func (s *memoryStore) GetOffset(unset int64) (int64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.offset < 0 {
		return unset, nil
	}
	return s.offset, nil
}

// SetOffset implements storage.Storage.
func (s *memoryStore) SetOffset(offset int64) error {
	s.mu.Lock()
	s.offset = offset
	s.mu.Unlock()
	return nil
}

// MarkRecovered implements storage.Storage.
func (s *memoryStore) MarkRecovered() error { return nil }

// Iterator implements storage.Storage.
func (s *memoryStore) Iterator() (storage.Iterator, error) { return s.IteratorWithRange(nil, nil) }

// IteratorWithRange implements storage.Storage.
func (s *memoryStore) IteratorWithRange(start, limit []byte) (storage.Iterator, error) {
	rows := s.snapshot()
	keys := slices.DeleteFunc(slices.Sorted(maps.Keys(rows)), func(k string) bool {
		return k < string(start) || (limit != nil && k >= string(limit)) ||
			strings.HasPrefix(k, reserved)
	})
	return &layered{disk: nothing{}, overlay: rows, keys: keys}, nil
}

// nothing is a disk with no rows.
type nothing struct{}

// Next implements the disk of layered.
func (nothing) Next() bool { return false }

// Seek implements the disk of layered.
func (nothing) Seek([]byte) bool { return false }

// Key implements the disk of layered.
func (nothing) Key() []byte { return nil }

// Value implements the disk of layered.
func (nothing) Value() []byte { return nil }

// Release implements the disk of layered.
func (nothing) Release() {}

// Error implements the disk of layered.
func (nothing) Error() error { return nil }
