//go:build integration

package kafkatest_test

import (
	"strings"
	"testing"

	"chargestream/internal/kafkatest"
)

func TestLaunchKafkaWithoutJarsSaysWhy(t *testing.T) {
	_, err := kafkatest.LaunchKafka(t.Context(), t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "StorageTool") {
		t.Fatalf("got %v, want Java's own words", err)
	}
}
