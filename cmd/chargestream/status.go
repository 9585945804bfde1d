package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/internal/kafkaread"
	"chargestream/processors"
	"chargestream/tables"
	"chargestream/topics"
)

// statusLetters bounds the dead letters of each partition that status counts by reason.
const statusLetters = 1000

// standsAfter is how far apart status looks twice at what has something to read.
const standsAfter = 3 * time.Second

// statusAnswer is what status prints.
type statusAnswer struct {
	Version     string            `json:"version"`
	Layout      int               `json:"table_layout"`
	Brokers     int               `json:"brokers"`
	Partitions  int               `json:"partitions"` // of station-status, and so of all
	Problems    []string          `json:"problems"`   // of the topics, as topics check has them
	Groups      []groupStatus     `json:"groups"`
	DeadLetters deadLettersStatus `json:"dead_letters"`
	Stalls      []stallStatus     `json:"stalls"`
	Hanging     []transactionLine `json:"hanging_transactions"`
	// Unseen is why transactions could not all be looked at.
	Unseen string `json:"transactions_unseen,omitempty"`
	Well   bool   `json:"well"`
}

// stallStatus is what stands still in the partitions of a topic, for one reason.
type stallStatus struct {
	What       string  `json:"what"`
	Group      string  `json:"group,omitempty"`
	Topic      string  `json:"topic"`
	Partitions []int32 `json:"partitions"`
	Behind     int64   `json:"behind"` // offsets, in all of the partitions
	Class      string  `json:"class"`
	Reason     string  `json:"reason"`
}

// groupStatus is one consumer group.
type groupStatus struct {
	Group   string `json:"group"`
	State   string `json:"state"`
	Members int    `json:"members"`
	// Lag is how many records of the inputs are not folded; LagByTopic are those above zero.
	Lag        int64            `json:"lag"`
	LagByTopic map[string]int64 `json:"lag_by_topic,omitempty"`
	Partitions int              `json:"partitions_assigned"`
	Error      string           `json:"error,omitempty"`
}

// deadLettersStatus is of the newest dead letters, statusLetters of each partition.
type deadLettersStatus struct {
	Counted  int            `json:"counted"`
	LastHour int            `json:"last_hour"` // of those
	Reasons  map[string]int `json:"reasons"`   // of those
	// Unread is how many offsets lie before those that were counted.
	Unread int64  `json:"unread"`
	Newest string `json:"newest,omitempty"`
}

func (a *app) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show groups, lag, stalls, partitions, dead letters and versions on one screen",
		Long: "Show on one screen whether the processors work: their groups with members and " +
			"lag, what stands still and why, the partitions, what is wrong with the topics, the " +
			"dead letters and the version. If records wait, it looks twice, 3 s apart, at what " +
			"moves. Exits 6 if topics are wrong, records wait and no instance runs, or a " +
			"transaction hangs.",
		Example: `chargestream status --brokers localhost:9092
chargestream status --brokers localhost:9092 -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.status(cmd.Context()) },
	}
	a.kafkaFlags(cmd)
	return cmd
}

func (a *app) status(ctx context.Context) error {
	client, err := a.kafkaClient(ctx, kafkaread.Options()...)
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	s := &statusAnswer{Version: readBuild().Version, Layout: tables.Layout, Problems: []string{},
		DeadLetters: deadLettersStatus{Reasons: map[string]int{}},
		Stalls:      []stallStatus{}, Hanging: []transactionLine{}}
	if err := a.statusOfCluster(ctx, admin, s); err != nil {
		return err
	}
	for _, p := range processors.All(nil) {
		g, err := a.statusOfGroup(ctx, client, p)
		if err != nil {
			return err
		}
		s.Groups = append(s.Groups, g)
	}
	if !slices.ContainsFunc(s.Problems, func(p string) bool {
		return strings.HasPrefix(p, topics.DeadLetters+" ")
	}) {
		if err := a.statusOfLetters(ctx, client, s); err != nil {
			return err
		}
	}
	if err := a.statusOfStalls(ctx, s); err != nil {
		return err
	}
	waiting := slices.ContainsFunc(s.Groups, func(g groupStatus) bool {
		return g.Lag > 0 && g.Members == 0
	})
	s.Well = len(s.Problems) == 0 && !waiting && len(s.Hanging) == 0
	if err := a.printStatus(s); err != nil {
		return err
	}
	switch {
	case len(s.Problems) > 0:
		return &exitError{code: exitProblems, what: fmt.Sprintf("%d topics are not as they must be",
			len(s.Problems)), hint: "see \"chargestream topics check\""}
	case waiting:
		return &exitError{code: exitProblems, what: "records wait, and no instance folds them",
			hint: "start \"chargestream run\""}
	case len(s.Hanging) > 0:
		return &exitError{code: exitProblems,
			what: fmt.Sprintf("transactions hang on %d partitions", len(s.Hanging)),
			hint: "see \"chargestream transactions list\""}
	}
	return nil
}

// statusOfStalls fills what stands still.
func (a *app) statusOfStalls(ctx context.Context, s *statusAnswer) error {
	limited, cancel := context.WithTimeout(ctx, 2*a.timeout+standsAfter)
	defer cancel()
	procs := processors.All(nil)
	standing, err := engine.StandingStill(limited, a.brokers, standsAfter, procs...)
	if err != nil {
		return a.kafkaError("look for what stands still", err)
	}
	if standing.Unseen != nil {
		s.Unseen = standing.Unseen.Error()
	}
	for n := range standing.Hanging {
		s.Hanging = append(s.Hanging, lineOf(&standing.Hanging[n], procs))
	}
	for _, one := range standing.Stalls {
		same := slices.IndexFunc(s.Stalls, func(o stallStatus) bool {
			return o.What == string(one.What) && o.Group == one.Group && o.Topic == one.Topic &&
				o.Reason == one.Reason.Detail
		})
		if same < 0 {
			same = len(s.Stalls)
			s.Stalls = append(s.Stalls, stallStatus{What: string(one.What), Group: one.Group,
				Topic: one.Topic, Class: one.Reason.Class, Reason: one.Reason.Detail})
		}
		at := &s.Stalls[same]
		at.Partitions, at.Behind = append(at.Partitions, one.Partition), at.Behind+one.Behind
	}
	return nil
}

// statusOfCluster fills what is true of brokers and topics.
func (a *app) statusOfCluster(ctx context.Context, admin *kadm.Client, s *statusAnswer) error {
	limited, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	listed, err := admin.ListBrokers(limited)
	if err != nil {
		return a.kafkaError("list brokers", err)
	}
	s.Brokers = len(listed)
	findings, err := a.compareTopics(ctx, admin, &topicFlags{partitions: partitionsDefault,
		replication: replicationDefault})
	if err != nil {
		return err
	}
	for _, f := range findings {
		s.Problems = append(s.Problems, f.Topic+" "+f.advice())
	}
	detail, err := admin.ListTopics(limited, topics.StationStatus)
	if err != nil {
		return a.kafkaError("list topics", err)
	}
	s.Partitions = len(detail[topics.StationStatus].Partitions)
	return nil
}

// statusOfGroup is how far a group is with its inputs. A partition of which nothing was folded yet
// lags by all that it holds.
func (a *app) statusOfGroup(ctx context.Context, client *kgo.Client, p *engine.Processor) (
	groupStatus, error) {
	admin := kadm.NewClient(client)
	g := groupStatus{Group: p.Group, LagByTopic: map[string]int64{}}
	limited, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	described, err := admin.DescribeGroups(limited, p.Group)
	if err != nil && !noGroupYet(err) {
		return g, a.kafkaError("describe group "+p.Group, err)
	}
	d := described[p.Group]
	g.State, g.Members = cmp.Or(d.State, "none"), len(d.Members)
	if d.State == "Dead" { // Kafka's word for a group that there is not
		g.State = "none"
	}
	if d.Err != nil && !noGroupYet(d.Err) {
		g.Error = d.Err.Error()
	}
	d.AssignedPartitions().Each(func(string, int32) { g.Partitions++ })
	committed, err := admin.FetchOffsets(limited, p.Group)
	if err != nil && !noGroupYet(err) {
		return g, a.kafkaError("read the offsets of group "+p.Group, err)
	}
	starts, err := admin.ListStartOffsets(limited, p.Inputs...)
	if err != nil {
		return g, a.kafkaError("read the offsets of inputs", err)
	}
	ends, err := admin.ListCommittedOffsets(limited, p.Inputs...)
	if err != nil {
		return g, a.kafkaError("read the offsets of inputs", err)
	}
	for topic, partitions := range ends {
		for partition, end := range partitions {
			if end.Err != nil {
				continue // the topic is missing, as reported above
			}
			at := int64(0)
			if start, ok := starts.Lookup(topic, partition); ok {
				at = start.Offset
			}
			if c, ok := committed.Lookup(topic, partition); ok {
				at = max(at, c.At)
			}
			lag, err := a.recordsBetween(ctx, client, topic, partition, at, end.Offset)
			if err != nil {
				return g, err
			}
			if lag > 0 {
				g.Lag += lag
				g.LagByTopic[topic] += lag
			}
		}
	}
	return g, nil
}

// markersMax bounds the offsets that are read to distinguish records from markers.
const markersMax = 100

// recordsBetween counts the records of a partition between two offsets. Where there are few it
// reads them: a transaction ends with a marker, which has an offset and is no record.
func (a *app) recordsBetween(ctx context.Context, client *kgo.Client, topic string,
	partition int32, from, end int64) (int64, error) {
	if end-from <= 0 || end-from > markersMax {
		return max(0, end-from), nil
	}
	reader, records := a.reader(client), int64(0)
	reader.Part = func(int32) int32 { return partition }
	_, err := reader.Each(ctx, topic, map[int32]int64{partition: from}, func(*kgo.Record) error {
		records++
		return nil
	})
	return records, a.readError(err)
}

// noGroupYet reports whether an error says that there is no such group: the first one of a cluster
// has no coordinator before it is there.
func noGroupYet(err error) bool {
	return errors.Is(err, kerr.GroupIDNotFound) || errors.Is(err, kerr.CoordinatorNotAvailable)
}

// statusOfLetters counts dead letters: all, where there are few enough to be read.
func (a *app) statusOfLetters(ctx context.Context, client *kgo.Client, s *statusAnswer) error {
	at, end, err := a.reader(client).Bounds(ctx, topics.DeadLetters, nil)
	if err != nil {
		return a.readError(err)
	}
	from := map[int32]int64{}
	for partition, last := range end {
		from[partition] = max(at[partition], last-statusLetters)
		s.DeadLetters.Unread += from[partition] - at[partition]
	}
	var newest time.Time
	_, err = a.eachLetter(ctx, client, from, func(r *kgo.Record) error {
		s.DeadLetters.Counted++
		s.DeadLetters.Reasons[headerOf(r, topics.HeaderReason)]++
		if time.Since(r.Timestamp) < time.Hour {
			s.DeadLetters.LastHour++
		}
		if r.Timestamp.After(newest) {
			newest = r.Timestamp
		}
		return nil
	})
	if !newest.IsZero() {
		s.DeadLetters.Newest = newest.UTC().Format(time.RFC3339)
	}
	return err
}

func (a *app) printStatus(s *statusAnswer) error {
	if a.output == outputJSON {
		return a.printJSON(s)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "program       %s, table layout %d\n", s.Version, s.Layout)
	fmt.Fprintf(&text, "cluster       %s: %d brokers, %d partitions\n",
		strings.Join(a.brokers, ", "), s.Brokers, s.Partitions)
	if len(s.Problems) == 0 {
		fmt.Fprintf(&text, "topics        all well\n")
	}
	for _, problem := range s.Problems {
		fmt.Fprintf(&text, "topics        %s\n", problem)
	}
	letters := fmt.Sprintf("%d, %d of them in the last hour", s.DeadLetters.Counted,
		s.DeadLetters.LastHour)
	switch {
	case s.DeadLetters.Unread > 0:
		letters = fmt.Sprintf("more than %d, %d of the newest in the last hour",
			s.DeadLetters.Counted, s.DeadLetters.LastHour)
	case s.DeadLetters.Counted == 0:
		letters = "none"
	}
	var reasons []string
	for _, reason := range slices.Sorted(maps.Keys(s.DeadLetters.Reasons)) {
		reasons = append(reasons, fmt.Sprintf("%s %d", cmp.Or(reason, "without a reason"),
			s.DeadLetters.Reasons[reason]))
	}
	fmt.Fprintf(&text, "dead letters  %s%s%s\n\n", letters, labelled(": ",
		strings.Join(reasons, ", ")), labelled(", the newest at ", s.DeadLetters.Newest))
	for _, stands := range s.Stalls {
		fmt.Fprintf(&text, "stands still  %s%s of %s, partitions %d, %d offsets before it: %s\n",
			stands.What, labelled(" of group ", stands.Group), stands.Topic, stands.Partitions,
			stands.Behind, stands.Reason)
	}
	for _, h := range s.Hanging {
		fmt.Fprintf(&text, "hangs         a transaction of %s (owner %s) on %s/%d: %s\n",
			cmp.Or(h.ID, "an unknown producer"), h.Owner, h.Topic, h.Partition, h.Reason)
	}
	if s.Unseen != "" {
		fmt.Fprintf(&text, "transactions  could not all be looked at: %s\n", s.Unseen)
	}
	if len(s.Stalls)+len(s.Hanging)+len(s.Unseen) > 0 {
		fmt.Fprintln(&text)
	}
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "GROUP\tSTATE\tMEMBERS\tPARTITIONS\tLAG\tBEHIND IN")
	for _, g := range s.Groups {
		var behind []string
		for _, topic := range slices.Sorted(maps.Keys(g.LagByTopic)) {
			behind = append(behind, fmt.Sprintf("%s %d", topic, g.LagByTopic[topic]))
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%s\n", g.Group, cmp.Or(g.Error, g.State),
			g.Members, g.Partitions, g.Lag, cmp.Or(strings.Join(behind, ", "), "-"))
	}
	// A strings.Builder takes everything.
	table.Flush()
	return a.printf("%s", text.String())
}
