package engine_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"chargestream/internal/engine"
)

// windowSize is the width of a window of windowedCount, grace how long it stays open, in ms.
const (
	windowSize = 10_000
	grace      = 2_000
)

// windowedCount counts the records of a key by the window of their arrival, and tells a window's
// count once, when it is over. Its row is "start=count" for each open window, in order.
func windowedCount() *engine.Processor {
	return &engine.Processor{
		Group:   "windows",
		Inputs:  []string{"clicks"},
		Clock:   "clock",
		Outputs: []string{"closed"},
		Fold: func(ctx engine.Context, m *engine.Message) error {
			if string(m.Value) == "clear" {
				ctx.SetRow(nil)
				return nil
			}
			row, err := ctx.Row()
			if err != nil {
				return err
			}
			windows, err := parseWindows(row)
			if err != nil {
				return err
			}
			windows[m.Arrival-m.Arrival%windowSize]++
			ctx.SetRow(formatWindows(windows))
			return nil
		},
		Due: func(_ string, row []byte) (int64, error) {
			windows, err := parseWindows(row)
			if err != nil || len(windows) == 0 {
				return 0, err
			}
			return earliest(windows) + windowSize + grace, nil
		},
		Fire: func(ctx engine.Context, now int64) error {
			row, err := ctx.Row()
			if err != nil {
				return err
			}
			windows, err := parseWindows(row)
			if err != nil {
				return err
			}
			if len(windows) == 0 || earliest(windows)+windowSize+grace > now {
				return fmt.Errorf("%q is fired at %d with nothing due", ctx.Key(), now)
			}
			for len(windows) > 0 && earliest(windows)+windowSize+grace <= now {
				start := earliest(windows)
				ctx.Emit("closed", ctx.Key(), fmt.Appendf(nil, "%d=%d", start, windows[start]))
				delete(windows, start)
			}
			ctx.SetRow(formatWindows(windows))
			return nil
		},
	}
}

func parseWindows(row []byte) (map[int64]int, error) {
	windows := map[int64]int{}
	for _, field := range strings.Fields(string(row)) {
		start, count, _ := strings.Cut(field, "=")
		s, err := strconv.ParseInt(start, 10, 64)
		if err != nil {
			return nil, err
		}
		if windows[s], err = strconv.Atoi(count); err != nil {
			return nil, err
		}
	}
	return windows, nil
}

func formatWindows(windows map[int64]int) []byte {
	if len(windows) == 0 {
		return nil
	}
	var fields []string
	for start, count := range windows {
		fields = append(fields, fmt.Sprintf("%08d=%d", start, count))
	}
	slices.Sort(fields)
	return []byte(strings.Join(fields, " "))
}

func earliest(windows map[int64]int) int64 {
	first := int64(-1)
	for start := range windows {
		if first < 0 || start < first {
			first = start
		}
	}
	return first
}

// A row that must be looked at later says when it is due; stream time, which only records move,
// fires it. So a replay tells the same counts at the same places.
func Example_windowedCount() {
	driver, err := engine.NewDriver(1, windowedCount())
	if err != nil {
		fmt.Println(err)
		return
	}
	driver.OnRecord = func(topic, key string, value []byte, _ []engine.Header) {
		fmt.Printf("%s: %s %s\n", topic, key, value)
	}
	for _, arrival := range []int64{1_000, 2_000, 9_000, 12_500, 31_000} {
		m := engine.Message{Topic: "clicks", Key: "door", HasKey: true, Value: []byte("open"),
			Arrival: arrival, Timestamp: arrival}
		if err := driver.Feed(m); err != nil {
			fmt.Println(err)
		}
	}
	// Nothing comes any more: clock records move the time on.
	if err := driver.Tick(60_000); err != nil {
		fmt.Println(err)
	}
	// Output:
	// closed: door 0=3
	// closed: door 10000=1
	// closed: door 30000=1
}
