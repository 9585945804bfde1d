package kafkatest

import (
	"os"
	"testing"
)

func TestTagChoosesTheBroker(t *testing.T) {
	if os.Getenv(BrokersEnv) != "" {
		t.Skip(BrokersEnv, "is set and wins over the tag")
	}
	b := Start(t)
	if b.Real() != realByDefault {
		t.Fatalf("real is %v, built for %v", b.Real(), realByDefault)
	}
	k, ok := b.(*Cluster)
	if !ok {
		return
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if k.nodes[0].process().running() {
		t.Error("the process runs after Close")
	}
	if _, err := os.Stat(k.dir); !os.IsNotExist(err) {
		t.Errorf("the data directory is there after Close: %v", err)
	}
}

func TestFreePorts(t *testing.T) {
	ports, err := freePorts(20)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[int]bool)
	for _, p := range ports {
		if p < portLow || p >= portHigh || seen[p] {
			t.Errorf("port %d of %v is out of range or twice", p, ports)
		}
		seen[p] = true
	}
}
