//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"chargestream/benchmarks/internal/harness"
)

// lineBytesMax bounds a line of raw results: it has the sizes of every topic.
const lineBytesMax = 1 << 20

// Line is one line of raw results: one of its fields is set.
type Line struct {
	Machine *harness.Machine `json:"machine,omitempty"`
	Run     *Run             `json:"run,omitempty"`
	Latency *Latency         `json:"latency,omitempty"`
	Outage  *Outage          `json:"outage,omitempty"`
	Rows    *RestoredRows    `json:"rows,omitempty"`
}

// Run is what one program gave under one load. Durations are in nanoseconds.
type Run struct {
	Load       string
	Peer       string
	Repetition int
	Partitions int32
	Stations   int
	Samples    int
	Totals     Totals
	Flags      []string `json:",omitempty"` // how the program was started

	Took   time.Duration // from the start of the process to its end
	Steady float64       // events/s from the first commit to the last; zero where there is one
	CPU    time.Duration // of the process, user and system
	// EventCPU is CPU without what was used until the first events were committed: the start and
	// the reference data. EventsAfter is how many events were committed later.
	EventCPU    time.Duration
	EventsAfter int64
	BrokerCPU   time.Duration
	PeakRSS     int64 // bytes
	Disk        int64 // bytes of the state directory at the end
	Input       int64 // bytes that the events take in the logs of the broker
	// Sent is by how many bytes the topics grew, by name; what is committed and which transactions
	// there were is in topics as well.
	Sent    map[string]int64
	Restore *Restore `json:",omitempty"`
	Report  string   // the last line that the program printed
	Found   Found    // what is in its outputs
	Wrong   []string `json:",omitempty"`
	Others  float64
	Loop    time.Duration
}

// eventCPU is microseconds of CPU time for each event, without start and reference data.
func (r *Run) eventCPU() float64 {
	return float64(r.EventCPU.Microseconds()) / float64(max(r.EventsAfter, 1))
}

// Restore is a start with an empty state directory: until the program reads its inputs again.
type Restore struct {
	Ready   time.Duration // since the start of the process
	CPU     time.Duration // of the process by then
	PeakRSS int64         // bytes
	Rows    int64         // records of its tables; zero where they are not known
	Bytes   int64         // of them in the logs of the broker
}

// Found is what the invoices of a program add up to.
type Found struct {
	Invoices int64
	Held     int64 // of them, those that a person has to look at
	EnergyWh int64
}

// Latency is what a steady load gave. Times are in microseconds, from the moment at which an event
// was due to arrive until a view showed it.
type Latency struct {
	Rate       int // events a second that were due
	Seconds    float64
	Partitions int32
	Stations   int
	Count      int64 // events that were measured
	Unseen     int64 // of them, those that no view had shown when the wait for them ended
	P50        int64
	P90        int64
	P99        int64
	P999       int64
	Max        int64
	Mean       float64
	// BehindMax is the most that the sender was behind its schedule; it is part of the latency.
	BehindMax int64
	// For each event: microseconds of CPU time of program and broker, and by how many bytes the
	// input and all other topics grew.
	CPU       float64
	BrokerCPU float64
	Input     float64
	Sent      float64
	PeakRSS   int64 // bytes, so far
	Others    float64
	Loop      time.Duration
}

// Outage is what arrived while the program did not run, and how long it took to catch up with what
// arrived meanwhile. Durations are in nanoseconds.
type Outage struct {
	Rate       int           // events a second, before, during and after
	Span       time.Duration // how long it did not run
	Backlog    int64         // events that waited when it was started
	Stations   int
	Partitions int32
	Restored   time.Duration // from the start of the process until it read its inputs
	CaughtUp   time.Duration // from the start of the process until less than a second was behind
	Folded     int64         // events by then
	CPU        time.Duration // of the process by then
	BrokerCPU  time.Duration
	PeakRSS    int64 // bytes
	Others     float64
	Loop       time.Duration
	Wrong      []string `json:",omitempty"`
}

// RestoredRows is the restore of one table, as the program marks measures it.
type RestoredRows struct {
	Name      string
	Keys      string
	Rows      int64
	Ready     time.Duration // from the start of the process until the table is there
	ReadyCPU  time.Duration
	BrokerCPU time.Duration
	RSSMax    int64 // bytes
	Others    float64
	Loop      time.Duration
	Right     bool
}

// sent is by how many bytes all topics grew.
func (r *Run) sent() int64 {
	var sum int64
	for _, bytes := range r.Sent {
		sum += bytes
	}
	return sum
}

// keep adds a result to those of this run, and to the file of raw results, which is made if there
// is none.
func (b *bench) keep(line Line) (err error) {
	b.lines = append(b.lines, line)
	if b.results == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(b.results), 0o755); err != nil {
		return fmt.Errorf("make folder of results: %w", err)
	}
	f, err := os.OpenFile(b.results, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open results: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := json.NewEncoder(f).Encode(line); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return nil
}

// readLines reads a file of raw results.
func readLines(name string) ([]Line, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open results: %w", err)
	}
	defer f.Close()
	var lines []Line
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, lineBytesMax)
	for scanner.Scan() {
		var line Line
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, len(lines)+1, err)
		}
		lines = append(lines, line)
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	return lines, nil
}
