package why

import (
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"chargestream"
)

// Bounds of the dead letters that are kept in memory and shown.
const (
	// LettersMax bounds those that are kept: at two KiB each they are 20 MiB.
	LettersMax = 10_000
	// letterBytesMax bounds what is kept of a value, in which the session is looked for.
	letterBytesMax = 2 << 10
	// lettersShown bounds those of an answer, of each kind.
	lettersShown = 20
	// valueShown bounds what is shown of a value.
	valueShown = 300
)

// Letters are the newest dead letters, LettersMax at most. The zero value has none. Its methods are
// safe for concurrent use.
type Letters struct {
	mu   sync.RWMutex
	list []chargestream.DeadLetter // a ring once it is full
	next int
}

// Add adds a letter.
func (l *Letters) Add(d chargestream.DeadLetter) {
	d.Value = clip(d.Value, letterBytesMax)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) < LettersMax {
		l.list = append(l.list, d)
		return
	}
	l.list[l.next] = d
	l.next = (l.next + 1) % LettersMax
}

// Of are the letters that name a session, and those of a station that name it not; the newest of
// each, by time. An empty session is none.
func (l *Letters) Of(station chargestream.StationID,
	session chargestream.SessionID) []chargestream.DeadLetter {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return ChooseLetters(l.list, station, session)
}

// ChooseLetters is what Letters.Of gives of a list.
func ChooseLetters(list []chargestream.DeadLetter, station chargestream.StationID,
	session chargestream.SessionID) []chargestream.DeadLetter {
	var named, others []chargestream.DeadLetter
	for _, d := range list {
		mine := d.Key == string(station) || names(d.Value, string(station))
		switch {
		case session != "" && names(d.Value, string(session)) && (mine || station == ""):
			d.NamesSession = true
			named = append(named, d)
		case station != "" && mine:
			others = append(others, d)
		}
	}
	return slices.Concat(newest(named), newest(others))
}

func newest(list []chargestream.DeadLetter) []chargestream.DeadLetter {
	slices.SortStableFunc(list, func(a, b chargestream.DeadLetter) int {
		return int(max(-1, min(1, a.Time-b.Time)))
	})
	list = list[max(0, len(list)-lettersShown):]
	for i := range list {
		list[i].Value = clip(list[i].Value, valueShown)
	}
	return list
}

// names reports whether an id stands in a text by itself: 17 does not stand in 1700 or s-17.
func names(text, id string) bool {
	if id == "" {
		return false
	}
	for at := 0; ; {
		i := strings.Index(text[at:], id)
		if i < 0 {
			return false
		}
		begin, end := at+i, at+i+len(id)
		before, _ := utf8.DecodeLastRuneInString(text[:begin])
		after, _ := utf8.DecodeRuneInString(text[end:])
		// A colon parts a field from a number, so before an id it is not of the id.
		if !partOfID(before) && !partOfID(after) && after != ':' {
			return true
		}
		at = begin + 1
	}
}

func partOfID(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) ||
		strings.ContainsRune("-_.*/", r))
}

// clip cuts a text to a number of bytes, between two characters.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
