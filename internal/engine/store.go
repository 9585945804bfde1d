package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lovoo/goka/storage"
	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/util"
	"github.com/twmb/franz-go/pkg/kgo"
)

// reserved is the first byte of keys that are the engine's own and no row of anybody.
const reserved = "\x00"

// offsetKey holds the changelog offset that a store has been written up to.
const offsetKey = reserved + "offset"

// Bounds of a store, of which an instance has one for each partition of each table. LevelDB holds
// twice the write buffer while it writes one down.
const (
	// pendingBytesMax is how much is committed and not yet on disk; what is written to again before
	// is written to disk once.
	pendingBytesMax = 8 << 20
	// writeEvery is how long what is committed may stay off the disk. A crash costs reading that
	// much of the changelog again.
	writeEvery = time.Second
	// cacheBytes bounds each of the two generations of rows that are kept beside the disk.
	cacheBytes       = 8 << 20
	storeWriteBuffer = 4 << 20
	storeBlockCache  = 8 << 20
	storeFiles       = 64
	// rowOverhead is what a row costs in memory beside its bytes.
	rowOverhead = 64
)

// layer is rows in memory and what they weigh; nil stands for a deleted row.
type layer struct {
	rows  map[string][]byte
	bytes int
}

func newLayer() layer { return layer{rows: map[string][]byte{}} }

func (l *layer) put(key string, row []byte) {
	if was, ok := l.rows[key]; ok {
		l.bytes += len(row) - len(was)
	} else {
		l.bytes += len(key) + len(row) + rowOverhead
	}
	l.rows[key] = row
}

// store keeps one partition of a table. A row goes through layers: dirty while its unit of work
// runs, committing while that is committed, pending when it is, writing while it is written to
// disk, and then the cache. So the disk never knows what the changelog does not, no disk is waited
// for while records are folded, and what is folded again and again is written to disk seldom. Rows
// and their changelog offset are written in one batch.
type store struct {
	topic     string
	partition int32
	path      string
	// onCorrupt is told once when the disk turns out to be unreadable; nil for nobody.
	onCorrupt func(error)

	mu         sync.RWMutex
	dirty      layer
	committing layer
	pending    layer
	writing    layer
	young, old layer
	offset     int64 // changelog offset up to which pending is complete; -1 for none
	since      time.Time
	db         *leveldb.DB
	writer     sync.WaitGroup
	writeErr   error
	corrupt    bool // what is on disk is removed when the store is closed
}

// errOffset is returned by openStore for an offset that nobody wrote.
var errOffset = errors.New("offset of store is unreadable")

func openStore(path, topic string, partition int32) (*store, error) {
	options := &opt.Options{WriteBuffer: storeWriteBuffer, BlockCacheCapacity: storeBlockCache,
		OpenFilesCacheCapacity: storeFiles}
	db, err := leveldb.OpenFile(path, options)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	s := &store{topic: topic, partition: partition, path: path, db: db, offset: -1,
		dirty:      newLayer(),
		committing: newLayer(), pending: newLayer(), writing: newLayer(), young: newLayer(),
		old: newLayer()}
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
	s.offset = int64(binary.BigEndian.Uint64(raw))
	return s, nil
}

// get is a row; nil for one that is not there.
func (s *store) get(key string) ([]byte, error) {
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.doubt(err)
		return nil, fmt.Errorf("read store %s/%d: %w", s.topic, s.partition, err)
	}
	if newer, known := s.peek(key); known {
		return newer, nil // written while the disk was read
	}
	s.keep(key, row)
	return row, nil
}

func (s *store) peek(key string) ([]byte, bool) {
	for _, l := range [...]*layer{&s.dirty, &s.committing, &s.pending, &s.writing, &s.young,
		&s.old} {
		if row, ok := l.rows[key]; ok {
			return row, true
		}
	}
	return nil, false
}

// keep remembers a row that is on disk. When the young generation is full the old one is
// forgotten.
func (s *store) keep(key string, row []byte) {
	if s.young.bytes >= cacheBytes {
		s.old, s.young = s.young, newLayer()
	}
	s.young.put(key, row)
}

// set changes a row in the running unit of work.
func (s *store) set(key string, row []byte) {
	s.mu.Lock()
	s.dirty.put(key, row)
	s.mu.Unlock()
}

func (s *store) dirtyBytes() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.dirty.bytes
}

// cut ends the running unit of work and gives its rows, which the caller must not change; another
// begins at once. The one before must be committed.
func (s *store) cut() map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.committing = s.dirty
	s.dirty = layer{rows: make(map[string][]byte, len(s.committing.rows))}
	return s.committing.rows
}

// committed takes the unit of work that was cut as done, with the changelog offset of its last
// record.
func (s *store) committed(offset int64) error {
	s.mu.Lock()
	for key, row := range s.committing.rows {
		s.pend(key, row)
	}
	s.committing = newLayer()
	s.offset = max(s.offset, offset)
	s.mu.Unlock()
	return s.write(false)
}

func (s *store) pend(key string, row []byte) {
	if len(s.pending.rows) == 0 {
		s.since = time.Now()
	}
	s.pending.put(key, row)
}

// load takes a record of the changelog, as it is restored or followed. The row must belong to
// the store.
func (s *store) load(key string, row []byte, offset int64) {
	s.mu.Lock()
	if key != "" {
		s.pend(key, row)
	}
	s.offset = max(s.offset, offset)
	s.mu.Unlock()
}

// loadAll takes records of the changelog as they were fetched, and copies what it keeps: a record's
// bytes are part of a whole fetched batch.
func (s *store) loadAll(records []*kgo.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		s.offset = max(s.offset, r.Offset)
		if r.Attrs.IsControl() || len(r.Key) == 0 {
			continue
		}
		var row []byte
		if r.Value != nil {
			row = append(make([]byte, 0, len(r.Value)), r.Value...)
		}
		s.pend(string(r.Key), row)
	}
}

// forget drops the unit of work that was not committed.
func (s *store) forget() {
	s.mu.Lock()
	s.dirty, s.committing = newLayer(), newLayer()
	s.mu.Unlock()
}

// write has what is pending written to disk behind the caller's back, if it is much or old enough,
// or at any rate. It waits only for a write that is under way when there is much more to write.
func (s *store) write(now bool) error {
	s.mu.Lock()
	much := s.pending.bytes >= pendingBytesMax
	due := now || much || (len(s.pending.rows) > 0 && time.Since(s.since) >= writeEvery)
	busy := len(s.writing.rows) > 0
	err := s.writeErr
	s.mu.Unlock()
	if err != nil || !due || (busy && !much && !now) {
		return err
	}
	s.writer.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writeErr != nil {
		return s.writeErr
	}
	s.writing = s.pending
	s.pending = layer{rows: make(map[string][]byte, len(s.writing.rows))}
	rows, bytes, offset := s.writing.rows, s.writing.bytes, s.offset
	s.writer.Go(func() { s.put(rows, bytes, offset) })
	return nil
}

// put writes rows and offset in one batch.
func (s *store) put(rows map[string][]byte, bytes int, offset int64) {
	batch := leveldb.MakeBatch(bytes)
	for key, row := range rows {
		if row == nil {
			batch.Delete([]byte(key))
		} else {
			batch.Put([]byte(key), row)
		}
	}
	if offset >= 0 {
		batch.Put([]byte(offsetKey), binary.BigEndian.AppendUint64(nil, uint64(offset)))
	}
	err := s.db.Write(batch, nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.doubt(err)
		s.writeErr = fmt.Errorf("write store %s/%d: %w", s.topic, s.partition, err)
		return
	}
	for key, row := range rows {
		s.keep(key, row)
	}
	s.writing = newLayer()
}

// flush writes all that is committed to disk and waits for it.
func (s *store) flush() error {
	if err := s.write(true); err != nil {
		return err
	}
	s.writer.Wait()
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.writeErr
}

// doubt notes that an error came of what is on disk. A disk that is opened is not read whole, so
// that may show at any time; a copy that was kept would end every attempt again.
func (s *store) doubt(err error) {
	if s.corrupt || !corrupt(err) {
		return
	}
	s.corrupt = true
	if s.onCorrupt != nil {
		s.onCorrupt(err)
	}
}

// close closes the store. What was committed is on disk then; what was not is forgotten. A copy
// that is corrupt is removed, to be built anew from the changelog.
func (s *store) close() error {
	err := s.flush()
	s.mu.RLock()
	broken := s.corrupt
	s.mu.RUnlock()
	err = errors.Join(err, s.db.Close())
	if !broken {
		return err
	}
	if gone := os.RemoveAll(s.path); gone != nil {
		return errors.Join(err, fmt.Errorf("remove corrupt store: %w", gone))
	}
	return err
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
	if err := it.Err(); err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.doubt(err)
		return fmt.Errorf("walk store %s/%d: %w", s.topic, s.partition, err)
	}
	return nil
}

// Open implements storage.Storage, as do the methods below: goka reads a table through them, and
// restores lookup tables. It never closes the store of an owned partition; see owned.
func (s *store) Open() error { return nil }

// Close implements storage.Storage.
func (s *store) Close() error { return s.close() }

// Get implements storage.Storage: nil for a row that is not there.
func (s *store) Get(key string) ([]byte, error) { return s.get(key) }

// Has implements storage.Storage.
func (s *store) Has(key string) (bool, error) {
	row, err := s.get(key)
	return row != nil, err
}

// Set implements storage.Storage, of a record that is committed.
func (s *store) Set(key string, row []byte) error {
	s.load(key, row, -1)
	return s.write(false)
}

// Delete implements storage.Storage.
func (s *store) Delete(key string) error { return s.Set(key, nil) }

// GetOffset implements storage.Storage.
func (s *store) GetOffset(unset int64) (int64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.offset < 0 {
		return unset, nil
	}
	return s.offset, nil
}

// SetOffset implements storage.Storage.
func (s *store) SetOffset(offset int64) error {
	s.load("", nil, offset)
	return nil
}

// MarkRecovered implements storage.Storage.
func (s *store) MarkRecovered() error { return s.flush() }

// Iterator implements storage.Storage.
func (s *store) Iterator() (storage.Iterator, error) { return s.IteratorWithRange(nil, nil) }

// IteratorWithRange implements storage.Storage: a snapshot, sorted by key, of what is on disk with
// what is not yet laid over it. The limit is exclusive.
func (s *store) IteratorWithRange(start, limit []byte) (storage.Iterator, error) {
	s.mu.RLock()
	overlay := map[string][]byte{}
	for _, l := range [...]*layer{&s.writing, &s.pending, &s.committing, &s.dirty} {
		maps.Copy(overlay, l.rows)
	}
	it := s.db.NewIterator(&util.Range{Start: start, Limit: limit}, nil)
	s.mu.RUnlock()
	keys := slices.DeleteFunc(slices.Sorted(maps.Keys(overlay)), func(k string) bool {
		return k < string(start) || (limit != nil && k >= string(limit))
	})
	return &layered{disk: it, more: it.Next(), overlay: overlay, keys: keys}, nil
}

// owned is the store of a partition that this instance owns, as goka sees it: it is open, restored
// and closed by the engine.
type owned struct{ *store }

// Close implements storage.Storage.
func (owned) Close() error { return nil }

// MarkRecovered implements storage.Storage.
func (owned) MarkRecovered() error { return nil }

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
