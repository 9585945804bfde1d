package web

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Bounds of a page. They stand once more in the tags of PageInput.
const (
	// LimitDefault is how many items a page has where the client does not say.
	LimitDefault = 100
	// LimitMax bounds how many items a client can ask for at once.
	LimitMax = 1000
)

// keyBytesMax bounds a key, and so an id in a path: the key of a window has two identifiers of
// 255 bytes and a time.
const keyBytesMax = 1024

// Page is the part of a list that is asked for.
type Page struct {
	// After is the key of the last item that the client has; empty for the first page.
	After string
	// Limit is how many items to return at most, 1 to LimitMax + 1: one more than the client
	// gets shows whether a page follows.
	Limit int
}

// Cut is a page of items, which hold the whole list in any order under keys that differ. It makes
// each key once, leaves items as they are and returns a slice of its own.
func Cut[T any](items []T, key func(*T) string, page Page) []T {
	type entry struct {
		key  string
		item *T
	}
	var rest []entry
	for i := range items {
		if k := key(&items[i]); k > page.After || page.After == "" {
			rest = append(rest, entry{k, &items[i]})
		}
	}
	slices.SortFunc(rest, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	rest = rest[:min(len(rest), max(page.Limit, 0))]
	cut := make([]T, 0, len(rest))
	for _, e := range rest {
		cut = append(cut, *e.item)
	}
	return cut
}

// PageInput is the parameters that every list takes. It is exported only because huma looks into
// no embedded type that is not.
type PageInput struct {
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Most items to return"`
	// Cursor is base64 of a key and the list's name.
	Cursor string `query:"cursor" maxLength:"1400" doc:"The next of the page before; opaque"`
}

// list is the body of every answer with many items.
type list[T any] struct {
	Items []T    `json:"items" nullable:"false"`
	Next  string `json:"next,omitempty" doc:"Cursor of the next page; absent on the last one"`
}

// listOutput is a list as huma writes it.
type listOutput[T any] struct {
	Body list[T]
}

// itemOutput is a single item as huma writes it.
type itemOutput[T any] struct {
	Body T
}

// errCursor is returned by readCursor.
var errCursor = errors.New("not a cursor of this list")

// writeCursor makes the cursor that continues a list after a key.
func writeCursor(list, key string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(list + "\n" + key))
}

// readCursor is the key of a cursor of this list.
func readCursor(list, cursor string) (string, error) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return "", errCursor
	}
	key, ok := strings.CutPrefix(string(text), list+"\n")
	if !ok || checkText(key) != nil {
		return "", errCursor
	}
	return key, nil
}

// readList reads one page of the list of this name and says how it goes on.
func readList[T any](
	ctx context.Context, a *api, name string, in PageInput, key func(*T) string,
	read func(Page) ([]T, error),
) (list[T], error) {
	page := Page{Limit: in.Limit + 1}
	if in.Cursor != "" {
		after, err := readCursor(name, in.Cursor)
		if err != nil {
			return list[T]{}, huma.Error422UnprocessableEntity(`query.cursor: not a cursor of `+
				name+`; pass the "next" of the page before as it is, or leave cursor out to begin`,
				&huma.ErrorDetail{Message: err.Error(), Location: "query.cursor", Value: in.Cursor})
		}
		page.After = after
	}
	items, err := read(page)
	if err != nil {
		return list[T]{}, a.problem(ctx, err, "")
	}
	out := list[T]{Items: items}
	if len(items) > in.Limit {
		out.Items = items[:in.Limit]
		out.Next = writeCursor(name, key(&items[in.Limit-1]))
	}
	if out.Items == nil {
		out.Items = []T{}
	}
	return out, nil
}
