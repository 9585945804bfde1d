// Package engine is a layer in the manner of Kafka Streams on goka: processors that fold records
// into the rows of a table, look other tables up, emit records and set timers, declared as data.
//
// It holds what goka lacks for state that money depends on: one unit of work for changelog,
// outputs and input offsets (as a Kafka transaction, or at least once in an order in which
// nothing can be lost), local state that never runs ahead of its changelog, placement by murmur2
// with misplaced records led home, records of several topics in the order of their arrival,
// stream time and timers. It forks nothing of goka: producer, consumer group, storage and table
// consumer are put in by goka's own builders.
//
// It refuses to know what a record means: keys are texts, values are bytes. A fold gets them
// and gives them back.
package engine
