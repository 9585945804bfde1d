package engine

import (
	"hash"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine/task"
)

// The words of package task, which declares what a processor is.
type (
	// Processor declares one consumer group: inputs, tables, lookups, outputs and the fold.
	Processor = task.Processor
	// Table declares a table of rows of type R, with its timers and what is derived of its rows.
	Table[R any] = task.Table[R]
	// Declared is a *Table of any type.
	Declared = task.Declared
	// Output declares a topic that is emitted to.
	Output = task.Output
	// Context is what a fold works with.
	Context = task.Context
	// Message is one input record.
	Message = task.Message
	// Header is one header of a record.
	Header = task.Header
	// Driver runs processors in memory, without a broker.
	Driver = task.Driver
	// Row is a row as it is committed.
	Row = task.Row
	// Topology is what a set of processors reads, keeps and writes, to be printed.
	Topology = task.Topology
)

// The names of package task that users of the engine need.
const (
	HeaderArrival = task.HeaderArrival
	FireDelay     = task.FireDelay
)

// ErrDeclaration is wrapped by errors of a Processor that cannot work as declared.
var ErrDeclaration = task.ErrDeclaration

// NewDriver makes a driver of processors over topics of that many partitions.
func NewDriver(partitions int32, procs ...*Processor) (*Driver, error) {
	return task.NewDriver(partitions, procs...)
}

// Describe makes the topology of processors.
func Describe(procs ...*Processor) Topology { return task.Describe(procs...) }

// HeadersOf are the headers of a record; nil for none.
func HeadersOf(r *kgo.Record) []Header {
	var headers []Header
	for _, h := range r.Headers {
		headers = append(headers, Header{Key: h.Key, Value: h.Value})
	}
	return headers
}

// ArrivalOf is the arrival time of a record in ms.
func ArrivalOf(
	headers []Header,
	timestamp int64,
) int64 {
	return task.ArrivalOf(headers, timestamp)
}

// Reserved reports whether a key of a table's topic is the engine's own and not a row.
func Reserved(key string) bool { return task.Reserved(key) }

// PartitionOf is the partition of a key by Kafka's default partitioner.
func PartitionOf(key string, partitions int32) int32 { return task.PartitionOf(key, partitions) }

// EscapeKey is a key of an input as the beginning of a row's key.
func EscapeKey(key string) string { return task.EscapeKey(key) }

// UnescapeKey undoes EscapeKey.
func UnescapeKey(prefix string) string { return task.UnescapeKey(prefix) }

// Murmur2 is the hash of Kafka's default partitioner.
func Murmur2(key []byte) uint32 { return task.Murmur2(key) }

// NewHasher is the hash function that emitters, processors and views must all be given.
func NewHasher() hash.Hash32 { return task.NewHasher() }

// Partitioner places records by Kafka's default, except those that name their partition: records
// of the topics that are named here, which are written by the owner of the partition, and those
// with a nil key, as a clock record has.
func Partitioner(owned ...string) kgo.Partitioner {
	return kgo.BasicConsistentPartitioner(func(topic string) func(*kgo.Record, int) int {
		named := slices.Contains(owned, topic)
		return func(r *kgo.Record, n int) int {
			if named || r.Key == nil {
				return int(r.Partition) % n
			}
			return int(task.Murmur2(r.Key)&0x7fffffff) % n
		}
	})
}
