//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"chargestream/benchmarks/internal/harness"
	"chargestream/internal/kafkatest"
	"chargestream/topics"
)

// commitLook is how often the committed offsets of a group are read.
const commitLook = 50 * time.Millisecond

// progress is how far a group has committed its inputs, as it was seen.
type progress struct {
	first, last     int64
	firstAt, lastAt time.Time
	firstCPU        time.Duration // what the process had used by the first commit
}

// add notes that so many events are committed at a moment.
func (p *progress) add(events int64, at time.Time) {
	if events <= p.last {
		return
	}
	if p.first == 0 {
		p.first, p.firstAt = events, at
	}
	p.last, p.lastAt = events, at
}

// rate is events a second from the first commit to the last; zero where there is only one.
func (p *progress) rate() float64 {
	if p.last == p.first {
		return 0
	}
	return float64(p.last-p.first) / p.lastAt.Sub(p.firstAt).Seconds()
}

// watchCommits looks at the committed offsets of a program's group until the function that it
// returns is called. A program spends seconds with its start and its end, and with reference data;
// this is what it does with events.
func (s *stage) watchCommits(group string, c *child) func() (progress, error) {
	ctx, cancel := context.WithCancel(context.Background())
	var seen progress
	done := make(chan error, 1)
	go func() {
		done <- harness.Admin(s.addr, func(adm *kadm.Client) error {
			for {
				// A group that does not exist yet has no offsets.
				if n, err := committed(ctx, adm, group); err == nil {
					seen.add(n, time.Now())
					// Of a process that has ended there is no CPU time to be read.
					if cpu, err := c.LiveCPU(); err == nil && seen.firstCPU == 0 && n > 0 {
						seen.firstCPU = cpu
					}
				}
				if kafkatest.Pause(ctx, commitLook) != nil {
					return nil
				}
			}
		})
	}()
	return func() (progress, error) {
		cancel()
		err := <-done
		return seen, err
	}
}

// committed is how many events a group has committed.
func committed(ctx context.Context, adm *kadm.Client, group string) (int64, error) {
	offsets, err := adm.FetchOffsets(ctx, group)
	if err != nil {
		return 0, fmt.Errorf("offsets of group %s: %w", group, err)
	}
	var n int64
	offsets.Each(func(o kadm.OffsetResponse) {
		switch o.Topic {
		case topics.StationStatus, topics.ChargingSessions, topics.MeterValues:
			if o.Err == nil {
				n += max(o.At, 0)
			}
		}
	})
	return n, nil
}
