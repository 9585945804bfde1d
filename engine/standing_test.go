package engine_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/engine/stall"
	"chargestream/internal/kafkatest"
)

// TestStandingStill looks from outside at a group that has read everything, control records at the
// end included, and then at one whose fold does not end.
func TestStandingStill(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "standing"
	topicsOf(t, b, name)
	p := named(name, wordCount())
	entered, leave := hangAtAWord(p)
	stalls := func() []stall.Stall {
		t.Helper()
		s, err := engine.StandingStill(t.Context(), b.Addrs(), 500*time.Millisecond, p)
		if err != nil || len(s.Hanging) > 0 {
			t.Fatalf("%+v, %v", s, err)
		}
		return s.Stalls
	}
	kafkatest.MustProduce(t, b, put(name+"-words", "a", "x"))
	if got := stalls(); len(got) > 0 {
		t.Errorf("without a member stands still %+v, want nothing", got)
	}
	r := start(t, p, configOf(t, b, "one"))
	transaction(t, b, kgo.TryCommit, put(name+"-words", "a", "y"))
	untilCommitted(t, b, p)
	if got := stalls(); len(got) > 0 {
		t.Errorf("all is read, and stands still %+v", got)
	}
	kafkatest.MustProduce(t, b, put(name+"-words", "a", "hang"))
	<-entered
	got := stalls()
	if len(got) != 1 || got[0].What != stall.Commit || got[0].Group != name ||
		got[0].Topic != name+"-words" || got[0].Reason.Class != stall.CommitSlow {
		t.Errorf("stands still %+v, want the commit of %s-words", got, name)
	}
	close(leave)
	untilCommitted(t, b, p)
	r.stop(t)
}
