package main

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"chargestream/engine"
)

// Bounds of the bar.
const (
	// barAfter is how long a restore lasts before there is a bar: one that vanishes at once only
	// flickers.
	barAfter = 500 * time.Millisecond
	// barStale is how long a bar stays without news: the attempt that it was about has ended.
	barStale = 10 * time.Second
	barWidth = 24
)

// terminal is stderr where a person watches it and bars can be drawn, else nil.
func (a *app) terminal() *os.File {
	out, ok := a.stderr.(*os.File)
	if !ok || !term.IsTerminal(int(out.Fd())) || !a.drawable() {
		return nil
	}
	return out
}

// drawable reports whether the environment lets lines be drawn over.
func (a *app) drawable() bool {
	for _, name := range []string{"CI", "NO_PROGRESS"} {
		if text, set := a.env(name); set && text != "" {
			return false
		}
	}
	text, set := a.env("TERM")
	return !set || text != "dumb"
}

// restoreBar is one bar for all tables that are being restored, at the bottom of a terminal. What
// else is written there goes through it, so that nothing tears it.
type restoreBar struct {
	mu    sync.Mutex
	out   io.Writer
	bar   *progressbar.ProgressBar // nil while nothing is restored
	drawn bool
	began time.Time
	parts map[string]engine.Restore // by group
	rows  int64
	total int64
	stale *time.Timer
}

// newRestoreBar draws on a terminal that knows the usual escape sequences.
func newRestoreBar(out io.Writer) *restoreBar {
	return &restoreBar{out: out, parts: map[string]engine.Restore{}}
}

// note is engine.Config.OnRestore.
func (b *restoreBar) note(r engine.Restore) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.parts[r.Group] = r
	var rows, total int64
	done := true
	for _, p := range b.parts {
		rows += min(p.Rows, p.Total)
		total += p.Total
		done = done && p.Done
	}
	if done {
		b.end()
		return
	}
	if b.bar == nil || rows < b.rows || !b.drawn && total != b.total {
		b.begin(total)
	}
	if total != b.total {
		b.bar.ChangeMax64(total)
	}
	b.rows, b.total = rows, total
	b.stale.Reset(barStale)
	if b.drawn = b.drawn || time.Since(b.began) >= barAfter; b.drawn {
		// The bar of the library ends at its maximum and cannot go on from there, as when another
		// table begins.
		b.drew(b.bar.Set64(min(rows, total-1)))
	}
}

// begin makes a bar anew.
func (b *restoreBar) begin(total int64) {
	b.erase()
	b.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(b.out),
		progressbar.OptionSetDescription("restoring tables"), progressbar.OptionShowCount(),
		progressbar.OptionShowIts(), progressbar.OptionSetItsString("rows"),
		progressbar.OptionSetWidth(barWidth), progressbar.OptionSetTheme(progressbar.ThemeASCII),
		progressbar.OptionUseANSICodes(true))
	b.bar.StartWithoutRender()
	b.began, b.drawn, b.rows, b.total = time.Now(), false, 0, total
	if b.stale == nil {
		b.stale = time.AfterFunc(barStale, b.close)
	}
}

// erase takes the bar off the screen.
func (b *restoreBar) erase() {
	if b.drawn {
		b.drew(b.bar.Clear())
	}
}

// end forgets all restores.
func (b *restoreBar) end() {
	b.erase()
	b.bar, b.drawn, b.rows, b.total = nil, false, 0, 0
	clear(b.parts)
	if b.stale != nil {
		b.stale.Stop()
		b.stale = nil
	}
}

// close takes the bar away for good, or until something is restored again.
func (b *restoreBar) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end()
}

// drew takes note of an error of drawing: a terminal that is gone needs no bar.
func (b *restoreBar) drew(err error) {
	if err != nil {
		b.drawn = false
	}
}

// Write implements io.Writer, for whole lines: the bar makes room and comes back below them.
func (b *restoreBar) Write(lines []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.erase()
	n, err := b.out.Write(lines)
	if b.drawn && err == nil {
		b.drew(b.bar.RenderBlank())
	}
	return n, err
}
