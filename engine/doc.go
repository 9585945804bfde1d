// Package engine runs stream processors in the manner of Kafka Streams on goka: they fold records
// into the rows of tables, look other tables up, set timers and emit records. Rows, outputs and
// input offsets are committed together, as one Kafka transaction. The engine does not interpret
// records: keys are strings and values are bytes to it.
//
// # Declare
//
// A processor is declared as data. This one counts words:
//
//	counts := &engine.Table[int]{ // its changelog topic is wordcount-table
//		Name: "wordcount",
//		Decode: func(_ string, row []byte) (*int, error) {
//			n, err := strconv.Atoi(string(row))
//			return &n, err
//		},
//		Append: func(buf []byte, n *int) []byte { return strconv.AppendInt(buf, int64(*n), 10) },
//	}
//	wordCount := &engine.Processor{
//		Group:   "wordcount",
//		Inputs:  []string{"words"},
//		Tables:  []engine.Declared{counts},
//		Outputs: []engine.Output{{Topic: "counts"}},
//		Fold: func(ctx *engine.Context, m *engine.Message) error {
//			n, err := counts.Edit(ctx, m.Key)
//			if err != nil {
//				return err
//			}
//			*n++
//			ctx.Emit("counts", m.Key, strconv.AppendInt(nil, int64(*n), 10))
//			return nil
//		},
//	}
//
// Further fields of [Processor] and [Table] declare the rest:
//
//   - Inputs: topics with the same number of partitions. Records of all of them are folded in the
//     order of their arrival times. A record that lies in another partition than its key's is
//     repartitioned.
//   - Tables: several per processor. Table.Flush derives outputs, and rows of later tables, from
//     the rows that a commit changes.
//   - Lookups: compacted topics, and tables of other processors, of which every instance has a
//     copy. Context.Lookup reads them. Sources delays the start until such a copy is complete.
//   - Timers: Table.Due returns the stream time at which Table.Fire is called for a row. Records
//     advance stream time; in idle partitions records of the topic Clock do.
//   - Outputs: the topics that Context.Emit may send to.
//
// [Describe] prints what a set of processors reads, keeps and writes.
//
// # Run
//
// [Run] runs one instance on Kafka until its context ends; start it in several processes, each with
// a name and a state directory of its own, to share the partitions:
//
//	err := engine.Run(ctx, wordCount, engine.Config{Brokers: brokers, StateDir: dir,
//		Instance: "a", Log: log})
//
// Run restarts the processor after errors that a restart cures. It returns a [Stopped], with the
// class of the error and the remedy, after the others. [View] is a copy of a topic or table for
// queries. [Lag] and [Quiet] report whether processors have read everything, [SendClock] advances
// stream time by hand.
//
// A [Driver] runs the same declaration in memory, without a broker, for tests and replays:
//
//	driver, err := engine.NewDriver(4, wordCount)
//	driver.OnRecord = func(topic, key string, value []byte, _ []engine.Header) { ... }
//	err = driver.Feed(engine.Message{Topic: "words", Partition: -1, Key: "be", HasKey: true})
//
// # What goka does, and what the engine does
//
// goka owns the graph, the lookup tables and the views. It is used unmodified: the files goka_*.go
// implement the interfaces by which it accepts another producer, consumer group, table consumer,
// topic manager and storage. Everything else talks to Kafka through franz-go, and adds to goka:
//
//   - the commit (commit.go, changelog.go, commit_offsets.go): one transaction for changelog,
//     outputs and offsets, or at least once in an order in which nothing can be lost
//   - the group (group.go, round.go, balance.go, audit.go, fence.go): a cooperative, static member;
//     goka sees consume rounds in which no partition moves
//   - restore (restore.go, standby.go, progress.go, start_offsets.go): local state that is never
//     ahead of its changelog, standby copies, positions that the table itself records
//   - supervision (run.go, instance.go, identity.go, layout.go, sources.go): attempts, restarts,
//     and state that does not fit the topics or the program
//
// Beneath it are packages that can be read alone:
//
//   - task: the work of one partition, pure; the declarations; the Driver
//   - store: committed rows on disk, written behind the commit
//   - order: the merge of a partition's topics by arrival time, pure
//   - broker: the meaning of every error of a broker, a connection or the disk
//
// # Nouns
//
// In Kafka Streams, and in franz-go's client (kgo), the same things are called:
//
//	engine                 Kafka Streams                       kgo
//	Processor              sub-topology with its group
//	task.Task              StreamTask
//	ownedPartition         StreamTask with its state manager   a cursor for each topic
//	order.Reader, queues   PartitionGroup, RecordQueue         records buffered in a source
//	localCopy, pool        ProcessorStateManager, StandbyTask
//	instance               StreamThread                        Client
//	group, round           TaskManager                         group consumer
//	commit interval        commit interval, StreamsProducer    transaction, flush of the sinks
//	balancer               StreamsPartitionAssignor            GroupBalancer
//	Lookup, View           GlobalKTable
//	Table.Due, Table.Fire  punctuator on STREAM_TIME
//	Driver                 TopologyTestDriver
package engine
