//go:build integration

package compose_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chargestream/tools/compose"
)

// jars is the folder that `make kafka-jars` fills.
var jars = filepath.Join(root, ".cache", "kafka-4.3.0")

// bootTimeout bounds the start of a broker; it takes three seconds on two cores.
const bootTimeout = time.Minute

// TestKafkaBoots starts a real Kafka with the environment of docker-compose.yml and asks it what
// the healthcheck asks. Only ports and folder are other ones. It shows that the set is whole and
// that Kafka takes it, not that the image is there.
func TestKafkaBoots(t *testing.T) {
	if _, err := os.Stat(jars); err != nil {
		t.Fatalf("no jars of Kafka (run make kafka-jars): %v", err)
	}
	kafka := load(t, nil).Services["kafka"]
	properties, err := compose.Properties(kafka)
	if err != nil {
		t.Fatal(err)
	}
	inner := remap(t, properties)
	dir := t.TempDir()
	properties["log.dirs"] = filepath.Join(dir, "data")
	file := filepath.Join(dir, "server.properties")
	if err := os.WriteFile(file, []byte(compose.Write(properties)), 0o600); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), bootTimeout)
	defer cancel()
	java(ctx, t, "kafka.tools.StorageTool", "format", "-t", *kafka.Environment["CLUSTER_ID"],
		"-c", file)
	start(ctx, t, file)
	await(ctx, t, inner)

	const tool = "org.apache.kafka.tools.TopicCommand"
	list := func() string {
		return strings.TrimSpace(java(ctx, t, tool, "--bootstrap-server", inner, "--list"))
	}
	if got := list(); got != "" {
		t.Errorf("a new broker has topics: %q", got)
	}
	java(ctx, t, tool, "--bootstrap-server", inner, "--create", "--topic", "a", "--partitions", "2")
	if got := list(); got != "a" {
		t.Errorf("the broker lists %q after a was created", got)
	}
}

// remap moves every listener to a free port of this machine and returns the inner one's address.
func remap(t *testing.T, properties map[string]string) string {
	t.Helper()
	addresses := map[string]string{}
	var bound []string
	for name := range listeners(t, properties["listeners"]) {
		addresses[name] = free(t)
		bound = append(bound, name+"://"+addresses[name])
	}
	var advertised []string
	for name := range listeners(t, properties["advertised.listeners"]) {
		advertised = append(advertised, name+"://"+addresses[name])
	}
	properties["listeners"] = strings.Join(bound, ",")
	properties["advertised.listeners"] = strings.Join(advertised, ",")
	properties["controller.quorum.voters"] = properties["node.id"] + "@" +
		addresses[properties["controller.listener.names"]]
	return addresses[properties["inter.broker.listener.name"]]
}

// free is an address on which no process listens.
func free(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return listener.Addr().String()
}

// java runs a class of Kafka's jars to its end and returns what it printed.
func java(ctx context.Context, t *testing.T, args ...string) string {
	t.Helper()
	var errs strings.Builder
	command := exec.CommandContext(ctx, "java",
		append([]string{"-Xmx256m", "-cp", filepath.Join(jars, "*")}, args...)...)
	command.Stderr = &errs
	out, err := command.Output()
	if err != nil {
		t.Fatalf("java %s: %v\n%s%s", strings.Join(args, " "), err, out, errs.String())
	}
	return string(out)
}

// start starts the broker and ends it with the test.
func start(ctx context.Context, t *testing.T, file string) {
	t.Helper()
	var output strings.Builder
	command := exec.CommandContext(ctx, "java", "-Xmx512m", "-cp", filepath.Join(jars, "*"),
		"kafka.Kafka", file)
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := command.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("end the broker: %v", err)
		}
		var ended *exec.ExitError
		if err := command.Wait(); err != nil && !errors.As(err, &ended) {
			t.Errorf("wait for the broker: %v", err)
		}
		if t.Failed() {
			t.Logf("the broker said:\n%s", output.String())
		}
	})
}

// await returns when a process listens on the address.
func await(ctx context.Context, t *testing.T, address string) {
	t.Helper()
	var dialer net.Dialer
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err == nil {
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("no broker on %s: %v", address, err)
		case <-tick.C:
		}
	}
}
