package views

import (
	"context"
	"errors"
	"strings"

	"chargestream/web"
)

// pageMax bounds a page, whatever is asked for: the most that web asks for.
const pageMax = web.LimitMax + 1

// readAhead bounds how many keys are taken out of an index at once.
const readAhead = 256

// set is the keys of an index that have a term.
type set struct {
	index *index
	term  term
}

// query is a page of what is in some tables.
type query[T any] struct {
	tables []Table // that must have caught up
	// Each choice is sets whose union holds every key that can match. The smallest is read.
	choices [][]set
	prefix  string // of the keys that can match; empty for all
	page    web.Page
	// read is the item of a key. What is ErrCorrupt, or web.ErrNotFound by now, is passed over.
	read    func(key string) (*T, error)
	matches func(*T) bool
}

// list answers a query. From the cursor on it reads row after row until the page is full: the rows
// of a page where all match, at worst every row of the smallest choice.
func list[T any](ctx context.Context, q query[T]) ([]T, error) {
	if err := errors.Join(ctx.Err(), ready(q.tables...)); err != nil {
		return nil, err
	}
	items := []T{}
	limit := min(q.page.Limit, pageMax)
	for keys := q.keys(); len(items) < limit; {
		key, ok := keys.next()
		if !ok || !strings.HasPrefix(key, q.prefix) {
			break
		}
		item, err := q.read(key)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, ErrCorrupt) || errors.Is(err, web.ErrNotFound):
		case err != nil:
			return nil, err
		case q.matches(item):
			items = append(items, *item)
		}
	}
	return items, nil
}

// keys are those of the smallest choice, from the cursor on.
func (q *query[T]) keys() *walk {
	from := q.prefix
	if after := q.page.After; after >= from && after != "" {
		from = following(after)
	}
	least, best := -1, q.choices[0]
	for _, choice := range q.choices {
		n := 0
		for _, s := range choice {
			n += s.index.count(s.term)
		}
		if least < 0 || n < least {
			least, best = n, choice
		}
	}
	w := &walk{}
	for _, s := range best {
		w.heads = append(w.heads, head{set: s, from: from})
	}
	return w
}

// following is the first key after a key, in the order of bytes.
func following(key string) string { return key + "\x00" }

// walk goes through the keys of sets in their order, each key once.
type walk struct{ heads []head }

// head is where a walk is in one set.
type head struct {
	set
	from string   // the first key that was not taken out of the index yet
	keys []string // those that were, and come next
	read int      // how many were at last
}

// next is the next key; false at the end.
func (w *walk) next() (string, bool) {
	least := ""
	found := false
	for i := range w.heads {
		h := &w.heads[i]
		h.fill()
		if len(h.keys) > 0 && (!found || h.keys[0] < least) {
			least, found = h.keys[0], true
		}
	}
	for i := range w.heads {
		if h := &w.heads[i]; found && len(h.keys) > 0 && h.keys[0] == least {
			h.keys = h.keys[1:]
		}
	}
	return least, found
}

// fill takes keys out of the index where none are left: few at first, as a page may be small.
func (h *head) fill() {
	if len(h.keys) > 0 || h.read < 0 {
		return
	}
	n := min(max(2*h.read, 8), readAhead)
	left := n
	h.keys = h.index.read(nil, h.term, h.from, func(string) bool { left--; return left >= 0 })
	if h.read = n; len(h.keys) < n {
		h.read = -1 // it is the end
	}
	if len(h.keys) > 0 {
		h.from = following(h.keys[len(h.keys)-1])
	}
}
