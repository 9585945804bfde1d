package engine_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"chargestream/internal/engine"
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
		if got := int32(engine.Murmur2([]byte(key))); got != want {
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
		if got := engine.PartitionOf(string(key), n); int(got) != want {
			t.Errorf("PartitionOf(%x, %d) = %d, the client says %d", key, n, got, want)
		}
	})
}

// TestPartitionerAgreesWithPartitionOf: what a task believes to be a key's home is where the
// producer puts it. If they differed a misplaced record would be led home for ever. Keys that
// begin with a zero byte are the engine's own; see TestReservedKeys for them.
func TestPartitionerAgreesWithPartitionOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "key")
		n := rapid.Int32Range(1, 100).Draw(t, "partitions")
		r := &kgo.Record{Key: key, Partition: rapid.Int32Range(0, n-1).Draw(t, "named")}
		if got := engine.Partitioner().ForTopic("any").Partition(r, int(n)); got !=
			int(engine.PartitionOf(string(key), n)) {
			t.Errorf("producer puts %x into %d of %d", key, got, n)
		}
	})
}

// TestPartitionerKeepsNamedPartitions: clock records, and all of the changelog, belong where they
// are sent.
func TestPartitionerKeepsNamedPartitions(t *testing.T) {
	partitioner := engine.Partitioner("changelog")
	for topic, key := range map[string][]byte{"any": nil, "changelog": []byte("\x00progress")} {
		place := partitioner.ForTopic(topic)
		for p := range int32(4) {
			if got := place.Partition(&kgo.Record{Key: key, Partition: p}, 4); got != int(p) {
				t.Errorf("record with key %q for partition %d goes to %d", key, p, got)
			}
		}
	}
}

// TestHasherThroughGoka computes a partition as goka does (partition_processor.go, emitter.go and
// view.go): the sum as a signed number, modulo, negated where negative.
func TestHasherThroughGoka(t *testing.T) {
	h := engine.NewHasher()
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
		if want := engine.PartitionOf(key, n); got != want {
			t.Errorf("goka puts %q into %d of %d, Kafka into %d", key, got, n, want)
		}
	})
}
