// Package compose reads docker-compose.yml the way Compose does, so that tests can say what is
// wrong with it where no container engine is at hand.
//
// It refuses to know what chargestream is: it holds the rules by which the file is read and by
// which Kafka's image turns its environment into a server.properties, and nothing else. That the
// images exist and start is not shown by it.
package compose

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// ErrNotKRaft is returned by Properties for an environment that the image would refuse.
var ErrNotKRaft = errors.New("KAFKA_PROCESS_ROLES and CLUSTER_ID must both be set")

// Load reads the file, with env as the variables that ${NAME} stands for. It holds the file
// against the schema of the Compose specification and against its rules of consistency; the
// services of every profile are in the result.
func Load(ctx context.Context, file string, env map[string]string) (*types.Project, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	details := types.ConfigDetails{
		WorkingDir:  ".",
		ConfigFiles: []types.ConfigFile{{Filename: file, Content: text}},
		Environment: types.Mapping(env),
	}
	project, err := loader.LoadWithContext(ctx, details, func(o *loader.Options) {
		o.Profiles = []string{"*"}
	})
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", file, err)
	}
	return project, nil
}

// notProperties are the variables with the prefix KAFKA_ that the image keeps for its scripts.
func notProperties() []string {
	return []string{"KAFKA_VERSION", "KAFKA_HEAP_OPTS", "KAFKA_LOG4J_OPTS", "KAFKA_OPTS",
		"KAFKA_JMX_OPTS", "KAFKA_JVM_PERFORMANCE_OPTS", "KAFKA_GC_LOG_OPTS",
		"KAFKA_LOG4J_ROOT_LOGLEVEL", "KAFKA_LOG4J_LOGGERS", "KAFKA_TOOLS_LOG4J_LOGLEVEL"}
}

// Properties is the server.properties that the image apache/kafka makes of a service's
// environment.
func Properties(service types.ServiceConfig) (map[string]string, error) {
	properties := map[string]string{}
	for name, value := range service.Environment {
		rest, ok := strings.CutPrefix(name, "KAFKA_")
		if !ok || slices.Contains(notProperties(), name) {
			continue
		}
		if value == nil {
			return nil, fmt.Errorf("%s has no value: it would be that of the caller", name)
		}
		properties[propertyName(rest)] = *value
	}
	id := service.Environment["CLUSTER_ID"]
	if properties["process.roles"] == "" || id == nil || *id == "" {
		return nil, ErrNotKRaft
	}
	return properties, nil
}

// propertyName is the rule of the image: one underscore is a dot, two are an underscore, three
// are a dash.
func propertyName(name string) string {
	marked := strings.ReplaceAll(strings.ToLower(name), "___", "-")
	marked = strings.ReplaceAll(marked, "__", "\x00")
	return strings.ReplaceAll(strings.ReplaceAll(marked, "_", "."), "\x00", "_")
}

// Write is properties as the text of a server.properties, ordered by name.
func Write(properties map[string]string) string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		text.WriteString(name + "=" + properties[name] + "\n")
	}
	return text.String()
}

// Listener is one entry of listeners or advertised.listeners.
type Listener struct {
	Name string
	Host string // empty for every interface
	Port string
}

// Listeners reads a list such as A://host:9092,B://:9093.
func Listeners(list string) ([]Listener, error) {
	var listeners []Listener
	for entry := range strings.SplitSeq(list, ",") {
		name, address, ok := strings.Cut(strings.TrimSpace(entry), "://")
		colon := strings.LastIndexByte(address, ':')
		if !ok || name == "" || colon < 0 || colon == len(address)-1 {
			return nil, fmt.Errorf("listener %q is not NAME://host:port", entry)
		}
		listeners = append(listeners,
			Listener{Name: name, Host: address[:colon], Port: address[colon+1:]})
	}
	return listeners, nil
}
