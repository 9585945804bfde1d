package views

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"strings"

	"chargestream/web"
)

// pageMax bounds a page, whatever is asked for: the most that web asks for.
const pageMax = web.LimitMax + 1

// keys is a heap of keys, the least first. A page takes few of many, so that they are not sorted:
// to order a heap takes one pass.
type keys []string

// Len implements heap.Interface.
func (k keys) Len() int { return len(k) }

// Less implements heap.Interface.
func (k keys) Less(i, j int) bool { return k[i] < k[j] }

// Swap implements heap.Interface.
func (k keys) Swap(i, j int) { k[i], k[j] = k[j], k[i] }

// Push implements heap.Interface.
func (k *keys) Push(key any) { *k = append(*k, key.(string)) }

// Pop implements heap.Interface: it takes the last key off the slice.
func (k *keys) Pop() any {
	last := len(*k) - 1
	key := (*k)[last]
	*k = (*k)[:last]
	return key
}

// query is a page of what is in some tables.
type query[T any] struct {
	tables []Table // that must have caught up, and whose keys are listed
	prefix string  // of the keys that can match; empty for all
	page   web.Page
	// read is the item of a key. What is ErrCorrupt, or web.ErrNotFound by now, is passed over.
	read    func(key string) (*T, error)
	matches func(*T) bool
}

// list answers a query. It costs one pass over the keys, and from the cursor on it reads row
// after row until the page is full: the rows of a page where all match, at worst every row.
func list[T any](ctx context.Context, q query[T]) ([]T, error) {
	if err := errors.Join(ctx.Err(), ready(q.tables...)); err != nil {
		return nil, err
	}
	left, err := q.keys(ctx)
	if err != nil {
		return nil, err
	}
	items := []T{}
	limit := min(q.page.Limit, pageMax)
	for last := ""; len(items) < limit && len(left) > 0; {
		key := left[0]
		heap.Pop(&left)
		if key == last {
			continue // it is in two tables
		}
		last = key
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

// keys are those after the cursor that can match.
func (q *query[T]) keys(ctx context.Context) (keys, error) {
	var found keys
	for _, t := range q.tables {
		err := t.Each(func(key string, _ []byte) error {
			if key > q.page.After && strings.HasPrefix(key, q.prefix) {
				found = append(found, key)
			}
			return ctx.Err()
		})
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", t.Topic(), err)
		}
	}
	heap.Init(&found)
	return found, nil
}
