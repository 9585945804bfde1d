package engine_test

import (
	"fmt"
	"strconv"

	"chargestream/internal/engine"
)

// wordCount is the smallest processor with state: it counts how often each key came, and tells
// every count. A count is no semilattice: a record that is folded twice shows.
func wordCount() *engine.Processor {
	return &engine.Processor{
		Group:   "wordcount",
		Inputs:  []string{"words"},
		Outputs: []string{"counts"},
		Fold: func(ctx engine.Context, _ *engine.Message) error {
			row, err := ctx.Row()
			if err != nil {
				return err
			}
			n := 0
			if row != nil {
				if n, err = strconv.Atoi(string(row)); err != nil {
					return err
				}
			}
			count := strconv.AppendInt(nil, int64(n+1), 10)
			ctx.SetRow(count)
			ctx.Emit("counts", ctx.Key(), count)
			return nil
		},
	}
}

// A processor is declared by what it reads, writes and does with one record. Run runs it on Kafka;
// a Driver runs it in memory, which is what its tests need.
func Example_wordCount() {
	driver, err := engine.NewDriver(4, wordCount())
	if err != nil {
		fmt.Println(err)
		return
	}
	driver.OnRecord = func(topic, key string, value []byte, _ []engine.Header) {
		fmt.Printf("%s: %s = %s\n", topic, key, value)
	}
	for _, word := range []string{"to", "be", "or", "not", "to", "be"} {
		m := engine.Message{Topic: "words", Partition: engine.PartitionOf(word, 4), Key: word,
			HasKey: true}
		if err := driver.Feed(m); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// counts: to = 1
	// counts: be = 1
	// counts: or = 1
	// counts: not = 1
	// counts: to = 2
	// counts: be = 2
}
