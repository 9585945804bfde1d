//go:build integration

package kafkatest

// realByDefault says whether Launch starts a real Kafka when no cluster is named.
const realByDefault = true
