package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gofrs/flock"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"chargestream/engine"
	"chargestream/topics"
)

// lastLines is what follows the log on stderr.
func (r result) lastLines(t *testing.T) string {
	t.Helper()
	_, message, ok := strings.Cut("\n"+r.stderr, "\nerror: ")
	if !ok || strings.Count(message, "\n") > 2 {
		t.Fatalf("stderr does not end with an error and a hint:\n%s", r.stderr)
	}
	return message
}

func TestRunOnALockedDirectory(t *testing.T) {
	_, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "done", "")
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, topics.GroupStations), 0o755); err != nil {
		t.Fatal(err)
	}
	lock := flock.New(filepath.Join(dir, topics.GroupStations, "lock"))
	if held, err := lock.TryLock(); err != nil || !held {
		t.Fatal(held, err)
	}
	defer lock.Unlock() // also so that it lives: a lock that is collected is released
	got := run(t, nil, "run", brokers, "--state-dir", dir)
	got.want(t, exitRuntime, "", "error: the state directory is in use (processor stations: ")
	got.want(t, exitRuntime, "", "hint: give each instance a --state-dir of its own\n")
	got.lastLines(t)
}

func TestRunWithoutARightToItsDirectory(t *testing.T) {
	_, brokers := broker(t)
	dir := write(t, "file", "not a directory")
	run(t, nil, "run", brokers, "--state-dir", dir).
		want(t, exitRuntime, "", "error: the state directory cannot be used (")
}

func TestRunRefusesAnUnknownGuarantee(t *testing.T) {
	run(t, nil, "run", "--state-dir", t.TempDir(), "--guarantee", "always").
		want(t, exitUsage, "", `--guarantee "always" is neither exactly_once nor at_least_once`)
}

// TestRunOfTooLargeRows: a row that its topic does not take ends the processor, with what to do.
func TestRunOfTooLargeRows(t *testing.T) {
	b, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "done", "")
	run(t, nil, "simulate", brokers, "--events", "200").want(t, exitOK, "200", "")
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	table, limit := topics.Table(topics.TableStations), "100"
	changed, err := kadm.NewClient(client).AlterTopicConfigs(t.Context(),
		[]kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &limit}}, table)
	if err != nil || changed[0].Err != nil {
		t.Fatal(changed, err)
	}
	got := run(t, nil, "run", brokers, "--state-dir", t.TempDir(), "--until-caught-up")
	got.want(t, exitInvalid, "", "error: processor stations: topic "+table+
		": a record or batch is larger than its topic takes (")
	got.want(t, exitInvalid, "", "\nhint: raise the topic's max.message.bytes\n")
	got.lastLines(t)
}

// TestRunWithoutARight: a right that is missing ends the processors, with its name.
func TestRunWithoutARight(t *testing.T) {
	cluster, err := startBroker(&demoFlags{})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	brokers := "--brokers=" + strings.Join(cluster.ListenAddrs(), ",")
	run(t, nil, "topics", "apply", "--partitions", "4", brokers).want(t, exitOK, "done", "")
	refuse(cluster, kerr.TransactionalIDAuthorizationFailed)
	got := run(t, nil, "run", brokers, "--state-dir", t.TempDir())
	got.want(t, exitUnreachable, "", ": a right on the transactional id is missing (")
	got.want(t, exitUnreachable, "", "\nhint: allow Write and Describe on all transactional ids")
	got.lastLines(t)
}

// refuse answers every producer that asks for an id with an error.
func refuse(cluster *kfake.Cluster, with *kerr.Error) {
	cluster.ControlKey(int16(kmsg.InitProducerID),
		func(q kmsg.Request) (kmsg.Response, error, bool) {
			cluster.KeepControl()
			answer := q.ResponseKind().(*kmsg.InitProducerIDResponse)
			answer.ErrorCode = with.Code
			return answer, nil, true
		})
}

// TestStopped: what the engine stops for is one line and a hint.
func TestStopped(t *testing.T) {
	why := &engine.Stopped{Group: "tariffs", Class: "too_large", Reason: "topic x: why: what to do",
		Err: errors.Join(kerr.MessageTooLarge, kerr.OperationNotAttempted)}
	err := errors.Join(&processorError{"tariffs", errors.Join(why)})
	var got *exitError
	if reported := (&app{}).runError(err); !errors.As(reported, &got) {
		t.Fatalf("reported as %v", reported)
	}
	if got.code != exitInvalid || got.what != "processor tariffs: topic x: why" ||
		got.hint != "what to do" || strings.Contains(got.Error(), "\n") ||
		!errors.Is(got, kerr.MessageTooLarge) {
		t.Errorf("exit code %d, %v, hint %q", got.code, got, got.hint)
	}
}

// TestEveryStopHasAnExitCode holds the exit codes against the page that lists what stops.
func TestEveryStopHasAnExitCode(t *testing.T) {
	page, err := os.ReadFile("../../docs/decisions/0007-broker-errors.md")
	if err != nil {
		t.Fatal(err)
	}
	classes := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| stop \\|").
		FindAllStringSubmatch(string(page), -1) {
		classes[row[1]] = true
		if _, ok := stoppedCodes()[row[1]]; !ok {
			t.Errorf("%s has no exit code", row[1])
		}
	}
	if len(classes) != len(stoppedCodes()) {
		t.Errorf("%d classes stop, %d have an exit code", len(classes), len(stoppedCodes()))
	}
}

// TestInterruptedBeforeCaughtUp: an interrupt before the end of a backlog is no success.
func TestInterruptedBeforeCaughtUp(t *testing.T) {
	_, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "done", "")
	ctx, cancel := context.WithCancel(t.Context())
	stderr := &cancelOn{text: "", cancel: cancel}
	var stdout bytes.Buffer
	code := Run(ctx, []string{"run", brokers, "--state-dir", t.TempDir(), "--until-caught-up",
		"--verbose"}, &stdout, stderr, func(string) (string, bool) { return "", false })
	if code != exitInterrupted || stdout.Len() > 0 {
		t.Errorf("exit code %d, %s", code, stdout.String())
	}
}

// cancelOn cancels when a text is logged.
type cancelOn struct {
	text   string
	cancel func()
}

// Write implements io.Writer.
func (c *cancelOn) Write(line []byte) (int, error) {
	if strings.Contains(string(line), c.text) {
		c.cancel()
	}
	return len(line), nil
}
