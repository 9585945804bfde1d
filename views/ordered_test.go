package views

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// check holds the set against the sorted list of the same keys, and its own bounds.
func (o *ordered) check(t *rapid.T, want []string) {
	var got []string
	for _, c := range o.chunks {
		if len(c) == 0 || len(c) > chunkMax {
			t.Fatalf("a chunk of %d keys", len(c))
		}
		got = append(got, c...)
	}
	if !slices.Equal(got, want) || o.size != len(want) {
		t.Fatalf("%d keys %q, size %d, want %q", len(got), got, o.size, want)
	}
}

// TestOrderedIsASortedList holds a set against a list through runs of keys that come in their
// order, against it or anyhow, long enough for chunks to be cut and to vanish.
func TestOrderedIsASortedList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := &ordered{compare: strings.Compare}
		var want []string
		for range rapid.IntRange(1, 6).Draw(t, "runs") {
			from := rapid.IntRange(0, 3000).Draw(t, "from")
			count := rapid.IntRange(0, 1200).Draw(t, "count")
			step := rapid.SampledFrom([]int{1, -1, 7, 1009}).Draw(t, "step")
			add := rapid.Bool().Draw(t, "add")
			for i := range count {
				key := fmt.Sprintf("%05d", 50000+from+i*step)
				at, there := slices.BinarySearch(want, key)
				switch {
				case add && !there:
					want = slices.Insert(want, at, key)
				case !add && there:
					want = slices.Delete(want, at, at+1)
				}
				if add {
					o.add(key)
				} else {
					o.remove(key)
				}
			}
			o.check(t, want)
		}
		from := fmt.Sprintf("%05d", rapid.IntRange(40000, 60000).Draw(t, "read from"))
		at, _ := slices.BinarySearch(want, from)
		if got := slices.Collect(o.from(from)); !slices.Equal(got, want[at:]) {
			t.Fatalf("from %s: %d keys, want %d", from, len(got), len(want)-at)
		}
	})
}

// TestSortedKeysFillChunks: keys that come in their order leave no chunk half empty.
func TestSortedKeysFillChunks(t *testing.T) {
	o := &ordered{compare: strings.Compare}
	for i := range 10 * chunkMax {
		o.add(fmt.Sprintf("%06d", i))
	}
	if len(o.chunks) != 10 {
		t.Errorf("%d chunks for %d keys", len(o.chunks), o.size)
	}
}

// unread is a Table that only changes.
type unread struct {
	Table
	change func(key string, old, row []byte)
}

// OnChange implements Table.
func (u *unread) OnChange(f func(key string, old, row []byte)) { u.change = f }

// TestIndexForgets: nothing is kept of rows that are gone, nor of terms that no row has any more.
func TestIndexForgets(t *testing.T) {
	u := &unread{}
	x := newIndex(u, func(_ string, value []byte) ([]term, error) {
		if len(value) == 0 {
			return nil, errKey
		}
		return valued(nil, fieldUser, string(value)), nil
	})
	const rows = 3 * chunkMax
	key := func(i int) string { return fmt.Sprintf("%04d", i) }
	for i := range rows {
		u.change(key(i), nil, []byte{'u', byte('a' + i%2)})
	}
	u.change(key(0), []byte("ua"), []byte{})
	u.change(key(1), []byte("ub"), []byte("ua"))
	for _, want := range []struct {
		term  term
		count int
	}{{term{}, rows}, {term{fieldUser, "ua"}, rows / 2}, {term{fieldUser, "ub"}, rows/2 - 1},
		{term{field: fieldUnreadable}, 1}} {
		if got := x.count(want.term); got != want.count {
			t.Errorf("%+v: %d keys instead of %d", want.term, got, want.count)
		}
	}
	u.change(key(0), []byte{}, nil)
	u.change(key(1), []byte("ua"), nil)
	for i := 2; i < rows; i++ {
		u.change(key(i), []byte{'u', byte('a' + i%2)}, nil)
	}
	if len(x.sets) != 0 {
		t.Errorf("left when all rows are gone: %v", x.sets)
	}
}

func TestEachText(t *testing.T) {
	for _, tc := range []struct{ value, want string }{
		{`{}`, ""},
		{` {"a":"x","b":{"a":"no","c":["no"]},"d":1.5e3,"e":null,"f":true,"g":[{}],"h":""} `,
			"a=x h="},
		{`{"a":"\u00e9 \"quoted\" \\","b":"é"}`, `a=é "quoted" \ b=é`},
		{`{"a":"x"`, "error"}, {`{"a":"x"}}`, "error"}, {`["a"]`, "error"}, {`null`, "error"},
		{``, "error"}, {`{"a" "x"}`, "error"}, {`{"a":"x`, "error"},
	} {
		var got []string
		err := eachText([]byte(tc.value), func(name, text string) {
			got = append(got, strings.Clone(name)+"="+strings.Clone(text))
		})
		if text := strings.Join(got, " "); (err != nil) != (tc.want == "error") ||
			err == nil && text != tc.want {
			t.Errorf("%s: %q, %v", tc.value, text, err)
		}
	}
}

// TestIndexWhileItIsRead: what is there all the time is always found, in its order, whatever
// changes beside it.
func TestIndexWhileItIsRead(t *testing.T) {
	u := &unread{}
	x := newIndex(u, func(_ string, value []byte) ([]term, error) {
		return valued(nil, fieldUser, string(value)), nil
	})
	const writers, keys = 3, 2 * chunkMax
	for i := range keys {
		u.change(fmt.Sprintf("%04d-", i), nil, []byte("stays"))
	}
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range keys {
				u.change(fmt.Sprintf("%04d-%d", i, w), nil, []byte("stays"))
			}
			for i := range keys {
				u.change(fmt.Sprintf("%04d-%d", i, w), []byte("stays"), []byte("leaves"))
			}
		})
	}
	ended := make(chan struct{})
	go func() { writing.Wait(); close(ended) }()
	for more := true; more; {
		select {
		case <-ended:
			more = false
		default:
		}
		q := query[string]{choices: [][]set{{{x, term{fieldUser, "stays"}}}}}
		last, found := "", 0
		for walk := q.keys(); ; {
			key, ok := walk.next()
			if !ok {
				break
			}
			if key <= last {
				t.Fatalf("%s comes after %s", key, last)
			}
			if last = key; strings.HasSuffix(key, "-") {
				found++
			}
		}
		if found != keys || !more && x.count(term{fieldUser, "stays"}) != keys {
			t.Fatalf("%d of %d keys were found", found, keys)
		}
	}
}
