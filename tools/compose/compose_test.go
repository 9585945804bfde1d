package compose_test

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"

	"chargestream/tools/compose"
)

// root is the root of the project.
var root = filepath.Join("..", "..")

func load(t *testing.T, env map[string]string) *types.Project {
	t.Helper()
	project, err := compose.Load(t.Context(), filepath.Join(root, "docker-compose.yml"), env)
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// TestLoadIsStrict plants what Compose refuses: the other tests are worth nothing if a file that
// is wrong loads.
func TestLoadIsStrict(t *testing.T) {
	const right = "name: x\nservices:\n  a:\n    image: a:1\n"
	read := func(text string) error {
		file := filepath.Join(t.TempDir(), "compose.yml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := compose.Load(t.Context(), file, nil)
		return err
	}
	if err := read(right); err != nil {
		t.Fatalf("a right file does not load: %v", err)
	}
	for name, line := range map[string]string{
		"an unknown key":        "    imagee: a",
		"a wrong type":          "    privileged: [a]",
		"a missing service":     "    depends_on: [b]",
		"a missing volume":      "    volumes: [\"data:/data\"]",
		"one name for two":      "    container_name: only\n    scale: 2",
		"a service of no image": "  b:\n    command: a",
		"a port that is none":   "    ports: [\"a:b\"]",
	} {
		if err := read(right + line + "\n"); err == nil {
			t.Errorf("%s loads", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
}

func TestServices(t *testing.T) {
	project := load(t, nil)
	if project.Name != "chargestream" {
		t.Errorf("the project is called %q", project.Name)
	}
	profiles := map[string][]string{}
	for name, service := range project.Services {
		profiles[name] = service.Profiles
	}
	want := map[string][]string{
		"kafka": nil, "topics": nil, "run": nil, "serve": nil, "simulate": {"demo"},
	}
	if diff := cmp.Diff(want, profiles); diff != "" {
		t.Errorf("services and their profiles (-want +got):\n%s", diff)
	}
	commands := map[string]string{
		"topics":   "topics apply --brokers kafka:19092",
		"run":      "run --brokers kafka:19092 --state-dir /var/lib/chargestream",
		"serve":    "serve --brokers kafka:19092 --http 0.0.0.0:8080",
		"simulate": "simulate --brokers kafka:19092",
	}
	for name, command := range commands {
		service := project.Services[name]
		if got := strings.Join(service.Command, " "); got != command {
			t.Errorf("%s runs %q instead of %q", name, got, command)
		}
		if service.Build == nil || service.Build.Context == "" {
			t.Errorf("%s is not built from the Dockerfile", name)
		}
	}
}

// TestImages wants every image that is pulled to be pinned to a version.
func TestImages(t *testing.T) {
	project := load(t, nil)
	if got := project.Services["kafka"].Image; got != "apache/kafka:4.3.0" {
		t.Errorf("the broker is %q instead of apache/kafka:4.3.0, which the tests boot", got)
	}
	for name, service := range project.Services {
		_, tag, ok := strings.Cut(service.Image, ":")
		if !ok || tag == "" || tag == "latest" {
			t.Errorf("the image %q of %s is not pinned", service.Image, name)
		}
	}
}

// TestPorts wants every published port on the loopback address only, and to be movable.
func TestPorts(t *testing.T) {
	moved := map[string]string{
		"CHARGESTREAM_KAFKA_PORT": "19999",
		"CHARGESTREAM_HTTP_PORT":  "18888",
	}
	for _, c := range []struct {
		env  map[string]string
		want map[string]string
	}{
		{nil, map[string]string{"kafka": "127.0.0.1:9092:9092", "serve": "127.0.0.1:8080:8080"}},
		{moved, map[string]string{
			"kafka": "127.0.0.1:19999:9092", "serve": "127.0.0.1:18888:8080"}},
	} {
		project := load(t, c.env)
		got := map[string]string{}
		for name, service := range project.Services {
			for _, port := range service.Ports {
				got[name] += port.HostIP + ":" + port.Published + ":" + target(port)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("published ports (-want +got):\n%s", diff)
		}
	}
}

// target is the port within the container, in decimal.
func target(port types.ServicePortConfig) string {
	return strconv.FormatUint(uint64(port.Target), 10)
}

// TestRunScales wants nothing on the processor that two instances could not both have.
func TestRunScales(t *testing.T) {
	run := load(t, nil).Services["run"]
	if run.ContainerName != "" {
		t.Errorf("two instances cannot both be called %q", run.ContainerName)
	}
	if run.Hostname != "" {
		t.Errorf("two instances cannot both be the host %q", run.Hostname)
	}
	if len(run.Ports) > 0 {
		t.Errorf("two instances cannot both publish %v", run.Ports)
	}
	var own bool
	for _, volume := range run.Volumes {
		if volume.Source != "" {
			t.Errorf("two instances would share %s", volume.Source)
		}
		own = own || volume.Type == types.VolumeTypeVolume &&
			volume.Target == "/var/lib/chargestream"
	}
	if !own {
		t.Error("the state folder is no volume: it would be lost when the container is restarted")
	}
}

func TestHealthAndOrder(t *testing.T) {
	project := load(t, nil)
	kafka := project.Services["kafka"]
	if kafka.HealthCheck == nil || kafka.HealthCheck.Disable {
		t.Fatal("the broker has no healthcheck")
	}
	test := strings.Join(kafka.HealthCheck.Test, " ")
	inner := "/opt/kafka/bin/kafka-topics.sh --bootstrap-server kafka:19092 --list"
	if !strings.HasPrefix(test, "CMD-SHELL ") || !strings.Contains(test, inner) {
		t.Errorf("the healthcheck does not ask the inner listener: %q", test)
	}
	for _, name := range []string{"topics", "run", "serve", "simulate"} {
		want := map[string]string{"kafka": types.ServiceConditionHealthy}
		if name != "topics" {
			want["topics"] = types.ServiceConditionCompletedSuccessfully
		}
		got := map[string]string{}
		for on, dependency := range project.Services[name].DependsOn {
			got[on] = dependency.Condition
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s waits for (-want +got):\n%s", name, diff)
		}
	}
	if got := project.Services["topics"].Restart; got != "no" {
		t.Errorf("topics is run once, not restarted %q", got)
	}
	if _, ok := project.Volumes["kafka-data"]; !ok {
		t.Error("the broker's data has no named volume")
	}
}

// TestDockerfile holds what an image needs that is built and run without supervision.
func TestDockerfile(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	language := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(module)
	if language == nil {
		t.Fatal("go.mod names no version of Go")
	}
	for what, pattern := range map[string]string{
		"a stage with the Go of go.mod": `(?m)^FROM golang:` + string(language[1]) + ` AS build$`,
		"a binary without C":            `(?m)^RUN CGO_ENABLED=0 go build `,
		"a last stage with nothing":     `(?m)^FROM scratch$`,
		"a user who is not root":        `(?m)^USER [1-9]\d*:[1-9]\d*$`,
		"a state folder of that user":   `(?m)^COPY .*--chown=65532:65532 .* /var/lib/`,
	} {
		if !regexp.MustCompile(pattern).Match(text) {
			t.Errorf("the Dockerfile has not %s", what)
		}
	}
	ignored, err := os.Open(filepath.Join(root, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	defer ignored.Close()
	lines := map[string]bool{}
	for scan := bufio.NewScanner(ignored); scan.Scan(); {
		lines[scan.Text()] = true
	}
	for _, folder := range []string{".git", ".cache"} {
		if !lines[folder] {
			t.Errorf("%s would be sent to the builder", folder)
		}
	}
}
