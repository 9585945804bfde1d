//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
)

// results takes what is measured: tables to be read, and raw numbers as JSON lines.
type results struct {
	out   io.Writer
	raw   *json.Encoder
	file  *os.File
	wrong error // what came out wrong
}

// openResults opens the file of raw numbers anew; without a name there is none.
func openResults(out io.Writer, name string) (*results, error) {
	r := &results{out: out, raw: json.NewEncoder(io.Discard)}
	if name == "" {
		return r, nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, fmt.Errorf("make folder of results: %w", err)
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("open results: %w", err)
	}
	r.file, r.raw = f, json.NewEncoder(f)
	return r, nil
}

func (r *results) close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// line writes one raw result of a part.
func (r *results) line(part string, v any) error {
	return r.raw.Encode(map[string]any{"part": part, "result": v})
}

// fail notes a wrong result; the run goes on.
func (r *results) fail(part, name, format string, args ...any) {
	err := fmt.Errorf("%s, %s: %w", part, name, fmt.Errorf(format, args...))
	r.wrong = errors.Join(r.wrong, err)
	fmt.Fprintln(r.out, "WRONG:", err)
}

// title begins a part.
func (r *results) title(format string, args ...any) {
	fmt.Fprintf(r.out, "\n== "+format+"\n", args...)
}

// say writes a line for the reader only.
func (r *results) say(format string, args ...any) { fmt.Fprintf(r.out, format+"\n", args...) }

// table writes rows below a head, in columns.
func (r *results) table(head []string, rows [][]string) error {
	w := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, cells := range append([][]string{head}, rows...) {
		fmt.Fprintln(w, strings.Join(cells, "\t")+"\t")
	}
	return w.Flush()
}

// seconds shows a duration with thousandths of a second.
func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

// perRecord is CPU time in microseconds per record.
func perRecord(d time.Duration, n int64) string {
	return fmt.Sprintf("%.2f", float64(d.Microseconds())/float64(max(n, 1)))
}

// rate is records per second.
func rate(n int64, d time.Duration) string {
	if d <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", float64(n)/d.Seconds())
}
