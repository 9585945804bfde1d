package store

import (
	"encoding/binary"
	"math"
)

// Bounds of a row cache.
const (
	// cacheBytesMax is what both generations may take where SetCache set nothing else: in copies,
	// which are written much and read little.
	cacheBytesMax = 2 << 20
	chunkBytes    = 256 << 10
	// cachedRowMax bounds a row with its key: a larger one is read of the disk each time.
	cachedRowMax = chunkBytes / 4
	slotBytes    = 24 // what a place costs in the map of a generation
)

// rowCache holds rows as they are on disk, so that one of them costs a look into memory and not a
// search of LevelDB's tables, which takes ten times as long and more. A row is a few hundred bytes
// and a block of LevelDB 4 KiB: of rows that are read in no order, a cache of rows holds many times
// more than one of blocks. It has two generations, as that of the task: when the young one is full,
// the old one is forgotten.
//
// The bytes lie in chunks, and are found by the hash of their key, so that the collector has
// nothing to follow. What is in a chunk never changes.
type rowCache struct {
	young, old generation
	bytesMax   int // of each
}

type generation struct {
	places map[uint64]uint64 // by hash: chunk and offset in it
	chunks [][]byte
	bytes  int
}

func newRowCache() *rowCache {
	return &rowCache{young: newGeneration(), old: newGeneration(), bytesMax: cacheBytesMax / 2}
}

func newGeneration() generation { return generation{places: map[uint64]uint64{}} }

// get is a row, nil for one that is known to be absent; false where that is not known. The row
// must not be changed.
func (c *rowCache) get(hash uint64, table int, key string) ([]byte, bool) {
	if _, ok := c.young.places[hash]; ok {
		// Of another key, what the old one holds may have been replaced before that came.
		return c.young.get(hash, table, key)
	}
	row, ok := c.old.get(hash, table, key)
	if ok {
		c.put(hash, table, key, row)
	}
	return row, ok
}

// put takes a row; nil for one that was deleted.
func (c *rowCache) put(hash uint64, table int, key string, row []byte) {
	if len(key)+len(row) > cachedRowMax {
		c.drop(hash)
		return
	}
	if c.young.bytes >= c.bytesMax {
		c.young, c.old = newGeneration(), c.young
	}
	c.young.put(hash, table, key, row)
}

// drop forgets a row, which the generations hold no longer as it is.
func (c *rowCache) drop(hash uint64) {
	delete(c.young.places, hash)
	delete(c.old.places, hash)
}

func (g *generation) put(hash uint64, table int, key string, row []byte) {
	need := len(key) + len(row) + 2*binary.MaxVarintLen32 + 1
	if n := len(g.chunks); n == 0 || cap(g.chunks[n-1])-len(g.chunks[n-1]) < need {
		g.chunks = append(g.chunks, make([]byte, 0, chunkBytes))
	}
	last := len(g.chunks) - 1
	chunk := g.chunks[last]
	if _, ok := g.places[hash]; !ok {
		g.bytes += slotBytes
	}
	g.places[hash] = uint64(last)<<32 | uint64(len(chunk))
	before := len(chunk)
	chunk = append(chunk, byte(table))
	chunk = binary.AppendUvarint(chunk, uint64(len(key)))
	chunk = append(chunk, key...)
	if row == nil {
		chunk = binary.AppendUvarint(chunk, 0)
	} else {
		chunk = binary.AppendUvarint(chunk, uint64(len(row)+1))
		chunk = append(chunk, row...)
	}
	g.chunks[last] = chunk
	g.bytes += len(chunk) - before
}

func (g *generation) get(hash uint64, table int, key string) ([]byte, bool) {
	place, ok := g.places[hash]
	if !ok {
		return nil, false
	}
	b := g.chunks[place>>32][place&math.MaxUint32:]
	if int(b[0]) != table {
		return nil, false // another key of the same hash
	}
	size, n := binary.Uvarint(b[1:])
	if b = b[1+n:]; string(b[:size]) != key {
		return nil, false
	}
	b = b[size:]
	size, n = binary.Uvarint(b)
	if size == 0 {
		return nil, true
	}
	b = b[n:]
	return b[: size-1 : size-1], true
}
