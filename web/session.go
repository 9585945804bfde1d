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
	ID        chargestream.SessionID `path:"id" doc:"session_id; percent-encode / as %2F"`
	StationID chargestream.StationID `query:"station_id" doc:"The session of this station"`
}

func (a *api) registerSessions(h huma.API) {
	huma.Register(h, operation("get-session", "/api/v1/sessions/{id}", "A session as it is now",
		"One charging session. Its invoices are /api/v1/invoices?session_id=… Where several "+
			"stations use the same session_id, it is the one that started last, and "+
			"also_at_stations names the other stations; station_id chooses one."), a.session)
}

func (a *api) session(
	ctx context.Context, in *sessionInput,
) (*itemOutput[chargestream.SessionState], error) {
	s, err := a.source.Session(ctx, in.ID, in.StationID)
	if err = missing(s, err); err != nil {
		at := ""
		if in.StationID != "" {
			at = " at the station " + quote(string(in.StationID))
		}
		return nil, a.problem(ctx, err, "no session has the id "+quote(string(in.ID))+at+
			"; the running session of a connector stands at its station in /api/v1/stations/{id}, "+
			"and /api/v1/sessions/{id}/why names dead letters that may be of it")
	}
	return &itemOutput[chargestream.SessionState]{Body: *s}, nil
}
