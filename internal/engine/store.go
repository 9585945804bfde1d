package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/lovoo/goka/storage"
	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/util"
)

// reserved is the first byte of keys that are the engine's own and no row of anybody.
const reserved = "\x00"

// offsetKey holds the changelog offset that a store has been written up to.
const offsetKey = reserved + "offset"

// Bounds of a store.
const (
	// recoverBatch is how many rows are written at once while a table is rebuilt: large enough
	// that the cost of a write is that of its bytes.
	recoverBatch = 5000
	// cacheRows is how many rows, of one partition, are kept decoded from disk in each of two
	// generations.
	cacheRows = 50_000
	// An instance has a store for each partition of each table; LevelDB holds twice the write
	// buffer while it writes one down.
	storeWriteBuffer = 4 << 20
	storeBlockCache  = 8 << 20
	storeFiles       = 64
)

// store keeps one partition of a table. Rows that were written in the running unit of work lie
// in dirty, and nowhere else, until it is committed; rows of the unit before lie in frozen while
// they are written to disk. So the disk never knows what the changelog does not, and no disk is
// waited for while records are folded. Values and their changelog offset are written in one batch.
//
// goka calls Set and SetOffset while it rebuilds the table, of records that are all committed:
// then dirty is written whenever it has grown large enough.
type store struct {
	topic     string
	partition int32
	owned     bool // rows are written in units of work; otherwise only read from the changelog

	mu       sync.RWMutex
	dirty    map[string][]byte // nil for deleted
	frozen   map[string][]byte
	young    map[string][]byte
	old      map[string][]byte
	offset   int64
	stored   bool // offset is known
	ready    bool // recovered
	db       *leveldb.DB
	writing  sync.WaitGroup
	writeErr error
	released bool // goka has closed it; the engine has not yet
}

// errOffset is returned by openStore for an offset that nobody wrote.
var errOffset = errors.New("offset of store is unreadable")

func openStore(path, topic string, partition int32, owned bool) (*store, error) {
	options := &opt.Options{WriteBuffer: storeWriteBuffer, BlockCacheCapacity: storeBlockCache,
		OpenFilesCacheCapacity: storeFiles}
	db, err := leveldb.OpenFile(path, options)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	s := &store{topic: topic, partition: partition, owned: owned, db: db,
		dirty: map[string][]byte{}, young: map[string][]byte{}}
	raw, err := db.Get([]byte(offsetKey), nil)
	switch {
	case errors.Is(err, leveldb.ErrNotFound):
		return s, nil
	case err != nil:
		return nil, errors.Join(fmt.Errorf("read offset of %s: %w", path, err), db.Close())
	case len(raw) != 8:
		return nil, errors.Join(fmt.Errorf("%w: %s has %d bytes", errOffset, path, len(raw)),
			db.Close())
	}
	s.offset, s.stored = int64(binary.BigEndian.Uint64(raw)), true
	return s, nil
}

// Open implements storage.Storage.
func (s *store) Open() error { return nil }

// Close implements storage.Storage. The store of an owned partition stays open for the commit
// that follows; the engine releases it.
func (s *store) Close() error {
	s.mu.Lock()
	if s.owned {
		s.released = true
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	return errors.Join(s.flush(), s.db.Close())
}

// release closes the store; what is still dirty was not committed and is forgotten.
func (s *store) release() error {
	s.writing.Wait()
	return errors.Join(s.writeErr, s.db.Close())
}

// Get implements storage.Storage: nil for a row that is not there.
func (s *store) Get(key string) ([]byte, error) {
	s.mu.RLock()
	row, known := s.peek(key)
	s.mu.RUnlock()
	if known {
		return row, nil
	}
	row, err := s.db.Get([]byte(key), nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		row, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if newer, known := s.peek(key); known {
		return newer, nil // written while the disk was read
	}
	s.keep(key, row)
	return row, nil
}

func (s *store) peek(key string) ([]byte, bool) {
	for _, layer := range [...]map[string][]byte{s.dirty, s.frozen, s.young, s.old} {
		if row, ok := layer[key]; ok {
			return row, true
		}
	}
	return nil, false
}

// keep remembers a row that is on disk. When the young generation is full the old one is
// forgotten.
func (s *store) keep(key string, row []byte) {
	if len(s.young) >= cacheRows {
		s.old, s.young = s.young, make(map[string][]byte, cacheRows)
	}
	s.young[key] = row
}

// Has implements storage.Storage.
func (s *store) Has(key string) (bool, error) {
	row, err := s.Get(key)
	return row != nil, err
}

// Set implements storage.Storage.
func (s *store) Set(key string, row []byte) error {
	s.mu.Lock()
	s.dirty[key] = row
	full := len(s.dirty) >= recoverBatch && (!s.owned || !s.ready)
	s.mu.Unlock()
	if full {
		return s.flush()
	}
	return nil
}

// Delete implements storage.Storage.
func (s *store) Delete(key string) error { return s.Set(key, nil) }

// GetOffset implements storage.Storage.
func (s *store) GetOffset(unset int64) (int64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.stored {
		return unset, nil
	}
	return s.offset, nil
}

// SetOffset implements storage.Storage.
func (s *store) SetOffset(offset int64) error {
	s.mu.Lock()
	s.offset, s.stored = offset, true
	s.mu.Unlock()
	return nil
}

// MarkRecovered implements storage.Storage.
func (s *store) MarkRecovered() error {
	if err := s.flush(); err != nil {
		return err
	}
	s.mu.Lock()
	s.ready = true
	s.mu.Unlock()
	return nil
}

// flush writes what is dirty, and the offset, in one batch.
func (s *store) flush() error {
	s.writing.Wait()
	s.mu.Lock()
	batch := s.batch(s.dirty)
	s.mu.Unlock()
	if batch.Len() == 0 {
		return nil
	}
	if err := s.db.Write(batch, nil); err != nil {
		return fmt.Errorf("write store %s/%d: %w", s.topic, s.partition, err)
	}
	s.mu.Lock()
	for key, row := range s.dirty {
		s.keep(key, row)
	}
	clear(s.dirty)
	s.mu.Unlock()
	return nil
}

func (s *store) batch(rows map[string][]byte) *leveldb.Batch {
	batch := new(leveldb.Batch)
	for key, row := range rows {
		if row == nil {
			batch.Delete([]byte(key))
		} else {
			batch.Put([]byte(key), row)
		}
	}
	if s.stored {
		batch.Put([]byte(offsetKey), binary.BigEndian.AppendUint64(nil, uint64(s.offset)))
	}
	return batch
}

// changes are the rows written in the running unit of work; the caller must not keep the map.
func (s *store) changes() map[string][]byte {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.dirty
}

// commit takes the running unit of work as done, with the changelog offset of its last row, and
// writes it to disk behind the caller's back. It waits for the unit before.
func (s *store) commit(offset int64) error {
	s.writing.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writeErr != nil {
		return s.writeErr
	}
	for key, row := range s.frozen {
		s.keep(key, row)
	}
	s.frozen, s.dirty = s.dirty, make(map[string][]byte, len(s.dirty))
	if offset >= 0 {
		s.offset, s.stored = offset, true
	}
	batch := s.batch(s.frozen)
	s.writing.Go(func() {
		if err := s.db.Write(batch, nil); err != nil {
			s.mu.Lock()
			s.writeErr = fmt.Errorf("write store %s/%d: %w", s.topic, s.partition, err)
			s.mu.Unlock()
		}
	})
	return nil
}

// each calls f for every row.
func (s *store) each(f func(key string, row []byte) error) error {
	it, err := s.Iterator()
	if err != nil {
		return err
	}
	defer it.Release()
	for it.Next() {
		row, err := it.Value()
		if err != nil {
			return err
		}
		if err := f(string(it.Key()), row); err != nil {
			return err
		}
	}
	return it.Err()
}

// Iterator implements storage.Storage.
func (s *store) Iterator() (storage.Iterator, error) { return s.IteratorWithRange(nil, nil) }

// IteratorWithRange implements storage.Storage: a snapshot, sorted by key, of what is on disk with
// what is not yet laid over it. The limit is exclusive.
func (s *store) IteratorWithRange(start, limit []byte) (storage.Iterator, error) {
	s.mu.RLock()
	overlay := maps.Clone(s.frozen)
	if overlay == nil {
		overlay = map[string][]byte{}
	}
	maps.Copy(overlay, s.dirty)
	s.mu.RUnlock()
	keys := slices.DeleteFunc(slices.Sorted(maps.Keys(overlay)), func(k string) bool {
		return k < string(start) || (limit != nil && k >= string(limit))
	})
	it := s.db.NewIterator(&util.Range{Start: start, Limit: limit}, nil)
	return &layered{disk: it, more: it.Next(), overlay: overlay, keys: keys}, nil
}

// layered walks the disk and an overlay in step.
type layered struct {
	disk interface {
		Next() bool
		Seek([]byte) bool
		Key() []byte
		Value() []byte
		Release()
		Error() error
	}
	more    bool
	overlay map[string][]byte
	keys    []string
	key     string
	row     []byte
}

// Next implements storage.Iterator.
func (l *layered) Next() bool {
	for l.more || len(l.keys) > 0 {
		fromDisk := l.more && (len(l.keys) == 0 || string(l.disk.Key()) < l.keys[0])
		if fromDisk {
			l.key = string(l.disk.Key())
			l.row = append([]byte(nil), l.disk.Value()...)
			l.more = l.disk.Next()
		} else {
			l.key, l.keys = l.keys[0], l.keys[1:]
			l.row = l.overlay[l.key]
			if l.more && string(l.disk.Key()) == l.key {
				l.more = l.disk.Next()
			}
		}
		if l.row != nil && !strings.HasPrefix(l.key, reserved) {
			return true
		}
	}
	return false
}

// Key implements storage.Iterator.
func (l *layered) Key() []byte { return []byte(l.key) }

// Value implements storage.Iterator.
func (l *layered) Value() ([]byte, error) { return l.row, nil }

// Release implements storage.Iterator.
func (l *layered) Release() { l.disk.Release() }

// Seek implements storage.Iterator.
func (l *layered) Seek(key []byte) bool {
	l.more = l.disk.Seek(key)
	for len(l.keys) > 0 && l.keys[0] < string(key) {
		l.keys = l.keys[1:]
	}
	return l.more || len(l.keys) > 0
}

// Err implements storage.Iterator.
func (l *layered) Err() error { return l.disk.Error() }
