package codecs

import "testing"

// TestMayRepeat: a name that comes twice in one object is seen, and nothing of what is no JSON
// makes it fail.
func TestMayRepeat(t *testing.T) {
	for text, want := range map[string]bool{
		`{}`:                                   false,
		`{"a":1,"b":2}`:                        false,
		`{"a":1,"b":2,"a":1}`:                  true,
		`{"a" : "a", "b" : "a"}`:               false,
		`{"a":{"a":1},"b":[{"a":1},{"a":2}]}`:  false,
		`{"a":{"b":1,"b":2}}`:                  true,
		`{"a":[{"b":1,"c":2},{"b":1,"b":2}]}`:  true,
		`{"a":{"b":1},"b":1,"a":2}`:            true,
		`{"a":"\"a\":1,","b":"\\","c":"\\\""}`: false,
		`{"a":"\\","a":1}`:                     true,
		`{"\u0061":1}`:                         true, // it is not looked into
		`{"a":[}],"b":1}`:                      true,
		`}`:                                    true,
		`"a":1`:                                true,
		`{"a`:                                  false,
		`{"a\"`:                                false,
		`{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{}}}}}}}}}`: true, // too deep to look into
	} {
		if got := mayRepeat([]byte(text)); got != want {
			t.Errorf("%s: %t, want %t", text, got, want)
		}
	}
}
