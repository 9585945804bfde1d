package task_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"chargestream/engine/task"
)

// windowSize is the width of a window of windowedCount, grace how long it stays open, in ms.
const (
	windowSize = 10_000
	grace      = 2_000
)

// windows is a row of windowedCount: the count of each window that is open, by its start.
type windows struct{ counts map[int64]int }

func (w *windows) earliest() int64 {
	first := int64(-1)
	for start := range w.counts {
		if first < 0 || start < first {
			first = start
		}
	}
	return first
}

// due is when the first window closes; zero where none is open.
func (w *windows) due() int64 {
	if len(w.counts) == 0 {
		return 0
	}
	return w.earliest() + windowSize + grace
}

func (w *windows) add(arrival int64) {
	if w.counts == nil {
		w.counts = map[int64]int{}
	}
	w.counts[arrival-arrival%windowSize]++
}

// decodeWindows reads "start=count" for each window, in order.
func decodeWindows(_ string, row []byte) (*windows, error) {
	w := &windows{counts: map[int64]int{}}
	for _, field := range strings.Fields(string(row)) {
		start, count, _ := strings.Cut(field, "=")
		s, err := strconv.ParseInt(start, 10, 64)
		if err != nil {
			return nil, err
		}
		if w.counts[s], err = strconv.Atoi(count); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func appendWindows(buf []byte, w *windows) []byte {
	var fields []string
	for start, count := range w.counts {
		fields = append(fields, fmt.Sprintf("%08d=%d", start, count))
	}
	slices.Sort(fields)
	return append(buf, strings.Join(fields, " ")...)
}

// windowsTable emits a window's count once, when it is over.
func windowsTable() *task.Table[windows] {
	t := &task.Table[windows]{Name: "windows", Decode: decodeWindows, Append: appendWindows,
		Due: func(_ string, w *windows) int64 { return w.due() }}
	t.Fire = func(ctx *task.Context, key string, w *windows, now int64) error {
		if due := w.due(); due == 0 || due > now {
			return fmt.Errorf("%q is fired at %d with nothing due", key, now)
		}
		for due := w.due(); due != 0 && due <= now; due = w.due() {
			start := w.earliest()
			ctx.Emit("closed", key, fmt.Appendf(nil, "%d=%d", start, w.counts[start]))
			delete(w.counts, start)
		}
		if len(w.counts) == 0 {
			return t.Delete(ctx, key)
		}
		return nil
	}
	return t
}

// windowedCount counts the records of a key by the window of their arrival.
func windowedCount() *task.Processor { return windowedCountOf(windowsTable()) }

func windowedCountOf(table *task.Table[windows]) *task.Processor {
	return &task.Processor{
		Group:   "windows",
		Inputs:  []string{"clicks"},
		Clock:   "clock",
		Tables:  []task.Declared{table},
		Outputs: []task.Output{{Topic: "closed"}},
		Fold: func(ctx *task.Context, m *task.Message) error {
			switch string(m.Value) {
			case "clear":
				return table.Delete(ctx, m.Key)
			case "late": // a window that was over long before
				w, err := table.Edit(ctx, m.Key)
				if err == nil {
					w.counts = map[int64]int{0: 7}
				}
				return err
			}
			w, err := table.Edit(ctx, m.Key)
			if err == nil {
				w.add(m.Arrival)
			}
			return err
		},
	}
}
