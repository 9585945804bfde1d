package web

import (
	"context"

	"chargestream"

	"github.com/danielgtaylor/huma/v2"
)

// phaseWord is a chargestream.SessionPhase with its words in the schema.
type phaseWord string

// Schema implements huma.SchemaProvider.
func (phaseWord) Schema(huma.Registry) *huma.Schema {
	return words(chargestream.PhaseActive, chargestream.PhaseOverdue, chargestream.PhaseEnded,
		chargestream.PhaseSettled, chargestream.PhaseOrphan)
}

type sessionInput struct {
	ID chargestream.SessionID `path:"id" doc:"session_id; percent-encode / as %2F"`
}

func (a *api) registerSessions(h huma.API) {
	huma.Register(h, operation("get-session", "/api/v1/sessions/{id}", "A session as it is now",
		"One charging session. Its invoices are /api/v1/invoices?session_id=…"), a.session)
}

func (a *api) session(
	ctx context.Context, in *sessionInput,
) (*itemOutput[chargestream.SessionState], error) {
	s, err := a.source.Session(ctx, in.ID)
	if err = missing(s, err); err != nil {
		return nil, a.problem(ctx, err, "no session has the id "+quote(string(in.ID))+
			"; the running session of a connector stands at its station in /api/v1/stations/{id}")
	}
	return &itemOutput[chargestream.SessionState]{Body: *s}, nil
}
