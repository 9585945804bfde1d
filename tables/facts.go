package tables

import (
	"fmt"
	"slices"

	"chargestream/topics"
)

// Facts is a row of a group's table without how far it has come: up to which moment a session
// heard all and was told, and what its windows answered by then. That hangs on how tables that
// hand parts to each other took turns. What is left is the same for every order of reading, byte
// for byte; what is told of it is held by the documents.
func Facts(group string, row []byte) ([]byte, error) {
	if row == nil {
		return nil, nil
	}
	switch group {
	case topics.GroupSessions:
		s, err := DecodeSession(row)
		if err != nil {
			return nil, fmt.Errorf("facts of a session: %w", err)
		}
		s.Heard, s.Told, s.Shift, s.Seen, s.Hours = 0, 0, 0, nil, nil
		return s.Append(nil), nil
	case topics.GroupHours:
		h, err := DecodeHour(row)
		if err != nil {
			return nil, fmt.Errorf("facts of a window: %w", err)
		}
		for i := range h.Stays {
			h.Stays[i].Heard, h.Stays[i].Whole, h.Stays[i].Span = 0, false, Interval{}
		}
		h.Stays = slices.DeleteFunc(h.Stays, func(s Stay) bool {
			return len(s.Begins) == 0 && s.Interval.From == 0
		})
		if len(h.Stays)+len(h.Transitions)+len(h.Loads) == 0 && h.Carry.At == 0 && !h.Through {
			return nil, nil
		}
		return h.Append(nil), nil
	}
	return row, nil
}
