package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/syndtr/goleveldb/leveldb"
	lerrors "github.com/syndtr/goleveldb/leveldb/errors"
	"github.com/syndtr/goleveldb/leveldb/filter"
	"github.com/syndtr/goleveldb/leveldb/opt"
	lstorage "github.com/syndtr/goleveldb/leveldb/storage"
	"github.com/syndtr/goleveldb/leveldb/util"

	"chargestream/engine/task"
)

// Bounds of a store, of which an instance has one for each partition. LevelDB holds twice the
// write buffer while it writes one down.
const (
	// pendingBytesMax is how much is committed and not yet on disk; a row that is written again
	// before is written to disk once.
	pendingBytesMax = 8 << 20
	// writeEvery is how long what is committed may stay off the disk. A crash costs reading that
	// much of the changelogs again.
	writeEvery     = 5 * time.Second
	writeBuffer    = 2 << 20
	blockCache     = 4 << 20 // for indexes and filters: rows have a cache of their own
	files          = 64
	bloomBitsAKey  = 10
	rowOverhead    = 64 // what a row costs in memory beside its bytes
	offsetKey      = task.ReservedPrefix + "offset"
	firstTableByte = 1 // keys of a table's rows on disk begin with its place and this
)

// layer is rows in memory, by table, and what they weigh; nil stands for a deleted row.
type layer struct {
	rows  []map[string][]byte
	bytes int
	count int
}

func newLayer(tables int) layer {
	l := layer{rows: make([]map[string][]byte, tables)}
	for i := range l.rows {
		l.rows[i] = map[string][]byte{}
	}
	return l
}

func (l *layer) put(table int, key string, row []byte) {
	if was, ok := l.rows[table][key]; ok {
		l.bytes += len(row) - len(was)
	} else {
		l.bytes += len(key) + len(row) + rowOverhead
		l.count++
	}
	l.rows[table][key] = row
}

// Store keeps the rows of one partition. A committed row is pending, then writing while it is
// written to disk. Rows and the changelog offsets that they are of are written in one batch.
type Store struct {
	// OnCorrupt is called once when the disk turns out to be unreadable; nil for nothing.
	OnCorrupt func(error)

	path   string
	tables int

	mu       sync.Mutex
	pending  layer
	writing  layer
	written  int        // how many layers were written
	cache    *rowCache  // of what is on disk
	keys     *keyFilter // of what is on disk or pending
	listed   []bool     // by table: keys has all that is on disk
	offsets  []int64    // by table: changelog offset up to which pending is complete; -1 for none
	since    time.Time
	db       *leveldb.DB
	writer   sync.WaitGroup
	writeErr error
	corrupt  bool // what is on disk is removed when the store is closed
}

// ErrOffset is returned by Open for an offset that is unreadable.
var ErrOffset = errors.New("offset of store is unreadable")

// Open opens the store of a partition with so many tables.
func Open(path string, tables int) (*Store, error) {
	// Rows are small, and are compressed in the changelogs: what is read of the disk need not be
	// unpacked.
	options := &opt.Options{
		Compression:            opt.NoCompression,
		WriteBuffer:            writeBuffer,
		BlockCacheCapacity:     blockCache,
		OpenFilesCacheCapacity: files,
		Filter:                 filter.NewBloomFilter(bloomBitsAKey),
	}
	db, err := leveldb.OpenFile(path, options)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, withCause(path, err))
	}
	s := &Store{path: path, tables: tables, db: db, offsets: make([]int64, tables),
		pending: newLayer(tables), writing: newLayer(tables), cache: newRowCache(),
		keys:   newFilter(),
		listed: make([]bool, tables)}
	for table := range s.offsets {
		if s.offsets[table], err = readOffset(db, table); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), db.Close())
		}
		s.listed[table] = s.offsets[table] < 0 // nothing was ever written
	}
	return s, nil
}

func offsetKeyOf(table int) []byte { return fmt.Appendf(nil, "%s%d", offsetKey, table) }

func readOffset(db *leveldb.DB, table int) (int64, error) {
	raw, err := db.Get(offsetKeyOf(table), nil)
	switch {
	case errors.Is(err, leveldb.ErrNotFound):
		return -1, nil
	case err != nil:
		return 0, fmt.Errorf("read offset: %w", err)
	case len(raw) != 8:
		return 0, fmt.Errorf("%w: it has %d bytes", ErrOffset, len(raw))
	}
	return int64(binary.BigEndian.Uint64(raw)), nil
}

// diskKey is the key of a row on disk.
func diskKey(buf []byte, table int, key string) []byte {
	return append(append(buf, byte(firstTableByte+table)), key...)
}

// SetCache sets what rows may take in memory that are on disk.
func (s *Store) SetCache(bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cache.bytesMax = bytes / 2
}

// Get is a row, which must not be changed; nil for one that is not there.
func (s *Store) Get(table int, key string) ([]byte, error) {
	hash := s.keys.hash(table, key)
	for {
		s.mu.Lock()
		row, known := s.peek(table, key, hash)
		written := s.written
		s.mu.Unlock()
		if known {
			return row, nil
		}
		row, err := s.read(table, key)
		s.mu.Lock()
		if err != nil {
			defer s.mu.Unlock()
			s.doubt(err)
			return nil, fmt.Errorf("read store %s: %w", s.path, err)
		}
		if newer, known := s.peek(table, key, hash); known {
			row = newer // committed while the disk was read
		} else if written != s.written {
			s.mu.Unlock()
			continue // it may have been written, too
		} else {
			s.cache.put(hash, table, key, row)
		}
		s.mu.Unlock()
		return row, nil
	}
}

// read reads a row of the disk; nil for one that is not there.
func (s *Store) read(table int, key string) ([]byte, error) {
	var scratch [96]byte
	row, err := s.db.Get(diskKey(scratch[:0], table, key), nil)
	switch {
	case errors.Is(err, leveldb.ErrNotFound):
		return nil, nil
	case err == nil && row == nil:
		return []byte{}, nil // one without bytes is there, too
	}
	return row, err
}

// peek is what memory knows of a row: false for nothing.
func (s *Store) peek(table int, key string, hash uint64) ([]byte, bool) {
	if row, ok := s.pending.rows[table][key]; ok {
		return row, true
	}
	if row, ok := s.writing.rows[table][key]; ok {
		return row, true
	}
	if s.listed[table] && !s.keys.has(hash) && !task.Reserved(key) {
		return nil, true
	}
	return s.cache.get(hash, table, key)
}

// Offset is the changelog offset of a table up to which the store is complete; -1 for none.
func (s *Store) Offset(table int) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.offsets[table]
}

// Commit takes rows that are committed, by table, with the changelog offset of the last of each
// table; -1 for a table of which nothing was written.
func (s *Store) Commit(rows [][]task.Row, offsets []int64) error {
	s.mu.Lock()
	for table := range rows {
		for i := range rows[table] {
			s.pend(table, rows[table][i].Key, rows[table][i].Bytes)
		}
		s.offsets[table] = max(s.offsets[table], offsets[table])
	}
	s.mu.Unlock()
	return s.Write()
}

func (s *Store) pend(table int, key string, row []byte) {
	if s.pending.count == 0 {
		s.since = time.Now()
	}
	s.pending.put(table, key, row)
	if row != nil {
		s.keys.add(table, key)
	}
}

// Load takes records of a table's changelog, as it is restored or followed: at gives each record's
// key, value and offset. A record without a key moves the offset only. The store copies what it
// keeps.
func (s *Store) Load(table, records int, at func(i int) (key, value []byte, offset int64)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range records {
		key, value, offset := at(i)
		s.offsets[table] = max(s.offsets[table], offset)
		if len(key) == 0 {
			continue
		}
		var row []byte
		if value != nil {
			row = append(make([]byte, 0, len(value)), value...)
		}
		s.pend(table, string(key), row)
	}
}

// Write has what is pending written to disk in the background, if it is much or old enough. It
// waits only for a write that is under way when there is much more to write.
func (s *Store) Write() error { return s.write(false) }

func (s *Store) write(now bool) error {
	s.mu.Lock()
	much := s.pending.bytes >= pendingBytesMax
	due := now || much || (s.pending.count > 0 && time.Since(s.since) >= writeEvery)
	busy := s.writing.count > 0
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
	s.writing, s.pending = s.pending, newLayer(s.tables)
	written, offsets := s.writing, slices.Clone(s.offsets)
	s.writer.Go(func() { s.put(written, offsets) })
	return nil
}

// put writes rows and offsets, all or nothing.
func (s *Store) put(l layer, offsets []int64) {
	err := s.putAll(l, offsets)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.doubt(err)
		s.writeErr = fmt.Errorf("write store %s: %w", s.path, err)
		return
	}
	s.written++
	for table, rows := range s.writing.rows {
		for key, row := range rows {
			s.cache.put(s.keys.hash(table, key), table, key, row)
		}
	}
	s.writing = newLayer(s.tables)
}

// putAll writes a batch, or what is more than LevelDB's write buffer in a transaction, which needs
// no copy of the rows and no journal. LevelDB would make one of such a batch.
func (s *Store) putAll(l layer, offsets []int64) error {
	if l.bytes <= writeBuffer {
		batch := leveldb.MakeBatch(l.bytes)
		each(l, offsets, func(key, row []byte) error {
			if row == nil {
				batch.Delete(key)
			} else {
				batch.Put(key, row)
			}
			return nil
		})
		return s.db.Write(batch, nil)
	}
	t, err := s.db.OpenTransaction()
	if err != nil {
		return err
	}
	err = each(l, offsets, func(key, row []byte) error {
		if row == nil {
			return t.Delete(key, nil)
		}
		return t.Put(key, row, nil)
	})
	if err != nil {
		t.Discard()
		return err
	}
	return t.Commit()
}

// each calls put for the rows of a layer, nil for a deleted one, and for the offsets, until it
// returns an error. The key is valid during the call.
func each(l layer, offsets []int64, put func(key, row []byte) error) error {
	var scratch []byte
	for table, rows := range l.rows {
		for key, row := range rows {
			scratch = diskKey(scratch[:0], table, key)
			if err := put(scratch, row); err != nil {
				return err
			}
		}
		if offsets[table] < 0 {
			continue
		}
		offset := binary.BigEndian.AppendUint64(nil, uint64(offsets[table]))
		if err := put(offsetKeyOf(table), offset); err != nil {
			return err
		}
	}
	return nil
}

// Flush writes all that is committed to disk and waits for it.
func (s *Store) Flush() error {
	if err := s.write(true); err != nil {
		return err
	}
	s.writer.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writeErr
}

// doubt notes that an error came of what is on disk. A disk that is opened is not read whole, so
// that may show at any time; a copy that was kept would end every attempt again.
func (s *Store) doubt(err error) {
	if s.corrupt || !Corrupt(err) {
		return
	}
	s.corrupt = true
	if s.OnCorrupt != nil {
		s.OnCorrupt(err)
	}
}

// Corrupt reports whether a store failed for what is in it, and not for its surroundings, such as a
// full disk or another process.
func Corrupt(err error) bool {
	var content *lerrors.ErrCorrupted
	var file *lstorage.ErrCorrupted
	return errors.As(err, &content) || errors.As(err, &file) || errors.Is(err, ErrOffset) ||
		errors.Is(err, os.ErrNotExist)
}

// Close closes the store. What was committed is on disk then. A copy that is corrupt is removed,
// to be rebuilt from the changelogs.
func (s *Store) Close() error {
	err := s.Flush()
	s.mu.Lock()
	broken := s.corrupt
	s.mu.Unlock()
	err = errors.Join(err, s.db.Close())
	if !broken {
		return err
	}
	if gone := os.RemoveAll(s.path); gone != nil {
		return errors.Join(err, fmt.Errorf("remove corrupt store: %w", gone))
	}
	return err
}

// Path is the directory of the store.
func (s *Store) Path() string { return s.path }

// Each calls f for every row of a table, in the order of keys, until f returns an error, which it
// returns. Keys that are the engine's own are left out. After it, Get knows without the disk of
// most keys that are not there.
func (s *Store) Each(table int, f func(key string, row []byte) error) error {
	it := s.Rows(table, nil, nil)
	defer it.Release()
	for it.Next() {
		s.mu.Lock()
		s.keys.add(table, it.key)
		s.mu.Unlock()
		if err := f(it.key, it.row); err != nil {
			return err
		}
	}
	err := it.Err()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.doubt(err)
		return fmt.Errorf("read store %s: %w", s.path, err)
	}
	s.listed[table] = true
	return nil
}

// Rows is a snapshot of a table from start up to limit, which is exclusive; nil is no bound.
func (s *Store) Rows(table int, start, limit []byte) *Iterator {
	r := &util.Range{Start: diskKey(nil, table, string(start)),
		Limit: []byte{byte(firstTableByte + table + 1)}}
	if limit != nil {
		r.Limit = diskKey(nil, table, string(limit))
	}
	s.mu.Lock()
	overlay := maps.Clone(s.writing.rows[table])
	maps.Copy(overlay, s.pending.rows[table])
	it := s.db.NewIterator(r, nil)
	s.mu.Unlock()
	keys := slices.DeleteFunc(slices.Sorted(maps.Keys(overlay)), func(k string) bool {
		return k < string(start) || (limit != nil && k >= string(limit))
	})
	return &Iterator{disk: it, more: it.Next(), overlay: overlay, keys: keys,
		table: []byte{byte(firstTableByte + table)}}
}
