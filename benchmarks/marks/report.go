//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"chargestream/internal/kafkatest"
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

// machine is what the figures were measured on.
type machine struct {
	Time     string
	Cores    int
	CPU      string
	MemoryKB string
	Load     string
	Go       string
	Java     string
	Kafka    string
	Heap     string
	Revision string
}

func thisMachine() machine {
	m := machine{Time: time.Now().UTC().Format(time.RFC3339), Cores: runtime.NumCPU(),
		CPU:      field("/proc/cpuinfo", "model name"),
		MemoryKB: strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB"),
		Go:       runtime.Version(), Kafka: kafkatest.KafkaVersion, Heap: heap}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load = strings.TrimSpace(string(text))
	}
	if text, err := exec.Command("java", "-version").CombinedOutput(); err == nil {
		m.Java, _, _ = strings.Cut(string(text), "\n")
	}
	// The build's own note of its revision is left out where GOFLAGS say so.
	if text, err := exec.Command("git", "describe", "--always", "--dirty").Output(); err == nil {
		m.Revision = strings.TrimSpace(string(text))
	}
	return m
}

// field is the value behind a name in one of the kernel's files.
func field(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		before, after, _ := strings.Cut(line, ":")
		if strings.TrimSpace(before) == name {
			return strings.TrimSpace(after)
		}
	}
	return ""
}

func (m machine) String() string {
	return fmt.Sprintf("%s; %d cores %s, %s kB RAM, load %s\n%s; Kafka %s, heap %s, %s\n"+
		"revision %s", m.Time, m.Cores, m.CPU, m.MemoryKB, m.Load, m.Go, m.Kafka,
		m.Heap, m.Java, m.Revision)
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
