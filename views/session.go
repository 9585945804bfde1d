package views

import (
	"context"

	"chargestream"
	"chargestream/tables"
)

// Session is a session as it is now.
func (v *Views) Session(
	ctx context.Context, id chargestream.SessionID,
) (*chargestream.SessionState, error) {
	return lookup(ctx, v, v.tables.Sessions, string(id), decodeSession)
}

func decodeSession(key string, value []byte) (*chargestream.SessionState, error) {
	row, err := tables.DecodeSession(value)
	if err != nil {
		return nil, err
	}
	state := row.State(chargestream.SessionID(key))
	return &state, nil
}
