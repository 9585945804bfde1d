package codecs_test

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"chargestream/codecs"
)

// field is one field of a random row.
type field struct {
	kind byte // 'b', 'u', 'i' or 't'
	u    uint64
	i    int64
	text string
}

func drawField(t *rapid.T) field {
	return field{kind: rapid.SampledFrom([]byte("buit")).Draw(t, "kind"),
		u: rapid.Uint64().Draw(t, "u"), i: rapid.Int64().Draw(t, "i"),
		text: string(rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "text"))}
}

func (f *field) write(w *codecs.Writer) {
	switch f.kind {
	case 'b':
		w.Byte(byte(f.u))
	case 'u':
		w.Uint(f.u)
	case 'i':
		w.Int(f.i)
	default:
		w.Text(f.text)
	}
}

// read reports whether the next field of a row is f.
func (f *field) read(r *codecs.Reader) bool {
	switch f.kind {
	case 'b':
		return r.Byte() == byte(f.u)
	case 'u':
		return r.Uint() == f.u
	case 'i':
		return r.Int() == f.i
	}
	return r.Text() == f.text
}

func readAll(row []byte, fields []field) (same bool, err error) {
	r, err := codecs.NewReader(row, codecs.KindHour, 3)
	if err != nil {
		return false, err
	}
	same = true
	for i := range fields {
		same = fields[i].read(r) && same
	}
	return same, r.Close()
}

// TestRows holds that a row is read as it was written, and that one that is cut anywhere, or has
// a byte too many, is an error.
func TestRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fields := rapid.SliceOfN(rapid.Custom(drawField), 0, 8).Draw(t, "fields")
		w := codecs.NewWriter(nil, codecs.KindHour, 3)
		for i := range fields {
			fields[i].write(w)
		}
		row := w.Bytes()
		if same, err := readAll(row, fields); err != nil || !same {
			t.Fatalf("row %x: same %v, error %v", row, same, err)
		}
		for n := range row {
			if _, err := readAll(row[:n], fields); !errors.Is(err, codecs.ErrCorrupt) {
				t.Fatalf("row %x cut to %d bytes: error %v", row, n, err)
			}
		}
		long := append(bytes.Clone(row), 0)
		if _, err := readAll(long, fields); !errors.Is(err, codecs.ErrCorrupt) {
			t.Fatalf("row %x: error %v", long, err)
		}
	})
}

func TestGoldenRow(t *testing.T) {
	before := []byte("what was there before")
	w := codecs.NewWriter(bytes.Clone(before), codecs.KindStation, 1)
	w.Byte(0xff)
	w.Uint(0)
	w.Uint(300)
	w.Uint(math.MaxUint64)
	w.Int(-1)
	w.Int(1)
	w.Int(math.MinInt64)
	w.Text("")
	w.Text("é")
	want := []byte{'S', 1, 0xff, 0, 0xac, 0x02,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 1, 2,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0, 2, 0xc3, 0xa9}
	if got, ok := bytes.CutPrefix(w.Bytes(), before); !ok || !bytes.Equal(got, want) {
		t.Errorf("%q, want % x behind what was there before", w.Bytes(), want)
	}
}

func TestNewReaderRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		row  []byte
		want error
	}{
		{"nil", nil, codecs.ErrCorrupt},
		{"empty", []byte{}, codecs.ErrCorrupt},
		{"kind only", []byte{'H'}, codecs.ErrCorrupt},
		{"other kind", []byte{'h', 1}, codecs.ErrCorrupt},
		{"version zero", []byte{'H', 0}, codecs.ErrVersion},
		{"later version", []byte{'H', 4}, codecs.ErrVersion},
		{"last version", []byte{'H', 255}, codecs.ErrVersion},
		{"known version", []byte{'H', 3}, nil},
		{"older version", []byte{'H', 1}, codecs.ErrVersion},
	} {
		r, err := codecs.NewReader(c.row, codecs.KindHour, 3)
		if !errors.Is(err, c.want) || (r == nil) != (c.want != nil) {
			t.Errorf("%s: %v, %v, want %v", c.name, r, err, c.want)
		}
	}
}

// TestFieldsOfNoWriter are fields that no Writer makes: each is an error, and takes no more
// memory than the row.
func TestFieldsOfNoWriter(t *testing.T) {
	long := bytes.Repeat([]byte{0xff}, 11)
	for _, c := range []struct {
		name  string
		bytes []byte
		take  func(*codecs.Reader)
	}{
		{"varint without end", []byte{0x80, 0x80}, func(r *codecs.Reader) { r.Uint() }},
		{"varint too long", long, func(r *codecs.Reader) { r.Uint() }},
		{"signed varint too long", long, func(r *codecs.Reader) { r.Int() }},
		{"text longer than the row", []byte{5, 'a'}, func(r *codecs.Reader) { r.Text() }},
		{"text of 2^63", append(bytes.Repeat([]byte{0x80}, 9), 1),
			func(r *codecs.Reader) { r.Text() }},
		{"list longer than the row", []byte{3, 1, 1}, func(r *codecs.Reader) { r.Count() }},
		{"list of 2^64-1", append(bytes.Repeat([]byte{0xff}, 9), 1),
			func(r *codecs.Reader) { r.Count() }},
	} {
		r, err := codecs.NewReader(append([]byte{'H', 1}, c.bytes...), codecs.KindHour, 1)
		if err != nil {
			t.Fatal(err)
		}
		c.take(r)
		if !r.Failed() || !errors.Is(r.Close(), codecs.ErrCorrupt) {
			t.Errorf("%s: failed %v, error %v", c.name, r.Failed(), r.Close())
		}
		if r.Byte() != 0 || r.Uint() != 0 || r.Int() != 0 || r.Text() != "" || r.Count() != 0 {
			t.Errorf("%s: a value after the error", c.name)
		}
	}
}

func TestCountIsBoundedByTheRow(t *testing.T) {
	r, err := codecs.NewReader([]byte{'H', 1, 2, 7, 7}, codecs.KindHour, 1)
	if err != nil {
		t.Fatal(err)
	}
	if n := r.Count(); n != 2 || r.Failed() {
		t.Errorf("%d elements, failed %v", n, r.Failed())
	}
}
