package task_test

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"chargestream/engine/task"
)

// TestMurmur2Vectors takes its values from UtilsTest.testMurmur2 of the Java client.
func TestMurmur2Vectors(t *testing.T) {
	for key, want := range map[string]int32{
		"21":                         -973932308,
		"foobar":                     -790332482,
		"a-little-bit-long-string":   -985981536,
		"a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	} {
		if got := int32(task.Murmur2([]byte(key))); got != want {
			t.Errorf("murmur2(%q) = %d, want %d", key, got, want)
		}
	}
}

// TestPlacementIsKafkas draws keys of every length and compares with the default partitioner of
// the client that others write the inputs with.
func TestPlacementIsKafkas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 0, 70).Draw(t, "key")
		n := rapid.Int32Range(1, 1000).Draw(t, "partitions")
		kafka := kgo.StickyKeyPartitioner(nil).ForTopic("any")
		want := kafka.Partition(&kgo.Record{Key: key}, int(n))
		if got := task.PartitionOf(string(key), n); int(got) != want {
			t.Errorf("PartitionOf(%x, %d) = %d, the client has %d", key, n, got, want)
		}
	})
}

// TestHasherThroughGoka computes a partition as goka does (partition_processor.go, emitter.go and
// view.go): the sum as a signed number, modulo, negated where negative.
func TestHasherThroughGoka(t *testing.T) {
	h := task.NewHasher()
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.String().Draw(t, "key")
		n := rapid.Int32Range(1, 1000).Draw(t, "partitions")
		h.Reset()
		for _, part := range []string{key[:len(key)/2], key[len(key)/2:]} {
			if _, err := h.Write([]byte(part)); err != nil {
				t.Fatal(err)
			}
		}
		got := int32(h.Sum32()) % n
		if got < 0 {
			got = -got
		}
		if want := task.PartitionOf(key, n); got != want {
			t.Errorf("goka puts %q into %d of %d, Kafka into %d", key, got, n, want)
		}
	})
}

// anyKey draws keys, among them those with the runes that EscapeKey changes.
func anyKey() *rapid.Generator[string] {
	runes := rapid.SampledFrom([]rune{'%', '/', '2', '5', 'F', 'f', 'a', '\u00e4', 0})
	return rapid.OneOf(rapid.String(), rapid.StringOfN(runes, 0, 12, -1),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 12), func(b []byte) string { return string(b) }))
}

// TestEscapeKey: what is escaped has no KeyPrefix, comes back as it was, and is like no other.
func TestEscapeKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key, other := anyKey().Draw(t, "key"), anyKey().Draw(t, "other")
		escaped := task.EscapeKey(key)
		if strings.ContainsRune(escaped, task.KeyPrefix) {
			t.Errorf("EscapeKey(%q) is %q", key, escaped)
		}
		if got := task.UnescapeKey(escaped); got != key {
			t.Errorf("%q comes back as %q, by way of %q", key, got, escaped)
		}
		if key != other && escaped == task.EscapeKey(other) {
			t.Errorf("%q and %q are both %q", key, other, escaped)
		}
	})
	for key, want := range map[string]string{"plain": "plain", "a/b": "a%2Fb", "100%": "100%25",
		"%2F": "%252F", "": ""} {
		if got := task.EscapeKey(key); got != want {
			t.Errorf("EscapeKey(%q) is %q, want %q", key, got, want)
		}
	}
}

// TestPrefixHasher places a row where the key lies that its own key begins with, whatever slashes
// and percent signs that has; and a key without more where it lies itself.
func TestPrefixHasher(t *testing.T) {
	h := task.NewPrefixHasher()
	partitionOf := func(key string, n int32) int32 {
		h.Reset()
		for _, part := range []string{key[:len(key)/2], key[len(key)/2:]} {
			if _, err := h.Write([]byte(part)); err != nil {
				t.Fatal(err)
			}
		}
		return int32(h.Sum32()) % n
	}
	rapid.Check(t, func(t *rapid.T) {
		key, rest := anyKey().Draw(t, "key"), anyKey().Draw(t, "rest")
		n := rapid.Int32Range(1, 100).Draw(t, "partitions")
		want := task.PartitionOf(key, n)
		row := task.EscapeKey(key) + string(task.KeyPrefix) + rest
		if got := partitionOf(row, n); got != want {
			t.Errorf("row %q is looked for in %d of %d, key %q lies in %d", row, got, n, key, want)
		}
		if strings.ContainsAny(key, "%/") {
			return
		}
		if got := partitionOf(key, n); got != want {
			t.Errorf("row %q is looked for in %d of %d, and lies in %d", key, got, n, want)
		}
	})
}
