//go:build integration

package kafkatest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/kafkatest"
)

func TestLaunchKafkaWithoutJarsSaysWhy(t *testing.T) {
	_, err := kafkatest.LaunchCluster(t.Context(), t.TempDir(), 1)
	if err == nil || !strings.Contains(err.Error(), "StorageTool") {
		t.Fatalf("got %v, want Java's own words", err)
	}
}

// TestBehindProxy holds that who connects to the proxy stays behind it, and nobody else does.
func TestBehindProxy(t *testing.T) {
	b, proxies := kafkatest.StartCluster(t, 1)
	proxy := proxies[0]
	kafkatest.MustTopics(t, b, kafkatest.Topic{Name: "behind"})
	cl, err := kgo.NewClient(kgo.SeedBrokers(proxy.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	produce := func() chan error {
		done := make(chan error, 1)
		go func() { done <- cl.ProduceSync(t.Context(), record("behind", "k", "v")).FirstErr() }()
		return done
	}
	if err := <-produce(); err != nil {
		t.Fatal(err)
	}
	proxy.Refuse(true)
	kafkatest.MustProduce(t, b, record("behind", "k", "v"))
	held := produce()
	select {
	case err := <-held:
		t.Errorf("written past a proxy that refuses, with %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	proxy.Refuse(false)
	if err := <-held; err != nil {
		t.Error(err)
	}
}
