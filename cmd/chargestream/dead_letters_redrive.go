package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/topics"
)

// redriveGroup is the consumer group whose offsets say how far letters were driven again. A
// reason has a group of its own: its name follows behind a dash.
const redriveGroup = "chargestream-redrive"

// redriveFlags are the flags of redrive.
type redriveFlags struct {
	reason string
	dryRun bool
	yes    bool
	again  bool
}

// redriveAnswer is what redrive prints.
type redriveAnswer struct {
	DryRun   bool           `json:"dry_run,omitempty"`
	Redriven map[string]int `json:"redriven"` // by topic; in a dry run what would be
	// Left are letters that name no topic to which they could be driven, and those of which only
	// a part was kept, by the topic they name.
	Left map[string]int `json:"left,omitempty"`
}

func (a *app) redriveCommand() *cobra.Command {
	var f redriveFlags
	cmd := &cobra.Command{
		Use:   "redrive",
		Short: "Produce dead letters to the topics that they came from, once more",
		Long: "Produce dead letters to the topics that they came from, with the arrival time " +
			"that they had. What was driven again is remembered in the consumer group " +
			redriveGroup + ", for each --reason apart, so that the next run goes on behind it. " +
			"A letter that cannot be folded this time either becomes a new dead letter.",
		Example: `chargestream dead-letters redrive --brokers localhost:9092 --dry-run
chargestream dead-letters redrive --brokers localhost:9092 --reason malformed --yes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !f.yes && !f.dryRun {
				return usageError("redrive writes to the topics that processors read",
					"see what it would do with --dry-run, then give --yes")
			}
			return a.redrive(cmd.Context(), &f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.reason, "reason", "", "only those with this `reason`, such as late")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print what would be produced")
	flags.BoolVar(&f.yes, "yes", false, "do it; needed without --dry-run")
	flags.BoolVar(&f.again, "again", false, "begin with the oldest letter, also with those that "+
		"were driven again before")
	return cmd
}

func (f *redriveFlags) group() string {
	if f.reason == "" {
		return redriveGroup
	}
	return redriveGroup + "-" + f.reason
}

func (a *app) redrive(ctx context.Context, f *redriveFlags) error {
	client, err := a.lettersClient(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	from, err := a.redriveOffsets(ctx, client, f)
	if err != nil {
		return err
	}
	p := newProducer(ctx, client, nil)
	answer := redriveAnswer{DryRun: f.dryRun, Redriven: map[string]int{}, Left: map[string]int{}}
	end, err := a.eachLetter(ctx, client, from, func(r *kgo.Record) error {
		if f.reason != "" && headerOf(r, topics.HeaderReason) != f.reason {
			return nil
		}
		source := headerOf(r, topics.HeaderSourceTopic)
		switch {
		case !takesLetters(source), headerOf(r, topics.HeaderSourceBytes) != "":
			answer.Left[preview(source)]++
		case f.dryRun:
			answer.Redriven[source]++
		default:
			p.send(redriven(r, source))
			return context.Cause(p.ctx)
		}
		return nil
	})
	if err == nil {
		err = p.flush()
	}
	acknowledged := p.close()
	if err != nil {
		return a.kafkaError("redrive", err)
	}
	if !f.dryRun {
		answer.Redriven = acknowledged
		if err := a.commitRedrive(ctx, client, f, end); err != nil {
			return err
		}
	}
	return a.printJSON(answer)
}

// takesLetters tells whether a letter may be driven to a topic: what an outsider wrote into a
// header must not choose any topic of the cluster.
func takesLetters(name string) bool {
	t, ok := topics.Lookup(name)
	return ok && slices.Contains([]topics.Kind{topics.KindInput, topics.KindReference,
		topics.KindInternal}, t.Kind)
}

// redriven is a letter as the record that it was, with one more on its count. Without an
// arrival time it arrived when its source record was written.
func redriven(r *kgo.Record, source string) *kgo.Record {
	again := &kgo.Record{Topic: source, Key: r.Key, Value: r.Value}
	own := []string{topics.HeaderReason, topics.HeaderError, topics.HeaderSourceTopic,
		topics.HeaderSourcePartition, topics.HeaderSourceOffset, topics.HeaderSourceTime,
		topics.HeaderRedriven}
	for _, h := range r.Headers {
		if !slices.Contains(own, h.Key) {
			again.Headers = append(again.Headers, h)
		}
	}
	arrived := headerOf(r, topics.HeaderSourceTime)
	if _, err := time.Parse(time.RFC3339Nano, arrived); err == nil &&
		headerOf(r, topics.HeaderArrival) == "" {
		again.Headers = append(again.Headers, kgo.RecordHeader{Key: topics.HeaderArrival,
			Value: []byte(arrived)})
	}
	times, err := strconv.Atoi(headerOf(r, topics.HeaderRedriven))
	if err != nil || times < 0 {
		times = 0
	}
	again.Headers = append(again.Headers, kgo.RecordHeader{Key: topics.HeaderRedriven,
		Value: []byte(strconv.Itoa(times + 1))})
	return again
}

// redriveOffsets is how far letters were driven again before, by partition.
func (a *app) redriveOffsets(ctx context.Context, client *kgo.Client, f *redriveFlags) (
	map[int32]int64, error) {
	from := map[int32]int64{}
	if f.again {
		return from, nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	offsets, err := kadm.NewClient(client).FetchOffsets(ctx, f.group())
	if errors.Is(err, kerr.GroupIDNotFound) {
		return from, nil
	}
	if err == nil {
		err = offsets.Error()
	}
	if err != nil {
		return nil, a.kafkaError("read the offsets of group "+f.group(), err)
	}
	for partition, o := range offsets[topics.DeadLetters] {
		from[partition] = max(o.At, 0)
	}
	return from, nil
}

// commitRedrive remembers how far letters were driven again.
func (a *app) commitRedrive(ctx context.Context, client *kgo.Client, f *redriveFlags,
	end map[int32]int64) error {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	offsets := kadm.Offsets{}
	for partition, at := range end {
		offsets.AddOffset(topics.DeadLetters, partition, at, -1)
	}
	if err := kadm.NewClient(client).CommitAllOffsets(ctx, f.group(), offsets); err != nil {
		return a.kafkaError("remember in group "+f.group()+" what was driven again", err)
	}
	return nil
}
