//go:build linux

// Command marks measures the engine on a real Kafka on this machine, side by side with stock goka:
//
//	make marks                          # all parts
//	make marks RUN=fold EVENTS=500000   # one of fold, restore, pause, broker
//
// fold: JSON events folded into rows of 120 bytes, every update in a changelog, nothing emitted.
// restore: from start to the first folded record with an empty disk and a long changelog.
// pause: what a steady flow of outputs shows when an instance joins, leaves, dies and hangs.
// broker: the same when the broker is restarted.
//
// What is measured runs in child processes: this binary, told by an environment variable what to
// be. The load, the reader of the outputs and the clock are in the parent. It is for Linux, as it
// reads CPU time from /proc.
//
// The columns: "events/s" is from the first to the last committed input offset, "with start" from
// the start of the process, "folds/s" from the first to the last fold. CPU time is that of the
// child and of the broker from start to end. "rows/ev" is how many rows were written to the
// changelog for each event: below one, updates of a key were left out that a later one of the same
// unit of work replaced, which is less work than a row of one; with many more KEYS than events in
// a unit of work all are at one. "others" is the share of all cores that neither child nor broker
// nor this program used, "loop ns" the CPU time of a fixed piece of work done beside: compare rows
// where both are alike. "stayed" and "moved" are partitions that kept or changed their owner, with
// the longest time in which no committed output of them could be read; "ping" is that of records
// which no instance touches. "own" figures are those of the engine's metrics, added up over
// partitions.
//
// It refuses to judge a time: the exit code is not zero for wrong results only, as a record that
// is counted twice or not at all. Of its figures, CPU time per event suffers least from what else
// runs on the machine, yet it does suffer where virtual cores share a real one.
package main
