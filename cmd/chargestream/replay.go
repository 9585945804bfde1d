package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
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

// differencesTold bounds the rows that replay --verify tells one by one; all are counted.
const differencesTold = 20

// fetchIdle is how long a read that has not reached the end may bring nothing before it fails.
const fetchIdle = 30 * time.Second

func (a *app) replayCommand() *cobra.Command {
	var verify bool
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Rebuild every table from offset zero, beside the live ones",
		Long: `Rebuild every table from offset zero, in memory, beside the live ones. With --verify
each row is compared with the live table byte for byte; the exit code is 6 where one differs.

The live tables must have caught up: "chargestream run --until-caught-up" makes sure of it. Rows
of records that are kept no longer cannot be rebuilt; the answer tells which topics begin late.`,
		Example: `chargestream replay --verify --brokers localhost:9092
chargestream replay --brokers localhost:9092`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.replay(cmd.Context(), verify) },
	}
	a.kafkaFlags(cmd)
	cmd.Flags().BoolVar(&verify, "verify", false, "compare every row with the live tables")
	return cmd
}

// replayReport is what replay prints.
type replayReport struct {
	Records     map[string]int64  `json:"records"`
	BeginLate   map[string]int64  `json:"begin_late,omitempty"` // records that are kept no longer
	Rows        map[string]int    `json:"rows"`
	SHA256      map[string]string `json:"sha256"`
	Verified    bool              `json:"verified"`
	Compared    int               `json:"compared,omitempty"`
	Differences int               `json:"differences"`
	Different   []string          `json:"different,omitempty"`
}

func (a *app) replay(ctx context.Context, verify bool) error {
	client, err := a.kafkaClient(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	procs := processors.All(nil)
	if verify {
		lag, err := engine.Lag(ctx, a.brokers, procs...)
		if err != nil {
			return a.kafkaError("read lag", err)
		}
		if lag > 0 {
			return &exitError{code: exitRuntime,
				what: fmt.Sprintf("the live tables have %d records before them", lag),
				hint: "let them catch up: \"chargestream run --until-caught-up\""}
		}
	}
	report := &replayReport{Records: map[string]int64{}, BeginLate: map[string]int64{},
		Rows: map[string]int{}, SHA256: map[string]string{}, Verified: verify}
	driver, err := a.rebuild(ctx, client, procs, report)
	if err != nil {
		return err
	}
	for _, p := range procs {
		rows := driver.Rows(p.Group)
		report.Rows[p.Group], report.SHA256[p.Group] = len(rows), digest(rows)
		if verify {
			if err := a.verify(ctx, p, rows, report); err != nil {
				return err
			}
		}
	}
	if err := a.printJSON(report); err != nil {
		return err
	}
	if report.Differences > 0 {
		return &exitError{code: exitProblems,
			what: fmt.Sprintf("%d rows differ from a replay", report.Differences),
			hint: "the rows are named above; \"begin_late\" tells of records that are gone"}
	}
	return nil
}

// rebuild feeds everything that is in the topics through the processors: the reference data
// first, then one topic after another, and the clock records last. The order of the events does
// not matter to the rows; that it does not is part of what is verified.
func (a *app) rebuild(ctx context.Context, client *kgo.Client, procs []*engine.Processor,
	report *replayReport) (*engine.Driver, error) {
	names := []string{topics.Stations, topics.Tariffs, topics.ChargingSessions,
		topics.StationStatus, topics.MeterValues, topics.Heartbeats,
		topics.Clock(topics.GroupStations), topics.Clock(topics.GroupHours)}
	if err := a.needTopics(ctx, client, names...); err != nil {
		return nil, err
	}
	details, err := kadm.NewClient(client).ListTopics(ctx, topics.StationStatus)
	if err != nil {
		return nil, a.kafkaError("look at topics", err)
	}
	driver, err := engine.NewDriver(int32(len(details[topics.StationStatus].Partitions)), procs...)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		late, err := a.readTopic(ctx, name, func(r *kgo.Record) error {
			report.Records[name]++
			return driver.Feed(messageOf(r))
		})
		if err != nil {
			return nil, err
		}
		if late > 0 && !strings.HasSuffix(name, topics.ClockSuffix) {
			report.BeginLate[name] = late
		}
	}
	return driver, nil
}

func messageOf(r *kgo.Record) engine.Message {
	m := engine.Message{
		Topic:     r.Topic,
		Partition: r.Partition,
		Offset:    r.Offset,
		Key:       string(r.Key),
		HasKey:    len(r.Key) > 0,
		Value:     r.Value,
		Timestamp: r.Timestamp.UnixMilli(),
	}
	for _, h := range r.Headers {
		m.Headers = append(m.Headers, engine.Header{Key: h.Key, Value: h.Value})
	}
	m.Arrival = engine.ArrivalOf(m.Headers, m.Timestamp)
	return m
}

// readTopic calls f with every committed record of a topic, up to its end now, and tells how
// many records lie before the first that is kept.
func (a *app) readTopic(
	ctx context.Context,
	topic string,
	f func(*kgo.Record) error,
) (int64, error) {
	client, err := a.kafkaClient(ctx, kgo.KeepControlRecords(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return 0, a.kafkaError("read offsets of "+topic, err)
	}
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return 0, a.kafkaError("read offsets of "+topic, err)
	}
	left, from, late := map[int32]int64{}, map[int32]kgo.Offset{}, int64(0)
	ends.Each(func(end kadm.ListedOffset) {
		start, _ := starts.Lookup(topic, end.Partition)
		late += start.Offset
		if end.Offset > start.Offset {
			left[end.Partition], from[end.Partition] = end.Offset, kgo.NewOffset().At(start.Offset)
		}
	})
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: from})
	for len(left) > 0 {
		poll, cancel := context.WithTimeout(ctx, fetchIdle)
		fetches := client.PollFetches(poll)
		cancel()
		if err := fetches.Err0(); err != nil {
			return 0, a.kafkaError("read "+topic, err)
		}
		if err := feedFetches(fetches, left, f); err != nil {
			return 0, err
		}
	}
	return late, nil
}

func feedFetches(fetches kgo.Fetches, left map[int32]int64, f func(*kgo.Record) error) error {
	for it := fetches.RecordIter(); !it.Done(); {
		r := it.Next()
		end, reading := left[r.Partition]
		if !reading || r.Offset >= end {
			continue
		}
		if !r.Attrs.IsControl() {
			if err := f(r); err != nil {
				return err
			}
		}
		if r.Offset >= end-1 {
			delete(left, r.Partition)
		}
	}
	return nil
}

// verify compares the rows of a group with its live table.
func (a *app) verify(ctx context.Context, p *engine.Processor, rows map[string][]byte,
	report *replayReport) error {
	live := map[string][]byte{}
	_, err := a.readTopic(ctx, p.Table(), func(r *kgo.Record) error {
		if len(r.Value) == 0 {
			delete(live, string(r.Key))
		} else if !engine.Reserved(string(r.Key)) {
			live[string(r.Key)] = r.Value
		}
		return nil
	})
	if err != nil {
		return err
	}
	keys := maps.Clone(rows)
	maps.Copy(keys, live)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		report.Compared++
		if bytes.Equal(rows[key], live[key]) {
			continue
		}
		report.Differences++
		if len(report.Different) < differencesTold {
			report.Different = append(report.Different, fmt.Sprintf("%s %q: replayed %x, live %x",
				p.Group, key, rows[key], live[key]))
		}
	}
	return nil
}

// digest is a hash of all rows in the order of their keys.
func digest(rows map[string][]byte) string {
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(rows)) {
		fmt.Fprintf(h, "%q %x\n", key, rows[key])
	}
	return hex.EncodeToString(h.Sum(nil))
}
