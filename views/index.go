package views

import (
	"slices"
	"strings"
	"sync"

	"github.com/mailru/easyjson/jlexer"
)

// field names what an index finds keys by.
type field uint8

// The fields of indexes.
const (
	fieldAll        field = iota // every key
	fieldUnreadable              // keys whose value cannot be read, so that lists note them
	fieldUser
	fieldStation
	fieldSite
	fieldMonth // of the booking date, or of the window's begin
	fieldHeld
	fieldState // of any connector
	fieldOpen
	fieldArea // a cell of a grid of the map
)

// term is a field with its value.
type term struct {
	field field
	value string
}

// index holds the keys of a table, and by each term those whose rows have it. It is kept as the
// table changes: a term is found under a key no later than its row.
type index struct {
	// terms are those of a row, besides fieldAll; an error means that it cannot be read. They are a
	// function of their arguments alone: the terms of what a row was are worked out anew.
	terms   func(key string, value []byte) ([]term, error)
	compare func(a, b string) int

	mu   sync.RWMutex
	sets map[term]*ordered
}

// newIndex makes the index of a table and has it kept. Without terms it holds the keys alone.
func newIndex(t Table, terms func(key string, value []byte) ([]term, error)) *index {
	x := &index{terms: terms, compare: strings.Compare, sets: map[term]*ordered{}}
	t.OnChange(x.change)
	return x
}

// change moves a key from the terms of what its row was to those of what it will be.
func (x *index) change(key string, old, row []byte) {
	before, after := x.termsOf(key, old), x.termsOf(key, row)
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, t := range before {
		if !slices.Contains(after, t) {
			x.remove(t, key)
		}
	}
	for _, t := range after {
		if !slices.Contains(before, t) {
			x.add(t, key)
		}
	}
}

// termsOf are all terms of a row; none of one that is not there.
func (x *index) termsOf(key string, row []byte) []term {
	if row == nil {
		return nil
	}
	all := []term{{field: fieldAll}}
	if x.terms == nil {
		return all
	}
	terms, err := x.terms(key, row)
	if err != nil {
		return append(all, term{field: fieldUnreadable})
	}
	return append(all, terms...)
}

func (x *index) add(t term, key string) {
	set := x.sets[t]
	if set == nil {
		set = &ordered{compare: x.compare}
		t.value = strings.Clone(t.value) // it may lie within a row
		x.sets[t] = set
	}
	set.add(key)
}

func (x *index) remove(t term, key string) {
	set := x.sets[t]
	if set == nil {
		return
	}
	if set.remove(key); set.size == 0 {
		delete(x.sets, t)
	}
}

// count is how many keys have a term.
func (x *index) count(t term) int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if set := x.sets[t]; set != nil {
		return set.size
	}
	return 0
}

// read appends keys of a term to a list, from the first one on that is not before a key, as long as
// they are wanted. The index is locked meanwhile.
func (x *index) read(list []string, t term, from string, wanted func(key string) bool) []string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	set := x.sets[t]
	if set == nil {
		return list
	}
	for key := range set.from(from) {
		if !wanted(key) {
			break
		}
		list = append(list, key)
	}
	return list
}

// all are the keys of the table.
func (x *index) all() []set { return []set{{index: x}} }

// with are the keys whose rows have a term, and those of rows that cannot be read.
func (x *index) with(t term) []set {
	return []set{{x, t}, {x, term{field: fieldUnreadable}}}
}

// valued adds a term for a field that has a value.
func valued(terms []term, f field, value string) []term {
	if value == "" {
		return terms
	}
	return append(terms, term{f, value})
}

// eachText calls f with the fields of a JSON object that are texts. The text is f's for as long as
// the value is. It costs a fraction of decoding the object, as whatever else it holds is skipped.
func eachText(value []byte, f func(name, text string)) error {
	in := jlexer.Lexer{Data: value}
	in.Delim('{')
	for !in.IsDelim('}') {
		name := in.UnsafeFieldName(false)
		in.WantColon()
		if in.CurrentToken() == jlexer.TokenString {
			f(name, in.UnsafeString())
		} else {
			in.SkipRecursive()
		}
		in.WantComma()
	}
	in.Delim('}')
	in.Consumed()
	return in.Error()
}
