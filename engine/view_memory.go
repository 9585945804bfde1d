package engine

import (
	"bytes"
	"maps"
	"slices"
	"sync"

	"github.com/lovoo/goka/storage"

	"chargestream/engine/store"
	"chargestream/engine/task"
)

// eachChunk is how many rows Each copies out of a partition at once. A writer waits no longer than
// that takes.
const eachChunk = 256

// memory holds the partitions of a view.
type memory struct {
	// onChange is View.OnChange; nil for none. It is set before the first row.
	onChange   func(key string, old, row []byte)
	mu         sync.Mutex
	partitions map[int32]*memoryStore
}

func newMemory() *memory { return &memory{partitions: map[int32]*memoryStore{}} }

// partition makes a partition, empty.
func (m *memory) partition(id int32) *memoryStore {
	s := &memoryStore{of: m, rows: map[string][]byte{}, offset: -1}
	m.mu.Lock()
	m.partitions[id] = s
	m.mu.Unlock()
	return s
}

// next is the offset after the last one that was read of a partition.
func (m *memory) next(id int32) int64 {
	m.mu.Lock()
	s := m.partitions[id]
	m.mu.Unlock()
	if s == nil {
		return 0
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.offset + 1
}

func (m *memory) each(f func(key string, value []byte) error) error {
	m.mu.Lock()
	partitions := slices.Collect(maps.Values(m.partitions))
	m.mu.Unlock()
	for _, s := range partitions {
		if err := s.each(f); err != nil {
			return err
		}
	}
	return nil
}

// memoryStore is a storage.Storage in memory. goka's own sorts all keys at each new one.
type memoryStore struct {
	of     *memory
	mu     sync.RWMutex
	rows   map[string][]byte // a row is never changed, only replaced
	offset int64             // -1 for none
}

// keys are the keys of all rows. They are copied as a whole, because a map cannot be iterated in
// portions.
func (s *memoryStore) keys() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.AppendSeq(make([]string, 0, len(s.rows)), maps.Keys(s.rows))
}

func (s *memoryStore) each(f func(key string, value []byte) error) error {
	var rows [eachChunk][]byte
	for chunk := range slices.Chunk(s.keys(), eachChunk) {
		s.mu.RLock()
		for n, key := range chunk {
			rows[n] = s.rows[key]
		}
		s.mu.RUnlock()
		for n, key := range chunk {
			if rows[n] == nil {
				continue // deleted meanwhile
			}
			if err := f(key, rows[n]); err != nil {
				return err
			}
		}
	}
	return nil
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

// Set implements storage.Storage. The row is copied: it lies within a batch as it was fetched, all
// of which would be kept for it.
func (s *memoryStore) Set(key string, row []byte) error {
	row = bytes.Clone(row)
	s.mu.Lock()
	s.changes(key, row)
	s.rows[key] = row
	s.mu.Unlock()
	return nil
}

// changes calls View.OnChange's function, if there is one, for a row that is about to change.
func (s *memoryStore) changes(key string, row []byte) {
	f := s.of.onChange
	if f == nil {
		return
	}
	if old := s.rows[key]; old != nil || row != nil {
		f(key, old, row)
	}
}

// Delete implements storage.Storage.
func (s *memoryStore) Delete(key string) error {
	s.mu.Lock()
	s.changes(key, nil)
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
	s.mu.RLock()
	rows := maps.Clone(s.rows)
	s.mu.RUnlock()
	keys := slices.DeleteFunc(slices.Sorted(maps.Keys(rows)), func(k string) bool {
		return k < string(start) || (limit != nil && k >= string(limit)) || task.Reserved(k)
	})
	return store.Overlaid(rows, keys), nil
}
