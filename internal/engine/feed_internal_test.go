package engine

import (
	"context"
	"testing"

	"github.com/IBM/sarama"
)

// endedClaim has ten records and no more.
type endedClaim struct {
	sarama.ConsumerGroupClaim
	ch chan *sarama.ConsumerMessage
}

func (c endedClaim) Topic() string                            { return "words" }
func (c endedClaim) Partition() int32                         { return 0 }
func (c endedClaim) InitialOffset() int64                     { return 0 }
func (c endedClaim) HighWaterMarkOffset() int64               { return 100 }
func (c endedClaim) Messages() <-chan *sarama.ConsumerMessage { return c.ch }

// TestFeedLeavesNoGap: when a session ends, what is handed on must be a prefix of what came.
func TestFeedLeavesNoGap(t *testing.T) {
	gaps := 0
	for range 200 {
		c := endedClaim{ch: make(chan *sarama.ConsumerMessage, 100)}
		for o := range int64(10) {
			c.ch <- &sarama.ConsumerMessage{Topic: "words", Offset: o}
		}
		close(c.ch)
		i := newInstance(&Processor{Group: "g", Inputs: []string{"words"}}, Config{}, 1)
		i.claimed = map[int32]*claimed{0: {next: map[string]int64{}}}
		h := &handler{i: i}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		out := make(chan *sarama.ConsumerMessage, channelSize)
		h.feed(ctx, newMerger([]sarama.ConsumerGroupClaim{c}, []int64{10}), 0, out)
		close(out)
		want := int64(0)
		for m := range out {
			if m.Offset != want {
				gaps++
				break
			}
			want++
		}
	}
	if gaps > 0 {
		t.Errorf("%d of 200 runs handed on a record after one that was dropped", gaps)
	}
}
