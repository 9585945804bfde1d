//go:build faults

package e2e_test

import (
	"bytes"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// sayings are lines of the log that say that something is wrong, and how the table has them.
var sayings = []struct {
	text  *regexp.Regexp
	short string
}{
	{regexp.MustCompile(`msg="does not move .* what=(\S+).* class=(\S+)`), "stall: $1, $2"},
	{regexp.MustCompile(`msg="processor ended and is restarted".* class=(\S+)`), "restart: $1"},
	{regexp.MustCompile(`msg="a hanging transaction was ended.* outcome=(\S+)`),
		"hanging transaction ended: $1"},
	{regexp.MustCompile(`msg="records were deleted before they were read"`),
		"records deleted before they were read"},
	{regexp.MustCompile(`msg="the process ends".* class=(\S+)`), "process ended: $1"},
}

// sayingsMax bounds what is remembered of the log.
const sayingsMax = 10_000

// said is what instances log, line by line, in short. It is safe for concurrent use.
type said struct {
	also io.Writer // gets everything

	mu    sync.Mutex
	part  map[*saidBy][]byte // lines that have no end yet
	lines []string
}

// by is a writer for one instance.
func (s *said) by() io.Writer { return &saidBy{s} }

type saidBy struct{ s *said }

// Write implements io.Writer.
func (w *saidBy) Write(p []byte) (int, error) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	rest := append(w.s.part[w], p...)
	for {
		line, after, found := bytes.Cut(rest, []byte("\n"))
		if !found {
			break
		}
		rest = after
		w.s.line(string(line))
	}
	w.s.part[w] = rest
	return w.s.also.Write(p)
}

// line takes a line; the caller holds mu.
func (s *said) line(text string) {
	for _, saying := range sayings {
		at := saying.text.FindStringSubmatchIndex(text)
		if at == nil || len(s.lines) == sayingsMax {
			continue
		}
		short := saying.text.ExpandString(nil, saying.short, text, at)
		s.lines = append(s.lines, string(short))
	}
}

// since is what was said since a mark, each once and in order, and the next mark.
func (s *said) since(mark int) (list []string, next int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list = slices.Clone(s.lines[mark:])
	slices.Sort(list)
	return slices.Compact(list), len(s.lines)
}

// anyOf reports whether one of the sayings has one of the words.
func anyOf(sayings, words []string) bool {
	return slices.ContainsFunc(words, func(word string) bool {
		return strings.Contains(strings.Join(sayings, "\n"), word)
	})
}
