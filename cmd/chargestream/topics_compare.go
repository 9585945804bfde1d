package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"chargestream/topics"
)

// The settings that are held against the register.
const (
	settingCleanup       = "cleanup.policy"
	settingRetention     = "retention.ms"
	settingCompactionLag = "min.compaction.lag.ms"
)

// settingNames are the names of the settings in the order in which they are shown.
func settingNames() []string {
	return []string{settingCleanup, settingRetention, settingCompactionLag}
}

// The problems that a topic may have.
const (
	problemMissing    = "missing"
	problemPartitions = "partitions"
	problemSetting    = "setting"
	problemRetired    = "retired" // nothing reads it any more; no difference
)

// finding is one difference between the register and the cluster.
type finding struct {
	Topic   string `json:"topic"`
	Problem string `json:"problem"`
	Setting string `json:"setting,omitempty"`
	Have    string `json:"have,omitempty"`
	Want    string `json:"want,omitempty"`
	Applies bool   `json:"applies"` // apply mends it
	Fix     string `json:"text"`

	topic      topics.Topic
	partitions int32
}

// settings are the settings of a topic.
func settings(t topics.Topic) map[string]string {
	s := map[string]string{settingCleanup: string(t.Cleanup)}
	if t.Cleanup == topics.CleanupDelete {
		keep := int64(-1) // for ever
		if t.Retention > 0 {
			keep = t.Retention.Milliseconds()
		}
		s[settingRetention] = strconv.FormatInt(keep, 10)
	}
	if t.CompactionLag > 0 {
		s[settingCompactionLag] = strconv.FormatInt(t.CompactionLag.Milliseconds(), 10)
	}
	return s
}

// compareTopics finds every difference, in the order of the register.
func (a *app) compareTopics(ctx context.Context, admin *kadm.Client, f *topicFlags) (
	[]finding, error) {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	all := topics.All()
	names := make([]string, len(all))
	for i, t := range all {
		names[i] = t.Name
	}
	listed, err := admin.ListTopics(ctx, names...)
	if err != nil {
		return nil, a.kafkaError("list topics", err)
	}
	var present []string
	for _, name := range names {
		switch detail := listed[name]; {
		case errors.Is(detail.Err, kerr.UnknownTopicOrPartition):
		case detail.Err != nil:
			return nil, a.kafkaError("look up topic "+name, detail.Err)
		case len(detail.Partitions) > 0:
			present = append(present, name)
		}
	}
	have, err := describe(ctx, admin, present)
	if err != nil {
		return nil, a.kafkaError("read the settings of topics", err)
	}
	want := f.partitions
	if n := len(listed[topics.StationStatus].Partitions); n > 0 && !f.given {
		want = int32(n)
	}
	var findings []finding
	for _, t := range all {
		findings = append(findings,
			compareTopic(t, int32(len(listed[t.Name].Partitions)), have[t.Name], want, f)...)
	}
	return findings, nil
}

// retiredTopics finds the topics of earlier versions of the program that the cluster still has.
func (a *app) retiredTopics(ctx context.Context, admin *kadm.Client) ([]finding, error) {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	listed, err := admin.ListTopics(ctx, topics.Retired()...)
	if err != nil {
		return nil, a.kafkaError("list topics", err)
	}
	var findings []finding
	for _, name := range topics.Retired() {
		switch detail := listed[name]; {
		case errors.Is(detail.Err, kerr.UnknownTopicOrPartition):
		case detail.Err != nil:
			return nil, a.kafkaError("look up topic "+name, detail.Err)
		case len(detail.Partitions) > 0:
			findings = append(findings, finding{Topic: name, Problem: problemRetired})
		}
	}
	return findings, nil
}

// describe reads the settings of topics.
func describe(ctx context.Context, admin *kadm.Client, names []string) (
	map[string]map[string]string, error) {
	have := map[string]map[string]string{}
	if len(names) == 0 {
		return have, nil // no names would be all topics
	}
	described, err := admin.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return nil, err
	}
	for _, r := range described {
		if r.Err != nil {
			return nil, fmt.Errorf("topic %s: %w", r.Name, r.Err)
		}
		have[r.Name] = map[string]string{}
		for _, c := range r.Configs {
			have[r.Name][c.Key] = c.MaybeValue()
		}
	}
	return have, nil
}

// compareTopic finds the differences of one topic, of which the cluster has count partitions.
func compareTopic(t topics.Topic, count int32, have map[string]string, want int32,
	f *topicFlags) []finding {
	if count == 0 {
		return []finding{{Topic: t.Name, Problem: problemMissing, Applies: true, topic: t,
			partitions: want, Want: fmt.Sprintf("%d partitions, replication %d, %s", want,
				f.replication, settingsText(t))}}
	}
	var findings []finding
	if t.Copartitioned && count != want {
		findings = append(findings, finding{Topic: t.Name, Problem: problemPartitions, topic: t,
			Have: strconv.Itoa(int(count)), Want: strconv.Itoa(int(want)), partitions: want})
	}
	wanted := settings(t)
	for _, name := range settingNames() {
		value, ok := wanted[name]
		if !ok || have[name] == value {
			continue
		}
		findings = append(findings, finding{Topic: t.Name, Problem: problemSetting, topic: t,
			Setting: name, Have: have[name], Want: value,
			Applies: f.allowExpiry || !expires(name, have, value)})
	}
	return findings
}

func settingsText(t topics.Topic) string {
	var parts []string
	wanted := settings(t)
	for _, name := range settingNames() {
		if value, ok := wanted[name]; ok {
			parts = append(parts, name+"="+value)
		}
	}
	return strings.Join(parts, " ")
}

// expires reports whether a change of a setting lets Kafka delete records sooner than before.
func expires(name string, have map[string]string, want string) bool {
	if name == settingCleanup {
		return want == string(topics.CleanupDelete) && !strings.Contains(have[name], want)
	}
	before, err := strconv.ParseInt(have[name], 10, 64)
	after, errAfter := strconv.ParseInt(want, 10, 64)
	if name == settingCompactionLag {
		return errAfter != nil || after < before // no value is none
	}
	if have[settingCleanup] == string(topics.CleanupCompact) {
		return false // retention means nothing as long as nothing is deleted
	}
	return err != nil || errAfter != nil || after >= 0 && (before < 0 || after < before)
}

// plan says what apply does about it.
func (d *finding) plan() string {
	switch {
	case d.Problem == problemMissing:
		return "create: " + d.Want
	case d.Applies:
		return fmt.Sprintf("change %s from %s to %s", d.Setting, d.Have, d.Want)
	}
	return "left as it is: " + d.advice()
}

// advice says what is wrong and what to do.
func (d *finding) advice() string {
	switch {
	case d.Problem == problemMissing:
		return "is missing; run \"chargestream topics apply\""
	case d.Problem == problemRetired:
		return "is retired: nothing reads it any more; delete it once \"chargestream run " +
			"--until-caught-up\" has rebuilt the tables"
	case d.Problem == problemPartitions:
		return fmt.Sprintf("has %s partitions and not %s: its keys would lie apart from those of "+
			"the other topics; if it is empty, delete it and run \"chargestream topics apply\", "+
			"else copy it to a new topic or give --partitions %s for all", d.Have, d.Want, d.Have)
	case d.Applies:
		return fmt.Sprintf("has %s=%s and not %s; run \"chargestream topics apply\"", d.Setting,
			d.Have, d.Want)
	}
	return fmt.Sprintf("has %s=%s and not %s, and with the change Kafka deletes records sooner; "+
		"if that is right, run \"chargestream topics apply --allow-expiry\"", d.Setting, d.Have,
		d.Want)
}

// apply mends it.
func (d *finding) apply(ctx context.Context, admin *kadm.Client, f *topicFlags) error {
	if d.Problem == problemMissing {
		wanted := map[string]*string{}
		for name, value := range settings(d.topic) {
			wanted[name] = &value
		}
		_, err := admin.CreateTopic(ctx, d.partitions, f.replication, wanted, d.Topic)
		return err
	}
	changed, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig,
		Name: d.Setting, Value: &d.Want}}, d.Topic)
	if err != nil {
		return err
	}
	for _, r := range changed {
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}
