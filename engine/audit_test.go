package engine

import "testing"

func TestOrphaned(t *testing.T) {
	for name, c := range map[string]struct {
		members map[string][]int32
		member  string
		want    bool
	}{
		"all have an owner":          {map[string][]int32{"a": {0, 2}, "b": {1, 3}}, "a", false},
		"one has no owner":           {map[string][]int32{"a": {0, 2}, "b": {1}}, "a", true},
		"another one does it":        {map[string][]int32{"a": {0, 2}, "b": {1}}, "b", false},
		"one of them has none":       {map[string][]int32{"a": nil, "b": {0, 1, 2}}, "a", true},
		"twice is no two partitions": {map[string][]int32{"a": {0, 1}, "b": {1, 2}}, "a", true},
		"not a member":               {map[string][]int32{"b": {0}}, "a", false},
		"no member":                  {nil, "a", false},
	} {
		if got := orphaned(c.members, 4, c.member); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
