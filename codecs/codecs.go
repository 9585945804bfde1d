// Package codecs is bytes to values and back: the JSON that stations and operators write, and
// the primitives of the binary rows that tables keep.
//
// It refuses to know what a row means, in which topic a record lies and what is done with it.
// Every decoder is total: any bytes give a value or an error, never a panic.
package codecs

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrCorrupt is returned by Reader for bytes that no Writer made.
var ErrCorrupt = errors.New("corrupt row")

// ErrVersion is returned by NewReader for a row that a later version of the program wrote.
var ErrVersion = errors.New("row of an unknown version")

// Kind is the first byte of every binary row: which table it is of.
type Kind byte

// The kinds of binary row. docs/format draws each.
const (
	KindStation  Kind = 'S'
	KindSession  Kind = 'C'
	KindHour     Kind = 'H'
	KindRegistry Kind = 'R'
	KindTariff   Kind = 'T'
)

// Writer appends the fields of a row. The zero Writer is empty; Bytes is valid until the next
// append.
type Writer struct{ buf []byte }

// NewWriter appends a row of a kind and a version to buf, which the writer then owns.
func NewWriter(buf []byte, kind Kind, version byte) *Writer {
	return &Writer{buf: append(buf, byte(kind), version)}
}

// Bytes is the row so far.
func (w *Writer) Bytes() []byte { return w.buf }

// Byte appends one byte.
func (w *Writer) Byte(b byte) { w.buf = append(w.buf, b) }

// Uint appends an unsigned number as a varint (LEB128, as encoding/binary).
func (w *Writer) Uint(v uint64) { w.buf = binary.AppendUvarint(w.buf, v) }

// Int appends a signed number as a zigzag varint.
func (w *Writer) Int(v int64) { w.buf = binary.AppendVarint(w.buf, v) }

// Text appends a text: its length as a varint, then its bytes.
func (w *Writer) Text(s string) {
	w.buf = binary.AppendUvarint(w.buf, uint64(len(s)))
	w.buf = append(w.buf, s...)
}

// Reader takes the fields of a row in the order in which they were written. After the first
// error every call returns zero, and Close tells the error: callers check once, at the end.
type Reader struct {
	buf []byte
	err error
}

// NewReader opens a row. It returns ErrCorrupt for another kind and ErrVersion for another version
// than the one that the caller understands: a table whose rows changed is rebuilt by replay.
func NewReader(row []byte, kind Kind, version byte) (*Reader, error) {
	if len(row) < 2 || Kind(row[0]) != kind {
		return nil, fmt.Errorf("%w: not of kind %q", ErrCorrupt, byte(kind))
	}
	if row[1] != version {
		return nil, fmt.Errorf("%w: version %d, %d is known", ErrVersion, row[1], version)
	}
	return &Reader{buf: row[2:]}, nil
}

// Close returns the first error, or ErrCorrupt where bytes are left over.
func (r *Reader) Close() error {
	if r.err == nil && len(r.buf) != 0 {
		return fmt.Errorf("%w: %d bytes left over", ErrCorrupt, len(r.buf))
	}
	return r.err
}

func (r *Reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrCorrupt, what)
	}
	r.buf = nil
}

// Failed reports whether a field could not be read, so that loops can end early.
func (r *Reader) Failed() bool { return r.err != nil }

// Byte takes one byte.
func (r *Reader) Byte() byte {
	if len(r.buf) == 0 {
		r.fail("row ends early")
		return 0
	}
	b := r.buf[0]
	r.buf = r.buf[1:]
	return b
}

// Uint takes an unsigned varint.
func (r *Reader) Uint() uint64 {
	v, n := binary.Uvarint(r.buf)
	if n <= 0 {
		r.fail("bad varint")
		return 0
	}
	r.buf = r.buf[n:]
	return v
}

// Int takes a zigzag varint.
func (r *Reader) Int() int64 {
	v, n := binary.Varint(r.buf)
	if n <= 0 {
		r.fail("bad varint")
		return 0
	}
	r.buf = r.buf[n:]
	return v
}

// Text takes a text.
func (r *Reader) Text() string {
	n := r.Uint()
	if n > uint64(len(r.buf)) {
		r.fail("text ends early")
		return ""
	}
	s := string(r.buf[:n])
	r.buf = r.buf[n:]
	return s
}

// Count takes the length of a list whose elements take at least one byte each, so that a
// corrupt length cannot make anybody allocate more than the row is long.
func (r *Reader) Count() int {
	n := r.Uint()
	if n > uint64(len(r.buf)) {
		r.fail("list ends early")
		return 0
	}
	return int(n)
}
