package engine

import (
	"errors"
	"fmt"
	"sync"

	"github.com/lovoo/goka/storage"

	"chargestream/engine/store"
)

// gokaStore is the first table of a store as goka's storage.Storage. For a lookup table goka itself
// writes what it reads from the topic.
type gokaStore struct{ s *store.Store }

// Open implements storage.Storage.
func (g gokaStore) Open() error { return nil }

// Has implements storage.Storage.
func (g gokaStore) Has(key string) (bool, error) {
	row, err := g.s.Get(0, key)
	return row != nil, err
}

// Get implements storage.Storage.
func (g gokaStore) Get(key string) ([]byte, error) { return g.s.Get(0, key) }

// Set implements storage.Storage.
func (g gokaStore) Set(key string, row []byte) error {
	g.s.Load(0, 1, func(int) ([]byte, []byte, int64) { return []byte(key), row, -1 })
	return g.s.Write()
}

// Delete implements storage.Storage.
func (g gokaStore) Delete(key string) error { return g.Set(key, nil) }

// GetOffset implements storage.Storage.
func (g gokaStore) GetOffset(unset int64) (int64, error) {
	if offset := g.s.Offset(0); offset >= 0 {
		return offset, nil
	}
	return unset, nil
}

// SetOffset implements storage.Storage.
func (g gokaStore) SetOffset(offset int64) error {
	g.s.Load(0, 1, func(int) ([]byte, []byte, int64) { return nil, nil, offset })
	return nil
}

// MarkRecovered implements storage.Storage.
func (g gokaStore) MarkRecovered() error { return g.s.Flush() }

// Iterator implements storage.Storage.
func (g gokaStore) Iterator() (storage.Iterator, error) { return g.IteratorWithRange(nil, nil) }

// IteratorWithRange implements storage.Storage. The limit is exclusive.
func (g gokaStore) IteratorWithRange(start, limit []byte) (storage.Iterator, error) {
	return g.s.Rows(0, start, limit), nil
}

// ownedStore is the store of an owned partition as goka sees it: the engine opens, restores and
// closes it.
type ownedStore struct{ gokaStore }

// Close implements storage.Storage.
func (ownedStore) Close() error { return nil }

// MarkRecovered implements storage.Storage.
func (ownedStore) MarkRecovered() error { return nil }

// buildStore is goka's StorageBuilder. The store of an owned partition is open already; goka opens
// and restores those of lookup tables.
func (i *instance) buildStore(topic string, partition int32) (storage.Storage, error) {
	if topic != i.p.Table() {
		s, err := i.openOrRebuild(i.path(topic, partition), topic, 1)
		if err != nil {
			i.note(err) // goka prints it into an error of its own
			return nil, err
		}
		i.mu.Lock()
		over := i.closed
		if !over {
			i.lookups.Add(1)
			i.noteLookup(s, topic, partition)
		}
		i.mu.Unlock()
		if over {
			return nil, errors.Join(errors.New("the attempt is over"), s.Close())
		}
		return &lookupStore{gokaStore: gokaStore{s}, i: i}, nil
	}
	if p := i.activePartition(partition); p != nil {
		return ownedStore{gokaStore{p.store}}, nil
	}
	return nil, fmt.Errorf("table of partition %d is not open", partition)
}

// lookupStore is a partition of a lookup table: goka restores it, keeps it up to date and closes
// it.
type lookupStore struct {
	gokaStore
	i    *instance
	once sync.Once
}

// Close implements storage.Storage.
func (l *lookupStore) Close() error {
	defer l.once.Do(l.i.lookups.Done)
	return l.s.Close()
}
