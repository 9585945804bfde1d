package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chargestream/engine"
)

// screen is what a terminal shows of what was written to it: the lines, the last of which is where
// the cursor is.
func screen(t *testing.T, written string) []string {
	t.Helper()
	lines, at := []string{""}, 0
	for len(written) > 0 {
		line := &lines[len(lines)-1]
		switch {
		case strings.HasPrefix(written, "\033[2K"):
			*line, written = "", written[4:]
			continue
		case strings.HasPrefix(written, "\033[0K"):
			*line, written = (*line)[:at], written[4:]
			continue
		case written[0] == '\r':
			at = 0
		case written[0] == '\n':
			lines, at = append(lines, ""), 0
		case written[0] < ' ':
			t.Fatalf("%q is not known to this terminal", written[:4])
		default:
			*line = (*line)[:at] + written[:1] + (*line)[min(at+1, len(*line)):]
			at++
		}
		written = written[1:]
	}
	return lines
}

// barLine is a bar as it is shown: how far, rows read of all, rate, time past and left.
var barLine = regexp.MustCompile(
	`^restoring tables +(\d+)% \[[=>.]{24}\] \((\d+)/(\d+), \d+ rows/s\) \[\w+:\w+\]$`)

// TestRestoreBar restores two tables at a time and logs in between: there is one bar, below whole
// lines, that says how far both are, and none in the end.
func TestRestoreBar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		b := newRestoreBar(&out)
		log := slog.New(slog.NewTextHandler(b, nil))
		b.note(engine.Restore{Group: "stations", Rows: 10, Total: 1000})
		b.note(engine.Restore{Group: "tariffs", Rows: 0, Total: 1000})
		if out.Len() > 0 {
			t.Errorf("a bar is drawn at once: %q", out.String())
		}
		for n := int64(1); n <= 10; n++ {
			time.Sleep(barAfter)
			b.note(engine.Restore{Group: "stations", Rows: 100 * n, Total: 1000, Done: n == 10})
			b.note(engine.Restore{Group: "tariffs", Rows: 50 * n, Total: 1000})
			log.Info("line", "n", n)
			wantBar(t, out.String(), n, fmt.Sprint(150*n), "2000")
		}
		b.note(engine.Restore{Group: "tariffs", Rows: 1001, Total: 1000, Done: true})
		lines := screen(t, out.String())
		if len(lines) != 11 || lines[10] != "" {
			t.Errorf("the bar stays:\n%s", strings.Join(lines, "\n"))
		}
	})
}

func wantBar(t *testing.T, written string, logged int64, rows, total string) {
	t.Helper()
	lines := screen(t, written)
	if int64(len(lines)) != logged+1 {
		t.Fatalf("%d lines after %d were logged:\n%s", len(lines), logged,
			strings.Join(lines, "\n"))
	}
	for n, line := range lines[:logged] {
		if !strings.HasPrefix(line, "time=") || !strings.HasSuffix(line, fmt.Sprint("n=", n+1)) {
			t.Errorf("line %d is torn: %q", n, line)
		}
	}
	bar := barLine.FindStringSubmatch(lines[logged])
	if bar == nil || bar[2] != rows || bar[3] != total {
		t.Errorf("bar %q, want %s of %s", lines[logged], rows, total)
	}
}

// TestRestoreBarGoes: a bar of an attempt that has ended goes, whether another one begins or not.
func TestRestoreBarGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		b := newRestoreBar(&out)
		shown := func() string { // the bar goes by a timer
			b.mu.Lock()
			defer b.mu.Unlock()
			return out.String()
		}
		note := func(rows int64) {
			b.note(engine.Restore{Group: "tariffs", Rows: rows, Total: 100})
		}
		note(10)
		time.Sleep(barAfter)
		note(50)
		wantBar(t, shown(), 0, "50", "100")
		note(5) // from the beginning
		if lines := screen(t, shown()); lines[0] != "" {
			t.Errorf("the old bar stays: %q", lines)
		}
		time.Sleep(barAfter)
		note(20)
		wantBar(t, shown(), 0, "20", "100")
		time.Sleep(barStale + time.Second)
		synctest.Wait()
		if lines := screen(t, shown()); lines[0] != "" {
			t.Errorf("the bar outlives its news: %q", lines)
		}
		note(30)
		time.Sleep(barAfter)
		note(40)
		wantBar(t, shown(), 0, "40", "100")
		b.close()
		if lines := screen(t, shown()); lines[0] != "" {
			t.Errorf("the bar outlives its end: %q", lines)
		}
	})
}

// TestRestoreBarOnABrokenTerminal: drawing fails quietly, logging does not.
func TestRestoreBarOnABrokenTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newRestoreBar(broken{})
		b.note(engine.Restore{Group: "tariffs", Rows: 1, Total: 100})
		time.Sleep(barAfter)
		b.note(engine.Restore{Group: "tariffs", Rows: 2, Total: 100})
		if n, err := b.Write([]byte("line\n")); n != 0 || err == nil {
			t.Errorf("wrote %d bytes, %v", n, err)
		}
		b.close()
	})
}

type broken struct{}

// Write implements io.Writer.
func (broken) Write([]byte) (int, error) { return 0, errors.New("planted") }

func TestNoBarWhereNobodyWatches(t *testing.T) {
	for _, env := range []map[string]string{{"CI": "true"}, {"TERM": "dumb"},
		{"NO_PROGRESS": "1"}} {
		a := &app{env: func(name string) (string, bool) { text, ok := env[name]; return text, ok }}
		if a.drawable() {
			t.Errorf("%v: lines are drawn over", env)
		}
	}
	a := &app{stderr: &bytes.Buffer{}, env: func(string) (string, bool) { return "", false }}
	if !a.drawable() || a.terminal() != nil {
		t.Error("a buffer is taken for a terminal")
	}
}
