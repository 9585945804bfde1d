package engine

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine/broker"
	"chargestream/engine/stall"
)

// SetClock lets a test choose the times at which a watch looks.
func (w *Watch) SetClock(clock func() time.Time) { w.clock = clock }

// LookOnce looks once.
func (w *Watch) LookOnce(ctx context.Context, client *kgo.Client) { w.look(ctx, client) }

// TestOneRestartIsNoStall: a group that has nothing to do after a restart does not stand still; one
// that is restarted every five seconds does, though it is ready in between.
func TestOneRestartIsNoStall(t *testing.T) {
	for name, c := range map[string]struct {
		restarts []int // before which looks, five seconds apart
		want     bool
	}{
		"none":            {nil, false},
		"one":             {[]int{1}, false},
		"two":             {[]int{1, 4}, false},
		"again":           {[]int{1, 2, 3, 4, 5, 6}, true},
		"until one lasts": {[]int{1, 2, 3, 4, 5}, false},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			p := &Processor{Group: "g"}
			w := NewWatch(Config{}, []*Processor{p})
			w.SetClock(func() time.Time { return now })
			i := &instance{p: p, state: State{Group: "g", Member: true}}
			leave := w.enter(i)
			for look := range 8 {
				for _, restart := range c.restarts {
					if restart == look {
						leave()
						w.noteEnd("g", broker.Class{Name: "x", Reason: "why"})
						leave = w.enter(i)
					}
				}
				samples := map[stall.Subject]stall.Sample{}
				w.sampleGroup(now, p, i, nil, samples)
				w.tracker.Note(now, samples)
				now = now.Add(watchEvery)
			}
			if got := len(w.Stalls()) > 0; got != c.want {
				t.Errorf("stands still is %v, want %v: %+v", got, c.want, w.Stalls())
			}
		})
	}
}
