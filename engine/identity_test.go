package engine_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/internal/kafkatest"
)

// TestForeignState runs on one cluster, and then with the same state directory on another: what
// the first left must not show in the second.
func TestForeignState(t *testing.T) {
	dir := t.TempDir()
	for round, n := range []int{7, 3} {
		b := kafkatest.Start(t)
		kafkatest.MustTopics(
			t,
			b,
			kafkatest.Topic{Name: "words", Partitions: 4},
			kafkatest.Topic{
				Name:       "counts",
				Partitions: 4,
			},
			kafkatest.CompactedTopic("wordcount-table"),
		)
		for range n {
			kafkatest.MustProduce(
				t,
				b,
				&kgo.Record{Topic: "words", Key: []byte("w"), Value: []byte("x")},
			)
		}
		runUntilCaughtUp(t, wordCount(), engine.Config{Brokers: b.Addrs(), StateDir: dir,
			Instance: "a", Log: testLog(t)})
		rows := kafkatest.Compacted(kafkatest.MustReadAll(t, b, "wordcount-table", true))
		if got := string(rows["w"]); got != strconv.Itoa(n) {
			t.Errorf("round %d: counted %s, want %d", round, got, n)
		}
	}
}

// TestCorruptState spoils every file of the local tables between two runs: they are rebuilt
// from the changelog, and the count goes on.
func TestCorruptState(t *testing.T) {
	b := kafkatest.Start(t)
	kafkatest.MustTopics(t, b, kafkatest.Topic{Name: "words", Partitions: 4},
		kafkatest.Topic{Name: "counts", Partitions: 4}, kafkatest.CompactedTopic("wordcount-table"))
	c := engine.Config{Brokers: b.Addrs(), StateDir: t.TempDir(), Instance: "a", Log: testLog(t)}
	for range 2 {
		for range 5 {
			kafkatest.MustProduce(
				t,
				b,
				&kgo.Record{Topic: "words", Key: []byte("w"), Value: []byte("x")},
			)
		}
		runUntilCaughtUp(t, wordCount(), c)
		files, err := filepath.Glob(filepath.Join(c.StateDir, "wordcount", "*.*", "*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no files of state: %v", err)
		}
		for _, file := range files {
			if err := os.WriteFile(file, []byte("spoilt"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	rows := kafkatest.Compacted(kafkatest.MustReadAll(t, b, "wordcount-table", true))
	if got := string(rows["w"]); got != "10" {
		t.Errorf("counted %s, want 10", got)
	}
}
