package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/kafkaread"
	"chargestream/processors"
	"chargestream/topics"
)

// The bounds of a list of dead letters.
const (
	lettersDefault = 100
	lettersMax     = 100_000
	// previewBytes is how much of a value or an error the table shows.
	previewBytes = 60
	// reasonsSeenMax bounds the reasons of letters that are remembered for a hint.
	reasonsSeenMax = 100
)

// letter is a dead letter for programs. Bytes that are not UTF-8 are base64, in the field that
// says so.
type letter struct {
	Partition       int32             `json:"partition"`
	Offset          int64             `json:"offset"`
	Time            time.Time         `json:"time"`
	Reason          string            `json:"reason"`
	Error           string            `json:"error,omitempty"`
	SourceTopic     string            `json:"source_topic,omitempty"`
	SourcePartition string            `json:"source_partition,omitempty"`
	SourceOffset    string            `json:"source_offset,omitempty"`
	SourceTime      string            `json:"source_time,omitempty"`
	Redriven        string            `json:"redriven,omitempty"`
	Key             string            `json:"key,omitempty"`
	KeyBase64       string            `json:"key_base64,omitempty"`
	Value           string            `json:"value,omitempty"`
	ValueBase64     string            `json:"value_base64,omitempty"`
	Headers         map[string]string `json:"headers,omitempty"` // the others
}

func (a *app) deadLettersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dead-letters",
		Short: "List records that could not be folded, and drive them again",
		Example: `chargestream dead-letters list --brokers localhost:9092 --reason late
chargestream dead-letters redrive --brokers localhost:9092 --dry-run`,
	}
	group(cmd)
	a.kafkaFlags(cmd)
	cmd.AddCommand(a.listLettersCommand(), a.redriveCommand())
	return cmd
}

func (a *app) listLettersCommand() *cobra.Command {
	var reason string
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the newest dead letters, oldest first",
		Example: `chargestream dead-letters list --brokers localhost:9092
chargestream dead-letters list --brokers localhost:9092 --reason future --limit 10 -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > lettersMax {
				return usageError(fmt.Sprintf("--limit %d is not between 1 and %d", limit,
					lettersMax), "")
			}
			return a.listLetters(cmd.Context(), reason, limit)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "only those with this `reason`, such as late")
	cmd.Flags().IntVar(&limit, "limit", lettersDefault, "at most this `number`")
	return cmd
}

func (a *app) listLetters(ctx context.Context, reason string, limit int) error {
	client, err := a.lettersClient(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	var kept []*kgo.Record
	seen := map[string]int{}
	_, err = a.eachLetter(ctx, client, nil, func(r *kgo.Record) error {
		has := headerOf(r, topics.HeaderReason)
		if len(seen) < reasonsSeenMax {
			seen[harmless(has)]++
		}
		if reason != "" && has != reason {
			return nil
		}
		if kept = append(kept, r); len(kept) >= 2*limit {
			kept = newest(kept, limit)
		}
		return nil
	})
	if err != nil {
		return err
	}
	kept = newest(kept, limit)
	if len(kept) == 0 {
		return a.noLetters(reason, seen)
	}
	if a.output != outputJSON {
		return a.printLetters(kept)
	}
	for _, r := range kept {
		if err := a.printJSON(letterOf(r)); err != nil {
			return err
		}
	}
	return nil
}

// newest is the newest records in the order of their time.
func newest(records []*kgo.Record, limit int) []*kgo.Record {
	slices.SortFunc(records, func(a, b *kgo.Record) int {
		return cmp.Or(a.Timestamp.Compare(b.Timestamp), cmp.Compare(a.Partition, b.Partition),
			cmp.Compare(a.Offset, b.Offset))
	})
	return slices.Clone(records[max(0, len(records)-limit):])
}

func (a *app) printLetters(records []*kgo.Record) error {
	// The error says why, and its end what was wrong: the value gives way first.
	columns := []column{{title: "TIME"}, {title: "REASON"},
		{title: "SOURCE", give: 2, least: 12, end: true}, {title: "KEY", give: 3, least: 12},
		{title: "ERROR", give: 1, end: true}, {title: "VALUE", give: 4}}
	var rows [][]string
	for _, r := range records {
		source := fmt.Sprintf("%s/%s@%s", headerOf(r, topics.HeaderSourceTopic),
			headerOf(r, topics.HeaderSourcePartition), headerOf(r, topics.HeaderSourceOffset))
		rows = append(rows, []string{r.Timestamp.UTC().Format(time.RFC3339),
			preview(headerOf(r, topics.HeaderReason)), preview(source), preview(string(r.Key)),
			harmless(headerOf(r, topics.HeaderError)), preview(string(r.Value))})
	}
	return a.printTable(columns, rows)
}

// noLetters says that a list is empty, or that no letter can ever have such a reason.
func (a *app) noLetters(reason string, seen map[string]int) error {
	known := processors.Reasons()
	if reason != "" && !slices.Contains(known, processors.Reason(reason)) {
		hint := "the reasons are " + joinIDs(known)
		if len(seen) > 0 {
			hint += "; there are letters with " +
				strings.Join(slices.Sorted(maps.Keys(seen)), ", ")
		}
		return usageError(fmt.Sprintf("--reason %q is no reason of a dead letter", reason), hint)
	}
	if a.output == outputJSON {
		return nil
	}
	return a.printf("no dead letters%s\n", labelled(" with the reason ", reason))
}

// preview is the begin of a text on one line, without anything that a terminal would obey.
func preview(text string) string {
	cut := text
	if len(cut) > previewBytes {
		cut = strings.ToValidUTF8(cut[:previewBytes], "") + "…"
	}
	return harmless(cut)
}

// harmless is a text without anything that a terminal would obey.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '·'
		}
		return r
	}, strings.ToValidUTF8(text, "·"))
}

func letterOf(r *kgo.Record) letter {
	l := letter{Partition: r.Partition, Offset: r.Offset, Time: r.Timestamp.UTC()}
	fields := map[string]*string{topics.HeaderReason: &l.Reason, topics.HeaderError: &l.Error,
		topics.HeaderSourceTopic: &l.SourceTopic, topics.HeaderSourcePartition: &l.SourcePartition,
		topics.HeaderSourceOffset: &l.SourceOffset, topics.HeaderSourceTime: &l.SourceTime,
		topics.HeaderRedriven: &l.Redriven}
	for _, h := range r.Headers {
		if field, ok := fields[h.Key]; ok {
			*field = string(h.Value)
			continue
		}
		if l.Headers == nil {
			l.Headers = map[string]string{}
		}
		l.Headers[h.Key] = string(h.Value)
	}
	if utf8.Valid(r.Key) {
		l.Key = string(r.Key)
	} else {
		l.KeyBase64 = base64.StdEncoding.EncodeToString(r.Key)
	}
	// A text also where it is JSON: a letter is shown as it came.
	if utf8.Valid(r.Value) {
		l.Value = string(r.Value)
	} else {
		l.ValueBase64 = base64.StdEncoding.EncodeToString(r.Value)
	}
	return l
}

// headerOf is the last header of a name; empty where there is none.
func headerOf(r *kgo.Record, name string) string { return kafkaread.Header(r, name) }

// lettersClient is a client that can read the dead letters of committed transactions.
func (a *app) lettersClient(ctx context.Context) (*kgo.Client, error) {
	return a.readingClient(ctx, topics.DeadLetters)
}

// eachLetter visits the dead letters from the given offsets on, see eachRecord.
func (a *app) eachLetter(ctx context.Context, client *kgo.Client, from map[int32]int64,
	visit func(*kgo.Record) error) (map[int32]int64, error) {
	return a.eachRecord(ctx, client, topics.DeadLetters, from, visit)
}
