// Package replay rebuilds every table from offset zero, in memory, beside the live ones, and
// compares both.
//
// Records are read in the order in which they arrived, as the processors read them (Run). It
// refuses to know flags, exit codes and how a report is printed: package cmd does.
package replay

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/internal/kafkaread"
	"chargestream/processors"
	"chargestream/topics"
)

// Bounds of what is fetched at once, compressed, and of how long a broker may wait for more. A
// fetch that waits for a topic which is read to its end delays those that come after it.
const (
	fetchBytes          = 4 << 20
	fetchPartitionBytes = 256 << 10
	fetchWait           = 100 * time.Millisecond
)

// commitEvery is how many records are folded between two commits: rows do not depend on where
// commits lie, and are encoded once in each.
const commitEvery = 10_000

// Options are those that the client of a replay needs.
func Options() []kgo.Opt {
	return append(kafkaread.Options(), kgo.FetchMaxWait(fetchWait),
		kgo.FetchMaxBytes(fetchBytes), kgo.FetchMaxPartitionBytes(fetchPartitionBytes))
}

// Config is what a replay reads, and what it does.
type Config struct {
	Client  *kgo.Client // made with Options
	Brokers []string
	// Timeout is how long Kafka may take to answer.
	Timeout time.Duration
	// Verify compares every row and every invoice with the live ones.
	Verify bool
}

// BehindError: the live tables have not read all of the inputs, so nothing can be compared.
type BehindError struct{ Records int64 }

// Error implements error.
func (e *BehindError) Error() string {
	return fmt.Sprintf("the live tables have %d records before them", e.Records)
}

// PartitionsError: a topic has another number of partitions than station-status.
type PartitionsError struct {
	Topic            string
	Partitions, Want int
}

// Error implements error.
func (e *PartitionsError) Error() string {
	return fmt.Sprintf("topic %s has %d partitions, not %d as %s", e.Topic, e.Partitions, e.Want,
		topics.StationStatus)
}

// Report is what a replay found.
type Report struct {
	Records         map[string]int64  `json:"records"`
	BeginLate       map[string]int64  `json:"begin_late,omitempty"` // records kept no longer
	Rows            map[string]int    `json:"rows"`                 // by table
	SHA256          map[string]string `json:"sha256"`
	Documents       int               `json:"documents"`
	DocumentsSHA256 string            `json:"documents_sha256"`
	Verified        bool              `json:"verified"`
	// Compared are the rows that the replay or the live tables have. Differences count those that
	// differ and must not.
	Compared    int      `json:"compared,omitempty"`
	Differences int      `json:"differences"`
	Different   []string `json:"different,omitempty"`

	DocumentsCompared   int      `json:"documents_compared,omitempty"`
	DocumentDifferences int      `json:"document_differences"`
	DifferentDocuments  []string `json:"different_documents,omitempty"`

	// Excused counts the rows and documents that differ and may, with the reason in words.
	Excused            map[Excuse]int    `json:"excused,omitempty"`
	ExcusedWhy         map[Excuse]string `json:"excused_why,omitempty"`
	ExcusedDifferences []string          `json:"excused_differences,omitempty"`
	// TablesCut are changelogs that lack rows and do not begin at offset 0, with where they begin,
	// added up over their partitions: records were removed that compaction would have kept.
	TablesCut map[string]int64 `json:"tables_cut,omitempty"`
	Verdict   Verdict          `json:"verdict,omitempty"`
}

// Topics are those that a replay reads.
func Topics(verify bool) []string {
	procs := processors.All(nil)
	first, merged := inputs(procs)
	names := slices.Concat(first, merged)
	if verify {
		names = append(names, topics.Invoices)
		for _, p := range procs {
			names = append(names, p.TableTopics()...)
		}
	}
	return names
}

// Run replays all that the topics of the register have.
func Run(ctx context.Context, c Config) (*Report, error) {
	r, err := begin(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := r.rebuild(ctx); err != nil {
		return nil, err
	}
	if err := r.compare(ctx); err != nil {
		return nil, err
	}
	return &r.report, nil
}

// run is one replay.
type run struct {
	reader     *kafkaread.Reader
	procs      []*engine.Processor
	partitions int32
	limit      int // of what the merge reads ahead, bytes in each partition of a topic
	driver     *engine.Driver
	documents  *sentDocuments // that the driver sent
	now        []int64        // by partition, the latest arrival of a record
	cut        cuts
	report     Report
}

// begin looks at the live tables if they are compared with, and makes the driver.
func begin(ctx context.Context, c Config) (*run, error) {
	r := &run{reader: &kafkaread.Reader{Client: c.Client, Timeout: c.Timeout},
		procs: processors.All(nil), limit: mergeBytesMax, documents: newSentDocuments(),
		cut: cuts{}, report: Report{Records: map[string]int64{}, BeginLate: map[string]int64{},
			Rows: map[string]int{}, SHA256: map[string]string{}, Verified: c.Verify}}
	if c.Verify {
		lag, err := engine.Lag(ctx, c.Brokers, r.procs...)
		if err != nil {
			return nil, &kafkaread.Error{What: "read lag", Err: err}
		}
		if lag > 0 {
			return nil, &BehindError{lag}
		}
	}
	details, err := kadm.NewClient(c.Client).ListTopics(ctx, topics.StationStatus)
	if err == nil {
		err = details[topics.StationStatus].Err
	}
	if err != nil {
		return nil, &kafkaread.Error{What: "look at topics", Err: err}
	}
	return r, r.drive(int32(len(details[topics.StationStatus].Partitions)))
}

// drive makes the driver.
func (r *run) drive(partitions int32) error {
	driver, err := engine.NewDriver(partitions, r.procs...)
	if err != nil {
		return err
	}
	r.partitions, r.driver, r.now = partitions, driver, make([]int64, partitions)
	driver.CommitEvery = commitEvery
	driver.OnRecord = func(topic, key string, value []byte, _ []engine.Header) {
		if topic == topics.Invoices {
			r.documents.add(key, value, 0, int64(len(r.documents.keys)))
		}
	}
	return nil
}

// inputs are the topics that processors read: first those of tables that other processors look
// up, then the others, which are merged, in the order in which equal arrival times are taken.
func inputs(procs []*engine.Processor) (first, merged []string) {
	var lookups []string
	for _, p := range procs {
		lookups = append(lookups, p.Lookups...)
	}
	for _, p := range procs {
		if slices.ContainsFunc(p.TableTopics(), func(table string) bool {
			return slices.Contains(lookups, table)
		}) {
			first = append(first, p.Topics()...)
		} else {
			merged = append(merged, p.Topics()...)
		}
	}
	return first, merged
}
