package compose_test

import (
	"errors"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"

	"chargestream/tools/compose"
)

// TestKafkaProperties holds the whole set against what must be in it: the image takes none of
// its defaults once one setting is given.
func TestKafkaProperties(t *testing.T) {
	got, err := compose.Properties(load(t, nil).Services["kafka"])
	if err != nil {
		t.Fatal(err)
	}
	want := `advertised.listeners=INNER://kafka:19092,HOST://localhost:9092
auto.create.topics.enable=false
controller.listener.names=CONTROLLER
controller.quorum.voters=1@kafka:29093
default.replication.factor=1
group.initial.rebalance.delay.ms=0
inter.broker.listener.name=INNER
listener.security.protocol.map=INNER:PLAINTEXT,HOST:PLAINTEXT,CONTROLLER:PLAINTEXT
listeners=INNER://:19092,HOST://:9092,CONTROLLER://:29093
log.dirs=/var/lib/kafka/data
min.insync.replicas=1
node.id=1
offsets.topic.replication.factor=1
process.roles=broker,controller
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.replication.factor=1
`
	if diff := cmp.Diff(want, compose.Write(got)); diff != "" {
		t.Errorf("server.properties (-want +got):\n%s", diff)
	}
}

// TestKafkaListeners wants the lists of listeners to agree with each other, with the port that
// is published and with the name that the other services use.
func TestKafkaListeners(t *testing.T) {
	project := load(t, map[string]string{"CHARGESTREAM_KAFKA_PORT": "19999"})
	kafka := project.Services["kafka"]
	properties, err := compose.Properties(kafka)
	if err != nil {
		t.Fatal(err)
	}
	bound := listeners(t, properties["listeners"])
	advertised := listeners(t, properties["advertised.listeners"])
	want := map[string]compose.Listener{
		"INNER": {Name: "INNER", Host: "kafka", Port: "19092"},
		"HOST":  {Name: "HOST", Host: "localhost", Port: "19999"},
	}
	if diff := cmp.Diff(want, advertised); diff != "" {
		t.Errorf("advertised (-want +got):\n%s", diff)
	}
	if got := bound["INNER"].Port; got != advertised["INNER"].Port {
		t.Errorf("the inner listener is bound to %s and advertised as %s", got,
			advertised["INNER"].Port)
	}
	if got := target(kafka.Ports[0]); got != bound["HOST"].Port {
		t.Errorf("port %s is published, the host's listener is bound to %s", got,
			bound["HOST"].Port)
	}
	if kafka.Ports[0].Published != advertised["HOST"].Port {
		t.Errorf("port %s is published, %s is advertised", kafka.Ports[0].Published,
			advertised["HOST"].Port)
	}
	voter := "1@kafka:" + bound["CONTROLLER"].Port
	if got := properties["controller.quorum.voters"]; got != voter {
		t.Errorf("the voters are %q instead of %q", got, voter)
	}
	if id := kafka.Environment["CLUSTER_ID"]; id == nil || len(*id) != 22 {
		t.Errorf("CLUSTER_ID is no UUID in 22 letters of base64: %v", id)
	}
}

func TestProperties(t *testing.T) {
	text := func(s string) *string { return &s }
	var service types.ServiceConfig
	service.Environment = types.MappingWithEquals{
		"KAFKA_PROCESS_ROLES": text("broker"),
		"KAFKA_A__B_C___D":    text("x=y"),
		"KAFKA_HEAP_OPTS":     text("-Xmx1g"),
		"PATH":                text("/bin"),
		"CLUSTER_ID":          text("id"),
	}
	got, err := compose.Properties(service)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("a_b.c-d=x=y\nprocess.roles=broker\n", compose.Write(got)); diff != "" {
		t.Errorf("server.properties (-want +got):\n%s", diff)
	}
	service.Environment["KAFKA_NODE_ID"] = nil
	if _, err := compose.Properties(service); err == nil {
		t.Error("a variable without a value is taken")
	}
	delete(service.Environment, "KAFKA_NODE_ID")
	delete(service.Environment, "CLUSTER_ID")
	if _, err := compose.Properties(service); !errors.Is(err, compose.ErrNotKRaft) {
		t.Errorf("without a cluster id: %v", err)
	}
}

func TestListeners(t *testing.T) {
	wrong := []string{"", "A", "A://", "A://host", "A://host:", "://host:1", "A://h:1,"}
	for _, list := range wrong {
		if got, err := compose.Listeners(list); err == nil {
			t.Errorf("%q is read as %v", list, got)
		}
	}
}

// listeners is a list of listeners by name.
func listeners(t *testing.T, list string) map[string]compose.Listener {
	t.Helper()
	read, err := compose.Listeners(list)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]compose.Listener{}
	for _, listener := range read {
		byName[listener.Name] = listener
	}
	return byName
}
