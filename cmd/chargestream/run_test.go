package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"chargestream/internal/kafkatest"
)

// result is what one run of the program did.
type result struct {
	code           int
	stdout, stderr string
}

// run runs the program with an environment.
func run(t *testing.T, env map[string]string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := Run(t.Context(), args, &stdout, &stderr, func(name string) (string, bool) {
		text, ok := env[name]
		return text, ok
	})
	return result{code, stdout.String(), stderr.String()}
}

// want fails where a run did something else. Each text must stand in what was written.
func (r result) want(t *testing.T, code int, stdout, stderr string) {
	t.Helper()
	if r.code != code || !strings.Contains(r.stdout, stdout) ||
		!strings.Contains(r.stderr, stderr) {
		t.Fatalf("exit code %d, want %d\nstdout: %s\nwant: %s\nstderr: %s\nwant: %s", r.code, code,
			r.stdout, stdout, r.stderr, stderr)
	}
	if code == exitOK && r.stderr != "" {
		t.Errorf("stderr of a run that went well: %s", r.stderr)
	}
}

// shared is the broker of all tests that leave nothing behind but topics and groups: a real Kafka
// takes seconds to start.
var shared kafkatest.Shared

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

// broker is a broker without a topic or a group, and the flag that names it. The tests of this
// package run one after the other.
func broker(t *testing.T) (kafkatest.Broker, string) {
	t.Helper()
	b := shared.Broker(t)
	kafkatest.MustClear(t, b)
	return b, brokersFlag(b)
}

// ownBroker is broker for a test that leaves open transactions behind.
func ownBroker(t *testing.T) (kafkatest.Broker, string) {
	t.Helper()
	b := kafkatest.Start(t)
	return b, brokersFlag(b)
}

func brokersFlag(b kafkatest.Broker) string {
	return "--brokers=" + strings.Join(b.Addrs(), ",")
}

// write writes a file of the test and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestVersion(t *testing.T) {
	run(t, nil, "version").want(t, exitOK, "chargestream ", "")
	for _, args := range [][]string{{"version", "--json"}, {"version", "-o", "json"}} {
		got := run(t, nil, args...)
		got.want(t, exitOK, "{", "")
		var b build
		if err := json.Unmarshal([]byte(got.stdout), &b); err != nil || b.Version == "" ||
			!strings.HasPrefix(b.Go, "go1.") {
			t.Errorf("%s: %+v, %v", got.stdout, b, err)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, tc := range []struct {
		args   []string
		stderr string
	}{
		{[]string{"topcs"}, `hint: did you mean "chargestream topics"?`},
		{[]string{"topcs"}, `error: unknown command "topcs" of "chargestream"`},
		{[]string{"zzzzzz"}, `hint: see "chargestream --help"`},
		{[]string{"topics", "aply"}, `did you mean "chargestream topics apply"?`},
		{[]string{"dead-letters", "redriv"}, `did you mean "chargestream dead-letters redrive"?`},
		{[]string{"version", "now"}, `takes no argument, not "now"`},
		{[]string{"version", "--jsn"}, `unknown flag: --jsn` + "\nhint: did you mean --json?"},
		{[]string{"invoices", "list", "--stat", "held"}, "did you mean --station or --status?"},
		{[]string{"invoices", "list", "--brokr", "a:1"}, "did you mean --brokers?"},
		{[]string{"invoices", "list", "--zzz"}, `hint: see "chargestream invoices list --help"`},
		{[]string{"invoices", "list", "--timeout", "1"},
			`error: --timeout "1" is no duration` + "\nhint: write 10s, 2m or 1h30m"},
		{[]string{"dead-letters", "list", "--limit", "few"}, `--limit "few" is no whole number`},
		{[]string{"import", "--dry-run=perhaps"}, `--dry-run "perhaps" is neither true nor false`},
		{[]string{"version", "-o", "xml"}, `--output "xml" is neither`},
		{[]string{"topics", "plan"}, "no Kafka broker is given"},
		{[]string{"topics", "plan", "--partitions", "0"}, "--partitions 0 is below 1"},
		{[]string{"topics", "plan", "--brokers", "a:b"}, "--brokers a:b cannot be used"},
		{[]string{"topics", "plan", "--brokers", "a:1", "--timeout", "0s"},
			"--timeout 0s is not between"},
		{[]string{"import"}, "one file is needed, 0 are given"},
		{[]string{"import", "x.csv"}, "no column map is given"},
		{[]string{"dead-letters", "redrive"}, "then give --yes"},
		{[]string{"dead-letters", "list", "--limit", "0"}, "--limit 0 is not between"},
	} {
		t.Run(strings.Join(tc.args, " "), func(t *testing.T) {
			run(t, nil, tc.args...).want(t, exitUsage, "", tc.stderr)
		})
	}
}

func TestErrorsAsJSON(t *testing.T) {
	for _, args := range [][]string{{"topcs", "-o", "json"}, {"version", "--jsn", "-ojson"}} {
		got := run(t, nil, args...)
		got.want(t, exitUsage, "", "{")
		var body struct {
			Error struct{ Code, Message, Hint string }
		}
		if err := json.Unmarshal([]byte(got.stderr), &body); err != nil ||
			body.Error.Code != "usage" || body.Error.Message == "" || body.Error.Hint == "" {
			t.Errorf("%s: %+v, %v", got.stderr, body, err)
		}
	}
}

func TestConfiguration(t *testing.T) {
	file := write(t, "config.yaml",
		"# comment\noutput: json\ntimeout: 3s\nbrokers:\n  - a:1\n  - b:2\n")
	seen := func(env map[string]string, args ...string) *app {
		a := &app{stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{},
			env: func(name string) (string, bool) { text, ok := env[name]; return text, ok }}
		root := a.rootCommand()
		probe := &cobra.Command{Use: "probe",
			RunE: func(*cobra.Command, []string) error { return nil }}
		a.kafkaFlags(probe)
		root.AddCommand(probe)
		root.SetArgs(append([]string{"probe"}, args...))
		if err := root.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		return a
	}
	for _, tc := range []struct {
		env     map[string]string
		args    []string
		brokers string
		timeout time.Duration
	}{
		{nil, nil, "", timeoutDefault},
		{nil, []string{"--config", file}, "a:1 b:2", 3 * time.Second},
		{map[string]string{"CHARGESTREAM_CONFIG": file}, nil, "a:1 b:2", 3 * time.Second},
		{map[string]string{"CHARGESTREAM_CONFIG": file, "CHARGESTREAM_BROKERS": "c:3,d:4"}, nil,
			"c:3 d:4", 3 * time.Second},
		{map[string]string{"CHARGESTREAM_BROKERS": "c:3", "CHARGESTREAM_TIMEOUT": "4s"},
			[]string{"--brokers", "e:5", "--brokers", "f:6"}, "e:5 f:6", 4 * time.Second},
		{map[string]string{"CHARGESTREAM_BROKERS": ""}, []string{"--config", file}, "a:1 b:2",
			3 * time.Second},
	} {
		a := seen(tc.env, tc.args...)
		if got := strings.Join(a.brokers, " "); got != tc.brokers || a.timeout != tc.timeout {
			t.Errorf("%v %v: %q %s, want %q %s", tc.env, tc.args, got, a.timeout, tc.brokers,
				tc.timeout)
		}
	}
}

func TestBadConfiguration(t *testing.T) {
	for name, tc := range map[string]struct{ text, message string }{
		"unknown key": {"timeout: 3s\n\nbrokerz: a:1\n", `:3: unknown key "brokerz"`},
		"twice":       {"timeout: 3s\ntimeout: 4s\n", "timeout"},
		"no YAML":     {"timeout: [3s\n", "is no YAML"},
		"no mapping":  {"- timeout\n", ":1: not a mapping"},
		"bad value":   {"\ntimeout: soon\n", ":2: timeout cannot be used"},
		"list":        {"timeout: [1s, 2s]\n", ":1: timeout cannot be used (one value is needed"},
		"nested":      {"timeout:\n  a: b\n", ":1: timeout has neither one value nor a list"},
		"null":        {"timeout:\n", ":1: timeout has neither"},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, "config.yaml", tc.text)
			run(t, nil, "topics", "plan", "--config", path).want(t, exitInvalid, "", tc.message)
		})
	}
	run(t, map[string]string{"CHARGESTREAM_TIMEOUT": "soon"}, "topics", "plan").
		want(t, exitInvalid, "", `CHARGESTREAM_TIMEOUT="soon" cannot be used`)
	run(t, nil, "topics", "--config", filepath.Join(t.TempDir(), "none")).
		want(t, exitNotFound, "", "none")
	path := write(t, "empty.yaml", "# nothing\n")
	run(t, nil, "version", "--config", path).want(t, exitOK, "chargestream", "")
}

// TestHelp holds the help of every command against its flags: examples that can be parsed, and
// for each flag its environment variable and default.
func TestHelp(t *testing.T) {
	root := (&app{}).rootCommand()
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
		got := run(t, nil, args...)
		got.want(t, exitOK, "\nExamples\n  chargestream ", "")
		if strings.Index(got.stdout, "\nExamples\n") > strings.Index(got.stdout, "\nUsage\n") {
			t.Errorf("%v: the examples are not first:\n%s", args, got.stdout)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			line := "environment: " + envName(f.Name) + "\n"
			if f.Name != "help" && !strings.Contains(got.stdout, line) {
				t.Errorf("%v: no environment variable of --%s:\n%s", args, f.Name, got.stdout)
			}
		})
		for line := range strings.Lines(cmd.Example) {
			words := strings.Fields(line)
			found, rest, err := root.Find(words[1:])
			if err != nil || found == root {
				t.Errorf("example %q names no command: %v", line, err)
			} else if err := found.ParseFlags(rest); err != nil {
				t.Errorf("example %q: %v", line, err)
			}
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
	run(t, nil).want(t, exitOK, "\n  dead-letters   List", "")
}

func TestUnreachableBroker(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	silent := listener.Addr().String() // takes connections and never answers
	defer func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
	}()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := gone.Addr().String()
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	for address, reason := range map[string]string{refused: "refused",
		silent: "no answer within 300ms"} {
		for _, args := range [][]string{{"topics", "check"}, {"dead-letters", "list"}} {
			got := run(t, nil, append(args, "--brokers", address, "--timeout", "300ms")...)
			got.want(t, exitUnreachable, "", "error: cannot reach Kafka at "+address)
			got.want(t, exitUnreachable, "", reason)
			got.want(t, exitUnreachable, "", "\nhint: ")
		}
	}
}

func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	code := Run(ctx, []string{"topics", "check", "--brokers", "127.0.0.1:1"}, &stdout, &stderr,
		func(string) (string, bool) { return "", false })
	if code != exitInterrupted || stderr.String() != "error: interrupted\n" {
		t.Errorf("exit code %d, %s", code, stderr.String())
	}
}
