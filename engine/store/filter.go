package store

import "hash/maphash"

// Bounds of a filter.
const (
	filterBitsAKey  = 12
	filterBlockBits = 512 // a cache line
	filterProbes    = 6
	filterFirstKeys = 1 << 14
)

// keyFilter answers whether a key may be in the store: a blocked Bloom filter (Putze, Sanders and
// Singler, "Cache-, Hash- and Space-Efficient Bloom Filters", 2007) that grows by adding filters of
// twice the size. Most rows are read once before they are there at all, and goleveldb takes some
// microseconds to find that a key is missing.
type keyFilter struct {
	seed   maphash.Seed
	layers []keyLayer
}

type keyLayer struct {
	blocks []keyBlock
	room   int // keys that may still be added
}

type keyBlock [filterBlockBits / 64]uint64

func newFilter() *keyFilter {
	f := &keyFilter{seed: maphash.MakeSeed()}
	f.grow(filterFirstKeys)
	return f
}

func (f *keyFilter) grow(keys int) {
	f.layers = append(f.layers, keyLayer{room: keys,
		blocks: make([]keyBlock, keys*filterBitsAKey/filterBlockBits+1)})
}

func (f *keyFilter) hash(table int, key string) uint64 {
	return maphash.String(f.seed, key) + uint64(table)*0x9e3779b97f4a7c15
}

// add adds a key.
func (f *keyFilter) add(table int, key string) {
	h := f.hash(table, key)
	if f.has(h) {
		return
	}
	last := &f.layers[len(f.layers)-1]
	if last.room == 0 {
		f.grow(2 * len(last.blocks) * filterBlockBits / filterBitsAKey)
		last = &f.layers[len(f.layers)-1]
	}
	last.room--
	b, bits := last.block(h), h*0xff51afd7ed558ccd
	for range filterProbes {
		b[bits>>6%8] |= 1 << (bits & 63)
		bits >>= 9
	}
}

// has reports whether the key of a hash may have been added; false for one that was not.
func (f *keyFilter) has(h uint64) bool {
	for i := range f.layers {
		if f.layers[i].has(h) {
			return true
		}
	}
	return false
}

func (l *keyLayer) block(h uint64) *keyBlock {
	return &l.blocks[(h>>32)*uint64(len(l.blocks))>>32]
}

func (l *keyLayer) has(h uint64) bool {
	b, bits := l.block(h), h*0xff51afd7ed558ccd
	for range filterProbes {
		if b[bits>>6%8]&(1<<(bits&63)) == 0 {
			return false
		}
		bits >>= 9
	}
	return true
}
