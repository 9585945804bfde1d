package codecs

import "bytes"

// Bounds of what mayRepeat looks at; what is beyond is read leniently, which is slower.
const (
	repeatBytesMax  = 1 << 15
	repeatFieldsMax = 48
	repeatDepthMax  = 8
)

// fieldName is where the name of a field stands.
type fieldName struct{ at, end uint16 }

// mayRepeat reports whether a field of an object, or of one within it, may come twice in one
// spelling. The value is what the generated code has read, which takes the last of two without a
// word, and some of what is no JSON: where mayRepeat is true the record is read again leniently,
// by a reader that sees both.
func mayRepeat(value []byte) bool {
	if len(value) > repeatBytesMax {
		return true
	}
	var names [repeatFieldsMax]fieldName // of the objects that are open, one behind the other
	var begins [repeatDepthMax]int       // where those of each object begin
	used, depth := 0, 0
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '{':
			if depth == repeatDepthMax {
				return true
			}
			begins[depth] = used
			depth++
		case '}':
			if depth == 0 {
				return true
			}
			depth--
			used = begins[depth]
		case '"':
			at := i + 1
			i = closingQuote(value, at)
			if !namesField(value[min(i+1, len(value)):]) {
				continue
			}
			name := value[at:i]
			if used == repeatFieldsMax || depth == 0 || bytes.IndexByte(name, '\\') >= 0 {
				return true
			}
			for _, n := range names[begins[depth-1]:used] {
				if int(n.end-n.at) == len(name) &&
					string(value[n.at:n.end]) == string(name) {
					return true
				}
			}
			names[used] = fieldName{uint16(at), uint16(i)}
			used++
		}
	}
	return false
}

// closingQuote is where a text ends that begins at a place; the length where it does not end.
func closingQuote(value []byte, at int) int {
	for i := at; i < len(value); i++ {
		switch value[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(value)
}

// namesField reports whether what follows a text makes it the name of a field.
func namesField(rest []byte) bool {
	for _, c := range rest {
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c == ':'
		}
	}
	return false
}
