package engine_test

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/internal/kafkatest"
)

func testLog(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}

func TestWordCount(t *testing.T) {
	for _, guarantee := range []engine.Guarantee{engine.ExactlyOnce, engine.AtLeastOnce} {
		t.Run(string(guarantee), func(t *testing.T) {
			b := kafkatest.Start(t)
			kafkatest.MustTopics(t, b, kafkatest.Topic{Name: "words", Partitions: 4},
				kafkatest.Topic{Name: "counts", Partitions: 4},
				kafkatest.CompactedTopic("wordcount-table"))
			p := wordCount()
			c := engine.Config{Brokers: b.Addrs(), StateDir: t.TempDir(), Instance: "a",
				Guarantee: guarantee, Log: testLog(t)}
			const n, words = 2000, 20
			for half := range 2 {
				var records []*kgo.Record
				for i := range n / 2 {
					records = append(records, &kgo.Record{Topic: "words",
						Key: []byte(
							fmt.Sprintf("word-%d", (half*n/2+i)%words),
						), Value: []byte("x")})
				}
				kafkatest.MustProduce(t, b, records...)
				runUntilCaughtUp(t, p, c)
			}
			counts := kafkatest.Compacted(kafkatest.MustReadAll(t, b, "wordcount-table", true))
			for i := range words {
				key := fmt.Sprintf("word-%d", i)
				if got := string(counts[key]); got != strconv.Itoa(n/words) {
					t.Errorf("%s: counted %s, want %d", key, got, n/words)
				}
			}
			if out := kafkatest.MustReadAll(t, b, "counts", true); len(out) != n {
				t.Errorf("%d counts emitted, want %d", len(out), n)
			}
		})
	}
}

// runUntilCaughtUp runs a processor until nothing is left to read, and stops it.
func runUntilCaughtUp(t *testing.T, p *engine.Processor, c engine.Config) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- engine.Run(ctx, p, c) }()
	deadline := time.After(60 * time.Second)
	for {
		lag, err := engine.Lag(ctx, c.Brokers, p)
		if err != nil {
			t.Fatal(err)
		}
		if lag == 0 {
			break
		}
		select {
		case err := <-done:
			t.Fatalf("ended early: %v", err)
		case <-deadline:
			t.Fatalf("%d records are left", lag)
		case <-time.After(20 * time.Millisecond):
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
