package store

import (
	"github.com/syndtr/goleveldb/leveldb/iterator"

	"chargestream/engine/task"
)

// Iterator walks the rows of a table in the order of their keys. It implements goka's
// storage.Iterator.
type Iterator struct {
	disk    iterator.Iterator
	more    bool
	overlay map[string][]byte
	keys    []string // of overlay, those that are ahead
	table   []byte   // the byte that keys on disk begin with, for Seek
	key     string
	row     []byte
}

// Overlaid is an iterator over rows in memory, in the order of keys; both must not be changed.
func Overlaid(rows map[string][]byte, keys []string) *Iterator {
	return &Iterator{disk: iterator.NewEmptyIterator(nil), overlay: rows, keys: keys}
}

// Next moves on to the next row; false at the end.
func (l *Iterator) Next() bool {
	for l.more || len(l.keys) > 0 {
		fromDisk := l.more && (len(l.keys) == 0 || l.diskKey() < l.keys[0])
		if fromDisk {
			l.key = l.diskKey()
			l.row = append([]byte{}, l.disk.Value()...)
			l.more = l.disk.Next()
		} else {
			l.key, l.keys = l.keys[0], l.keys[1:]
			l.row = l.overlay[l.key]
			if l.more && l.diskKey() == l.key {
				l.more = l.disk.Next()
			}
		}
		if l.row != nil && !task.Reserved(l.key) {
			return true
		}
	}
	return false
}

func (l *Iterator) diskKey() string { return string(l.disk.Key()[1:]) }

// Key is the key of the row.
func (l *Iterator) Key() []byte { return []byte(l.key) }

// Value is the row.
func (l *Iterator) Value() ([]byte, error) { return l.row, nil }

// Release frees what the iterator holds.
func (l *Iterator) Release() { l.disk.Release() }

// Seek moves to before the first row at or after a key; false where there is none.
func (l *Iterator) Seek(key []byte) bool {
	if l.table != nil {
		l.more = l.disk.Seek(append(l.table[:1:1], key...))
	}
	for len(l.keys) > 0 && l.keys[0] < string(key) {
		l.keys = l.keys[1:]
	}
	return l.more || len(l.keys) > 0
}

// Err is the error that ended the walk; nil for none.
func (l *Iterator) Err() error { return l.disk.Error() }
