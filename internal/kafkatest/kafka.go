package kafkatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// KafkaVersion is the Apache Kafka that LaunchKafka expects to find.
const KafkaVersion = "4.3.0"

const (
	launchTries    = 3    // a port may be taken between choosing and listening
	logTail        = 2000 // bytes of the broker's own output shown in an error
	clusterID      = "Y2hhcmdlc3RyZWFtdGVzdA"
	cleanerBackoff = "500" // milliseconds between two rounds of log compaction
)

// properties is the broker's configuration; %[1]d is its port, %[2]d the controller's, %[3]s
// the data directory, %[4]d the port that a proxy leads to and %[5]s where that proxy listens:
// clients that ask there are told to stay there. What differs from a production broker is only
// how soon it does things.
const properties = `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[2]d
listeners=PLAINTEXT://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d,PROXIED://127.0.0.1:%[4]d
advertised.listeners=PLAINTEXT://127.0.0.1:%[1]d,PROXIED://%[5]s
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT
log.dirs=%[3]s
num.partitions=4
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
group.min.session.timeout.ms=1000
log.initial.task.delay.ms=500
log.cleaner.backoff.ms=` + cleanerBackoff + `
log.cleaner.dedupe.buffer.size=4194304
`

// kafka is a single-node Apache Kafka in a child process.
type kafka struct {
	cluster
	libs string // directory of jars
	dir  string // configuration, output and data

	mu   sync.Mutex
	proc *process
}

// FindJars returns the directory that `make kafka-jars` fills, looked up from the working
// directory towards the project root.
func FindJars() (string, error) {
	at, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find project root: %w", err)
	}
	for {
		_, err := os.Stat(filepath.Join(at, "go.mod"))
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("find project root: %w", err)
		}
		up := filepath.Dir(at)
		if up == at {
			return "", errors.New("find project root: no go.mod above the working directory")
		}
		at = up
	}
	libs := filepath.Join(at, ".cache", "kafka-"+KafkaVersion)
	if _, err := os.Stat(libs); err != nil {
		return "", fmt.Errorf("jars of Kafka %s: %w (run `make kafka-jars`)", KafkaVersion, err)
	}
	return libs, nil
}

// LaunchKafka starts a real Kafka from the jars in libs: one KRaft node on free loopback ports
// with a new data directory. It takes about 2 s and 250 MB. The caller closes it.
func LaunchKafka(ctx context.Context, libs string) (Broker, error) {
	return LaunchKafkaBehind(ctx, libs, nil)
}

// LaunchKafkaBehind is LaunchKafka with a proxy before the broker, whose target it sets: clients
// that connect to the proxy's address are led through it for good, those that connect to the
// broker's own are not. The proxy stays the caller's; nil for none.
func LaunchKafkaBehind(ctx context.Context, libs string, proxy *Proxy) (Broker, error) {
	var failures error
	for range launchTries {
		k, err := launchKafka(ctx, libs, proxy)
		if err == nil {
			return k, nil
		}
		failures = errors.Join(failures, err)
		if ctx.Err() != nil || !errors.Is(err, errEnded) {
			break
		}
	}
	return nil, fmt.Errorf("launch Kafka %s: %w", KafkaVersion, failures)
}

func launchKafka(ctx context.Context, libs string, proxy *Proxy) (*kafka, error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "chargestream-kafka-")
	if err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	k := &kafka{cluster: cluster{[]string{loopback(ports[0])}}, libs: libs, dir: dir}
	behind := loopback(ports[2]) // where clients of the second listener are sent
	if proxy != nil {
		proxy.Target(behind)
		behind = proxy.Addr()
	}
	text := fmt.Sprintf(properties, ports[0], ports[1], filepath.Join(dir, "data"), ports[2],
		behind)
	if err := os.WriteFile(k.config(), []byte(text), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("write configuration: %w", err), k.Close())
	}
	format := k.java(ctx, "kafka.tools.StorageTool", "format", "-t", clusterID, "-c", k.config())
	if out, err := format.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("format: %w: %s", err, tail(out)), k.Close())
	}
	if err := k.start(ctx); err != nil {
		return nil, errors.Join(err, k.Close())
	}
	return k, nil
}

func (k *kafka) config() string { return filepath.Join(k.dir, "server.properties") }
func (k *kafka) output() string { return filepath.Join(k.dir, "output.log") }

// java prepares a Java process with a small heap and only the quick compiler: tests start many
// brokers and push little through each.
func (k *kafka) java(ctx context.Context, class string, args ...string) *exec.Cmd {
	flags := []string{"-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-cp", filepath.Join(k.libs, "*"), class}
	return exec.CommandContext(ctx, "java", append(flags, args...)...)
}

// start runs the broker on the data there is and waits until it answers.
func (k *kafka) start(ctx context.Context) (err error) {
	out, err := os.OpenFile(k.output(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open output: %w", err)
	}
	// The child has its own descriptor once it runs.
	defer func() { err = errors.Join(err, out.Close()) }()
	// The broker outlives the context of whoever started it.
	cmd := k.java(context.WithoutCancel(ctx), "kafka.Kafka", k.config())
	cmd.Stdout, cmd.Stderr = out, out
	proc, err := startProcess(cmd)
	if err != nil {
		return err
	}
	k.mu.Lock()
	k.proc = proc
	k.mu.Unlock()
	if err := awaitReady(ctx, k.addrs, proc); err != nil {
		said, readErr := os.ReadFile(k.output())
		return errors.Join(fmt.Errorf("%w: %s", err, tail(said)), readErr)
	}
	return nil
}

func (k *kafka) Real() bool { return true }

func (k *kafka) Kill() error {
	if p := k.process(); p != nil {
		return p.kill()
	}
	return nil
}

func (k *kafka) Stop() error {
	if p := k.process(); p != nil {
		return p.stop()
	}
	return nil
}

func (k *kafka) Restart() error {
	if err := k.Stop(); err != nil {
		return err
	}
	return k.start(context.Background())
}

func (k *kafka) Close() error {
	if err := k.Kill(); err != nil {
		return err
	}
	if err := os.RemoveAll(k.dir); err != nil {
		return fmt.Errorf("remove directory: %w", err)
	}
	return nil
}

func (k *kafka) process() *process {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.proc
}

// tail returns the end of a program's output, one line.
func tail(out []byte) string {
	out = bytes.TrimSpace(out)
	return strings.ReplaceAll(string(out[max(0, len(out)-logTail):]), "\n", " | ")
}
