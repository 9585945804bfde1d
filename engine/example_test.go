package engine_test

import (
	"fmt"
	"strconv"
	"strings"

	"chargestream/engine"
)

// A processor is declared by what it reads, keeps and writes, and does with one record: here, how
// often each word came. Run runs it on Kafka; a Driver runs it in memory, which is what its tests
// need.
func Example_wordCount() {
	counts := &engine.Table[int]{
		Name: "wordcount",
		Decode: func(_ string, row []byte) (*int, error) {
			n, err := strconv.Atoi(string(row))
			return &n, err
		},
		Append: func(buf []byte, n *int) []byte { return fmt.Append(buf, *n) },
	}
	wordCount := &engine.Processor{
		Group:   "wordcount",
		Inputs:  []string{"words"},
		Tables:  []engine.Declared{counts},
		Outputs: []engine.Output{{Topic: "counts"}},
		Fold: func(ctx *engine.Context, m *engine.Message) error {
			n, err := counts.Edit(ctx, m.Key)
			if err != nil {
				return err
			}
			*n++
			ctx.Emit("counts", m.Key, fmt.Append(nil, *n))
			return nil
		},
	}

	driver, err := engine.NewDriver(4, wordCount)
	if err != nil {
		fmt.Println(err)
		return
	}
	driver.OnRecord = func(topic, key string, value []byte, _ []engine.Header) {
		fmt.Printf("%s: %s = %s\n", topic, key, value)
	}
	for _, word := range strings.Fields("to be or not to be") {
		m := engine.Message{Topic: "words", Partition: -1, Key: word, HasKey: true}
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

// window is a row of the windowed count: what is counted until an end.
type window struct {
	end   int64
	count int
}

// A row that must be looked at later has a due time; stream time, which only records move,
// fires it. So a replay emits the same counts at the same places. Here each window of ten seconds
// has a row of its own, in the partition of the key that its own key begins with, and stays open
// for two more seconds, for what comes late.
func Example_windowedCount() {
	windows := &engine.Table[window]{
		Name: "windows",
		Decode: func(_ string, row []byte) (*window, error) {
			w := &window{}
			_, err := fmt.Sscan(string(row), &w.end, &w.count)
			return w, err
		},
		Append: func(buf []byte, w *window) []byte { return fmt.Append(buf, w.end, w.count) },
		Due:    func(_ string, w *window) int64 { return w.end + 2_000 },
	}
	windows.Fire = func(ctx *engine.Context, key string, w *window, _ int64) error {
		name, _, _ := engine.ParseRowKey(key)
		ctx.Emit("closed", name, fmt.Appendf(nil, "%d until %d", w.count, w.end))
		return windows.Delete(ctx, key)
	}
	windowedCount := &engine.Processor{
		Group:   "windows",
		Inputs:  []string{"clicks"},
		Clock:   "clock",
		Tables:  []engine.Declared{windows},
		Outputs: []engine.Output{{Topic: "closed"}},
		Fold: func(ctx *engine.Context, m *engine.Message) error {
			end := m.Arrival - m.Arrival%10_000 + 10_000
			w, err := windows.Edit(ctx, engine.RowKey(m.Key, fmt.Sprint(end)))
			if err == nil {
				w.end = end
				w.count++
			}
			return err
		},
	}

	driver, err := engine.NewDriver(1, windowedCount)
	if err != nil {
		fmt.Println(err)
		return
	}
	driver.OnRecord = func(topic, key string, value []byte, _ []engine.Header) {
		fmt.Printf("%s: %s %s\n", topic, key, value)
	}
	for _, arrival := range []int64{1_000, 2_000, 9_000, 12_500, 31_000} {
		m := engine.Message{Topic: "clicks", Partition: -1, Key: "door", HasKey: true,
			Value: []byte("open"), Arrival: arrival, Timestamp: arrival}
		if err := driver.Feed(m); err != nil {
			fmt.Println(err)
		}
	}
	// Nothing comes any more: clock records move the time on.
	if err := driver.Tick(60_000); err != nil {
		fmt.Println(err)
	}
	// Output:
	// closed: door 3 until 10000
	// closed: door 1 until 20000
	// closed: door 1 until 40000
}
