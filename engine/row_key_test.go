package engine_test

import (
	"testing"

	"chargestream/engine"
)

func TestRowKeys(t *testing.T) {
	for _, tc := range []struct{ key, rest, row string }{
		{"a", "b", "a/b"}, {"a/b", "c/d", "a%2Fb/c/d"}, {"a%2Fb", "", "a%252Fb/"}, {"", "b", "/b"},
	} {
		row := engine.RowKey(tc.key, tc.rest)
		key, rest, ok := engine.ParseRowKey(row)
		if row != tc.row || key != tc.key || rest != tc.rest || !ok {
			t.Errorf("%q and %q are %q, read as %q and %q, %v", tc.key, tc.rest, row, key, rest, ok)
		}
	}
	if _, _, ok := engine.ParseRowKey("a%2Fb"); ok {
		t.Error("a key without a slash is read as that of a row")
	}
}
