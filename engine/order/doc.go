// Package order merges the input topics of one partition into a single sequence, in the order of
// the records' arrival times. A [Reader] has a queue for each topic. The engine feeds it what the
// client fetched, and takes batches from it:
//
//	r := order.NewReader([]string{"words", "clock"})
//	r.Start("words", next, end) // for every topic
//	r.Feed("words", records, lastStableOffset)
//	batch, wait, resume := r.Take(nil, time.Now())
//
// The package reads no clock, starts no goroutine and calls no broker: it knows only the types of
// the records.
//
// A Reader is what Kafka Streams calls a PartitionGroup of RecordQueues, with idleMax in the place
// of max.task.idle.ms. In kgo the queues correspond to cursors, which keep the position of a
// partition but do not merge.
package order
