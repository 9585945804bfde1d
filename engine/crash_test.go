package engine_test

import (
	"os"
	"testing"
	"time"

	"chargestream/engine"
	"chargestream/internal/kafkatest"
	"chargestream/internal/seeded"
)

// TestKilled kills the process of an instance at random moments while records flow, and starts it
// again, with its disk or without.
func TestKilled(t *testing.T) {
	for _, c := range []struct {
		name      string
		kind      string
		guarantee engine.Guarantee
		diskLost  bool
		check     func(*testing.T, kafkatest.Broker, string, map[string]int)
	}{
		{"eos-disk", "count", engine.ExactlyOnce, false, expectExact},
		{"eos-no-disk", "count", engine.ExactlyOnce, true, expectExact},
		{"alo-disk", "largest", engine.AtLeastOnce, false, expectLargest},
		{"alo-no-disk", "largest", engine.AtLeastOnce, true, expectLargest},
		{"tables-disk", "tally", engine.ExactlyOnce, false, expectTallied},
		{"tables-no-disk", "tally", engine.ExactlyOnce, true, expectTallied},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() {
				t.Skip("kills take seconds each")
			}
			t.Parallel()
			random := seeded.Rand(t)
			b, name := shared.Broker(t), "killed-"+c.name
			if c.kind == "tally" {
				tallyTopics(t, b, name)
			} else {
				topicsOf(t, b, name)
			}
			dir := t.TempDir()
			task := childTask{Name: name, Kind: c.kind, Brokers: b.Addrs(), StateDir: dir,
				Guarantee: c.guarantee}
			p := kinds(c.kind, name)
			water := startPour(t, b, name+"-words")
			for range kills {
				victim := startChild(t, task)
				before := recordsIn(t, b, name+"-counts")
				enough := before + 20 + random.Int64N(400)
				eventually(t, "the child works", func() bool {
					return recordsIn(t, b, name+"-counts") >= enough
				})
				// Some two commit intervals, so that each part of one is met.
				<-time.After(time.Duration(random.Int64N(int64(100 * time.Millisecond))))
				victim.kill(t)
				expectOffsetsBehindProgress(t, b, p)
				if c.diskLost {
					if err := os.RemoveAll(dir); err != nil {
						t.Fatal(err)
					}
				}
			}
			sent := water.end(t)
			config := quickConfig(b.Addrs(), dir, c.guarantee)
			config.Log = testLog(t)
			runUntilCaughtUp(t, p, config)
			c.check(t, b, name, sent)
			expectLocalIsChangelog(t, b, p, dir)
			expectOffsetsAreProgress(t, b, p)
		})
	}
}
