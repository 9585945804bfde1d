//go:build linux

package main

import (
	"encoding/binary"
	"errors"
)

// output is what an event's output says: which partition of the input it lay in, which instance
// folded it, and which event it was.
type output struct {
	Partition int32
	Owner     byte
	Seq       int64
}

// outputBytes is the size of an output.
const outputBytes = 10

func (o output) append(b []byte) []byte {
	b = append(b, byte(o.Partition), o.Owner)
	return binary.LittleEndian.AppendUint64(b, uint64(o.Seq))
}

func decodeOutput(b []byte) (output, error) {
	if len(b) != outputBytes {
		return output{}, errors.New("output of a wrong size")
	}
	return output{Partition: int32(b[0]), Owner: b[1],
		Seq: int64(binary.LittleEndian.Uint64(b[2:]))}, nil
}
