package engine_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"chargestream/engine"
)

// TestPartitionerAgreesWithPartitionOf: what a task believes to be a key's home is where the
// producer puts it. If they differed a record would be repartitioned forever. Keys that
// begin with a zero byte are no others; see TestReservedKeyIsSentToItsPartitionOnce.
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
