package views

import (
	"iter"
	"slices"
	"sort"
)

// chunkMax bounds a chunk of an ordered set: what is moved at most to add a key.
const chunkMax = 512

// ordered is a set of keys in an order. It is cut into chunks, so that to add a key moves few
// others, and a key costs its string header and little more.
type ordered struct {
	compare func(a, b string) int
	chunks  [][]string // none is empty
	size    int
}

// seek is the place of the first key that is not before a key, which may be behind the last one.
func (o *ordered) seek(key string) (chunk, at int) {
	chunk = sort.Search(len(o.chunks), func(i int) bool {
		c := o.chunks[i]
		return o.compare(c[len(c)-1], key) >= 0
	})
	if chunk < len(o.chunks) {
		at, _ = slices.BinarySearchFunc(o.chunks[chunk], key, o.compare)
	}
	return chunk, at
}

// add adds a key; one that is there stays.
func (o *ordered) add(key string) {
	chunk, at := o.seek(key)
	if chunk == len(o.chunks) {
		if chunk == 0 || len(o.chunks[chunk-1]) == chunkMax {
			o.chunks = append(o.chunks, nil)
		} else {
			chunk--
		}
		// Keys that come in their order fill chunk after chunk.
		o.chunks[chunk] = append(o.chunks[chunk], key)
		o.size++
		return
	}
	c := o.chunks[chunk]
	if o.compare(c[at], key) == 0 {
		return
	}
	o.size++
	if len(c) < chunkMax {
		o.chunks[chunk] = slices.Insert(c, at, key)
		return
	}
	half := slices.Clone(c[chunkMax/2:])
	clear(c[chunkMax/2:])
	c = c[:chunkMax/2]
	if at <= len(c) {
		c = slices.Insert(c, at, key)
	} else {
		half = slices.Insert(half, at-len(c), key)
	}
	o.chunks[chunk] = c
	o.chunks = slices.Insert(o.chunks, chunk+1, half)
}

// remove removes a key, if it is there.
func (o *ordered) remove(key string) {
	chunk, at := o.seek(key)
	if chunk == len(o.chunks) || o.compare(o.chunks[chunk][at], key) != 0 {
		return
	}
	o.size--
	if c := slices.Delete(o.chunks[chunk], at, at+1); len(c) > 0 {
		o.chunks[chunk] = c
		return
	}
	o.chunks = slices.Delete(o.chunks, chunk, chunk+1)
}

// from are the keys that are not before a key, in their order.
func (o *ordered) from(key string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for chunk, at := o.seek(key); chunk < len(o.chunks); chunk, at = chunk+1, 0 {
			for _, key := range o.chunks[chunk][at:] {
				if !yield(key) {
					return
				}
			}
		}
	}
}
