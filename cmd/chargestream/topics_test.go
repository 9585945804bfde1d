package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"chargestream/internal/kafkatest"
	"chargestream/topics"
)

func TestTopicsShowsTheRegister(t *testing.T) {
	got := run(t, nil, "topics")
	got.want(t, exitOK, "station-status", "")
	if lines := strings.Count(got.stdout, "\n"); lines != len(topics.All())+1 {
		t.Errorf("%d lines:\n%s", lines, got.stdout)
	}
	run(t, nil, "topics", "-o", "json").
		want(t, exitOK, `{"topic":"heartbeats","kind":"input","key":"station_id",`+
			`"cleanup":"delete","retention_ms":86400000`, "")
}

// problems are the findings of a check, without their words.
func problems(t *testing.T, brokers string, flags ...string) []finding {
	t.Helper()
	got := run(t, nil, append([]string{"topics", "check", brokers, "-o", "json"}, flags...)...)
	var list []finding
	for line := range strings.Lines(got.stdout) {
		var f finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if f.Fix == "" {
			t.Errorf("%s: nothing says what to do", line)
		}
		f.Fix = ""
		list = append(list, f)
	}
	code := exitOK
	for _, f := range list {
		if f.Problem != problemRetired {
			code = exitProblems
		}
	}
	if got.code != code {
		t.Fatalf("exit code %d with %d findings: %s", got.code, len(list), got.stderr)
	}
	return list
}

func TestTopicsOfAnEmptyCluster(t *testing.T) {
	_, brokers := broker(t)
	all := len(topics.All())
	plan := run(t, nil, "topics", "plan", brokers)
	plan.want(t, exitProblems, "create: 4 partitions, replication 1, cleanup.policy=compact",
		"hint: run")
	if lines := strings.Count(plan.stdout, "\n"); lines != all {
		t.Errorf("%d lines for %d topics:\n%s", lines, all, plan.stdout)
	}
	if found := len(problems(t, brokers)); found != all {
		t.Errorf("%d findings after a plan, want %d: a plan changes nothing", found, all)
	}
	run(t, nil, "topics", "apply", brokers, "--partitions", "6").want(t, exitOK, "done: create", "")
	// Without --partitions the cluster's own number counts.
	if left := problems(t, brokers); len(left) != 0 {
		t.Errorf("left after apply: %+v", left)
	}
	run(t, nil, "topics", "plan", brokers).want(t, exitOK, "", "")
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "", "")
	if found := problems(t, brokers, "--partitions", "4"); len(found) != all {
		t.Errorf("%d topics have 6 and not 4 partitions, want %d", len(found), all)
	}
}

// TestRetiredTopics: check names the topics of earlier versions that are still there, after all
// that is wrong; plan and apply leave them alone.
func TestRetiredTopics(t *testing.T) {
	b, brokers := broker(t)
	for _, name := range []string{"session-parts", "reference-table", "payroll"} {
		if err := b.CreateTopics(t.Context(), kafkatest.Topic{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	if found := problems(t, brokers); len(found) != len(topics.All())+2 {
		t.Errorf("%d findings, want all topics missing and two retired", len(found))
	}
	apply := run(t, nil, "topics", "apply", brokers)
	apply.want(t, exitOK, "done: create", "")
	if strings.Contains(apply.stdout, "reference-table") {
		t.Errorf("apply speaks of retired topics:\n%s", apply.stdout)
	}
	run(t, nil, "topics", "plan", brokers).want(t, exitOK, "", "")
	want := []finding{{Topic: "session-parts", Problem: problemRetired},
		{Topic: "reference-table", Problem: problemRetired}}
	got := problems(t, brokers)
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(finding{}),
		cmpopts.IgnoreFields(finding{}, "topic")); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	run(t, nil, "topics", "check", brokers).want(t, exitOK, "reference-table            is "+
		"retired: nothing reads it any more; delete it once \"chargestream run "+
		"--until-caught-up\" has rebuilt the tables\n", "")
}

func TestTopicsThatAreWrong(t *testing.T) {
	b, brokers := broker(t)
	for _, topic := range []kafkatest.Topic{
		{Name: topics.MeterValues, Partitions: 3, Config: map[string]string{
			"cleanup.policy": "delete", "retention.ms": "2592000000"}},
		{Name: topics.Invoices, Config: map[string]string{"cleanup.policy": "delete"}},
		{Name: topics.Heartbeats, Config: map[string]string{"retention.ms": "1000"}},
		{Name: topics.StationStatus, Config: map[string]string{"retention.ms": "-1"}},
		{Name: topics.Tariffs, Partitions: 1,
			Config: map[string]string{"cleanup.policy": "compact"}},
		{Name: topics.Stations, Config: map[string]string{"cleanup.policy": "compact",
			"min.compaction.lag.ms": "40000000000"}},
		{Name: topics.ChargingSessions, Config: map[string]string{"cleanup.policy": "compact",
			"retention.ms": "34560000000"}},
	} {
		if err := b.CreateTopics(t.Context(), topic); err != nil {
			t.Fatal(err)
		}
	}
	apply := run(t, nil, "topics", "apply", brokers)
	apply.want(t, exitProblems, "done: change cleanup.policy from delete to compact",
		"5 differences")
	apply.want(t, exitProblems, "done: change retention.ms from 1000 to 86400000", "")
	apply.want(t, exitProblems, "tariffs                    done: change min.compaction.lag.ms", "")
	ignore := cmp.FilterPath(func(p cmp.Path) bool {
		return p.Last().String() == ".topic" || p.Last().String() == ".partitions"
	}, cmp.Ignore())
	partitions := []finding{
		{Topic: topics.MeterValues, Problem: problemPartitions, Have: "3", Want: "4"},
		{Topic: topics.Tariffs, Problem: problemPartitions, Have: "1", Want: "4"}}
	want := []finding{
		{Topic: topics.StationStatus, Problem: problemSetting, Setting: settingRetention,
			Have: "-1", Want: "604800000"},
		{Topic: topics.ChargingSessions, Problem: problemSetting, Setting: settingCleanup,
			Have: "compact", Want: "delete"},
		partitions[0],
		{Topic: topics.Stations, Problem: problemSetting, Setting: settingCompactionLag,
			Have: "40000000000", Want: "34560000000"},
		partitions[1],
	}
	if diff := cmp.Diff(want, problems(t, brokers), ignore); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	run(t, nil, "topics", "check", brokers).
		want(t, exitProblems, "has 3 partitions and not 4", "5 differences")
	run(t, nil, "topics", "apply", brokers, "--allow-expiry").
		want(t, exitProblems, "from -1 to 604800000", "2 differences between")
	if diff := cmp.Diff(partitions, problems(t, brokers), ignore); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

// TestReplicationBeyondTheBrokers: nothing is made where a replica would have no broker, and the
// hint names what can be given.
func TestReplicationBeyondTheBrokers(t *testing.T) {
	_, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers, "--replication", "3").
		want(t, exitUsage, "", "hint: give --replication 1")
	if n := len(problems(t, brokers)); n != len(topics.All()) {
		t.Errorf("%d topics are missing, want all %d", n, len(topics.All()))
	}
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "done: create", "")
	run(t, nil, "topics", "check", brokers).want(t, exitOK, "all well: ", "")
	run(t, nil, "topics", "plan", brokers).want(t, exitOK, "all well: there is nothing to do\n", "")
	run(t, nil, "topics", "apply", brokers, "--replication", "3").
		want(t, exitOK, "all well: there is nothing to do\n", "")
}
