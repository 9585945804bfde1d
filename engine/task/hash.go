package task

import (
	"bytes"
	"hash"
	"strings"
)

// murmurSeed is the seed of Kafka's default partitioner (Utils.murmur2 of the Java client).
const murmurSeed uint32 = 0x9747b28c

// Murmur2 is the hash of Kafka's default partitioner.
func Murmur2(key []byte) uint32 {
	const m, r = 0x5bd1e995, 24
	h := murmurSeed ^ uint32(len(key))
	for len(key) >= 4 {
		k := uint32(key[0]) | uint32(key[1])<<8 | uint32(key[2])<<16 | uint32(key[3])<<24
		k *= m
		k ^= k >> r
		k *= m
		h *= m
		h ^= k
		key = key[4:]
	}
	switch len(key) {
	case 3:
		h ^= uint32(key[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(key[1]) << 8
		fallthrough
	case 1:
		h ^= uint32(key[0])
		h *= m
	}
	h ^= h >> 13
	h *= m
	return h ^ h>>15
}

// PartitionOf is the partition of a key by Kafka's default partitioner: murmur2, masked to 31
// bits, modulo the number of partitions.
func PartitionOf(key string, partitions int32) int32 {
	return int32(Murmur2([]byte(key))&0x7fffffff) % partitions
}

// hasher is Murmur2 as a hash.Hash32. It is masked to 31 bits because goka takes the sum modulo
// the partitions as a signed number and negates what is negative, where Kafka masks.
type hasher struct{ key []byte }

// NewHasher is the hash function that emitters, processors and views must all be given.
func NewHasher() hash.Hash32 { return &hasher{} }

func (h *hasher) Write(p []byte) (int, error) { h.key = append(h.key, p...); return len(p), nil }
func (h *hasher) Sum32() uint32               { return Murmur2(h.key) & 0x7fffffff }
func (h *hasher) Reset()                      { h.key = h.key[:0] }
func (h *hasher) Size() int                   { return 4 }
func (h *hasher) BlockSize() int              { return 4 }
func (h *hasher) Sum(b []byte) []byte {
	s := h.Sum32()
	return append(b, byte(s>>24), byte(s>>16), byte(s>>8), byte(s))
}

// KeyPrefix ends the beginning of a row's key, which determines the partition: a row of a table
// whose keys are longer than those of the inputs begins with the input's key, as EscapeKey writes
// it.
const KeyPrefix = '/'

var (
	escaper   = strings.NewReplacer("%", "%25", "/", "%2F")
	unescaper = strings.NewReplacer("%25", "%", "%2F", "/")
)

// EscapeKey is a key of an input as the beginning of a row's key: without KeyPrefix.
func EscapeKey(key string) string {
	if strings.ContainsAny(key, "%/") {
		return escaper.Replace(key)
	}
	return key
}

// UnescapeKey undoes EscapeKey.
func UnescapeKey(prefix string) string {
	if strings.Contains(prefix, "%") {
		return unescaper.Replace(prefix)
	}
	return prefix
}

// prefixHasher hashes a key up to KeyPrefix.
type prefixHasher struct{ hasher }

// NewPrefixHasher is the hash function of views of tables whose keys begin with the key of an
// input: such a row lies in the partition of that key.
func NewPrefixHasher() hash.Hash32 { return &prefixHasher{} }

func (h *prefixHasher) Sum32() uint32 {
	key := h.key
	if i := bytes.IndexByte(key, KeyPrefix); i >= 0 {
		key = []byte(UnescapeKey(string(key[:i])))
	}
	return Murmur2(key) & 0x7fffffff
}
