package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/engine"
	"chargestream/processors"
	"chargestream/topics"
)

// Bounds of what is fetched at once, compressed, and of how long a broker may wait for more. A
// fetch that waits for a topic which is read to its end delays those that come after it.
const (
	replayFetchBytes          = 4 << 20
	replayFetchPartitionBytes = 256 << 10
	replayFetchWait           = 100 * time.Millisecond
)

func (a *app) replayCommand() *cobra.Command {
	var verify bool
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Rebuild every table from offset zero, beside the live ones",
		Long: `Rebuild every table from offset zero, in memory, beside the live ones. Records are
read in the order in which they arrived, as "chargestream run" reads them. With --verify each row,
and each invoice that is sent on the way, is compared with the live one byte for byte; the exit
code is 6 where one differs.

The live tables must have caught up: "chargestream run --until-caught-up" makes sure of it. Rows
of records that are kept no longer cannot be rebuilt; the answer tells which topics begin late.`,
		Example: `chargestream replay --verify --brokers localhost:9092
chargestream replay --brokers localhost:9092`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.replay(cmd.Context(), verify) },
	}
	a.kafkaFlags(cmd)
	cmd.Flags().BoolVar(&verify, "verify", false,
		"compare every row and every invoice with the live ones")
	return cmd
}

// replayReport is what replay prints.
type replayReport struct {
	Records         map[string]int64  `json:"records"`
	BeginLate       map[string]int64  `json:"begin_late,omitempty"` // records kept no longer
	Rows            map[string]int    `json:"rows"`
	SHA256          map[string]string `json:"sha256"`
	Documents       int               `json:"documents"`
	DocumentsSHA256 string            `json:"documents_sha256"`
	Verified        bool              `json:"verified"`
	// Compared are the rows that are here or live; those of them that are different differ in
	// more than Restated ones do.
	Compared    int      `json:"compared,omitempty"`
	Differences int      `json:"differences"`
	Different   []string `json:"different,omitempty"`
	// Restated are rows of sessions that differ in the count of rewritten documents alone.
	Restated         int      `json:"restated"`
	RestatedSessions []string `json:"restated_sessions,omitempty"`

	DocumentsCompared   int      `json:"documents_compared,omitempty"`
	DocumentDifferences int      `json:"document_differences"`
	DifferentDocuments  []string `json:"different_documents,omitempty"`
}

// replay is one run of the command.
type replay struct {
	*app
	client     *kgo.Client
	procs      []*engine.Processor
	partitions int32
	limit      int // of what the merge reads ahead, bytes in each partition of a topic
	driver     *engine.Driver
	documents  *sentDocuments // that the driver sent
	report     replayReport
}

func (a *app) replay(ctx context.Context, verify bool) error {
	r, err := a.newReplay(ctx, verify)
	if err != nil {
		return err
	}
	defer r.client.Close()
	if err := r.prepare(ctx); err != nil {
		return err
	}
	if err := r.rebuild(ctx); err != nil {
		return err
	}
	if err := r.compare(ctx); err != nil {
		return err
	}
	if err := a.printJSON(&r.report); err != nil {
		return err
	}
	return r.report.problems()
}

// newReplay connects; the caller closes the client.
func (a *app) newReplay(ctx context.Context, verify bool) (*replay, error) {
	client, err := a.kafkaClient(ctx, kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// The last offset of a partition may be that of a marker; without it the end is not seen.
		kgo.KeepControlRecords(), kgo.FetchMaxWait(replayFetchWait),
		kgo.FetchMaxBytes(replayFetchBytes), kgo.FetchMaxPartitionBytes(replayFetchPartitionBytes))
	if err != nil {
		return nil, err
	}
	return &replay{app: a, client: client, procs: processors.All(nil), limit: mergeBytesMax,
		documents: newSentDocuments(),
		report: replayReport{Records: map[string]int64{}, BeginLate: map[string]int64{},
			Rows: map[string]int{}, SHA256: map[string]string{}, Verified: verify}}, nil
}

// problems is the error of a replay that is not what is live; nil where it is.
func (r *replayReport) problems() error {
	var found []string
	for _, p := range []struct {
		n    int
		what string
	}{{r.Differences, "rows differ from a replay"}, {r.DocumentDifferences, "documents do"},
		{r.Restated, "sessions were restated"}} {
		if p.n > 0 {
			found = append(found, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	if len(found) == 0 {
		return nil
	}
	return &exitError{code: exitProblems, what: strings.Join(found, ", "),
		hint: "they are named above; \"begin_late\" tells of records that are gone"}
}

// prepare makes sure of the topics, and of live tables that have caught up if they are compared
// with, and makes the driver.
func (r *replay) prepare(ctx context.Context) error {
	reference, merged := replayInputs(r.procs)
	names := slices.Concat(reference, merged)
	if r.report.Verified {
		names = append(names, topics.Invoices)
		for _, p := range r.procs {
			names = append(names, p.Table())
		}
	}
	if err := r.needTopics(ctx, r.client, names...); err != nil {
		return err
	}
	if r.report.Verified {
		lag, err := engine.Lag(ctx, r.brokers, r.procs...)
		if err != nil {
			return r.kafkaError("read lag", err)
		}
		if lag > 0 {
			return &exitError{code: exitRuntime,
				what: fmt.Sprintf("the live tables have %d records before them", lag),
				hint: "let them catch up: \"chargestream run --until-caught-up\""}
		}
	}
	details, err := kadm.NewClient(r.client).ListTopics(ctx, topics.StationStatus)
	if err != nil {
		return r.kafkaError("look at topics", err)
	}
	r.partitions = int32(len(details[topics.StationStatus].Partitions))
	if r.driver, err = engine.NewDriver(r.partitions, r.procs...); err != nil {
		return err
	}
	r.driver.OnRecord = func(topic, key string, value []byte, _ []engine.Header) {
		if topic == topics.Invoices {
			r.documents.add(key, value, 0, int64(len(r.documents.keys)))
		}
	}
	return nil
}

// replayInputs are the topics that processors read and no processor writes: those of reference
// data, and the others in the order in which equal arrival times are taken.
func replayInputs(procs []*engine.Processor) (reference, merged []string) {
	for _, p := range procs {
		for _, name := range p.Inputs {
			switch t, _ := topics.Lookup(name); t.Kind {
			case topics.KindReference:
				reference = append(reference, name)
			case topics.KindInput:
				merged = append(merged, name)
			}
		}
		if p.Clock != "" {
			merged = append(merged, p.Clock)
		}
	}
	return reference, merged
}
