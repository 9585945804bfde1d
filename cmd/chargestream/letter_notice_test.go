package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chargestream/topics"
)

// lockedText is a log that is read while it may be written.
type lockedText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestNoticeOfDeadLetters: the first is said within a second, the next ones together, and what is
// left at the end is said then.
func TestNoticeOfDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedText
		n := &letterNotice{}
		stop := n.start(context.Background(), slog.New(slog.NewTextHandler(&out, nil)),
			[]string{"b:1"})
		lines := func() int {
			synctest.Wait() // until what is due was said
			return strings.Count(out.String(), "\n")
		}
		time.Sleep(noticeEvery)
		if lines() != 0 {
			t.Fatalf("without a letter: %s", out.String())
		}
		n.add(topics.Heartbeats, "late")
		time.Sleep(noticeSoon + time.Millisecond)
		if lines() != 1 || !strings.Contains(out.String(), `count=1 of="heartbeats late 1"`) ||
			!strings.Contains(out.String(), "dead-letters list --brokers b:1") {
			t.Fatalf("the first: %s", out.String())
		}
		for range 5 {
			n.add(topics.Heartbeats, "late")
			n.add(topics.MeterValues, "malformed")
			time.Sleep(time.Second)
		}
		if lines() != 1 {
			t.Errorf("each is said apart: %s", out.String())
		}
		time.Sleep(noticeEvery)
		if lines() != 2 || !strings.Contains(out.String(),
			`count=10 of="heartbeats late 5, meter-values malformed 5"`) {
			t.Errorf("the next: %s", out.String())
		}
		n.add(topics.Tariffs, "tariff_refused")
		stop()
		if lines() != 3 || !strings.Contains(out.String(), "tariffs tariff_refused 1") {
			t.Errorf("the last: %s", out.String())
		}
	})
}
