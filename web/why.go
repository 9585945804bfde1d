package web

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"chargestream"

	"github.com/danielgtaylor/huma/v2"
)

func (a *api) registerWhy(h huma.API) {
	huma.Register(h, operation("why-session", "/api/v1/sessions/{id}/why",
		"Why a session's bill is as it is",
		"What was received of a session, which dead letters name it, what is missing, when its "+
			"bill is due, which tariff bills it and why, and what holds it. A session of which "+
			"there are only dead letters has an answer too."), a.whySession)
	huma.Register(h, operation("why-station", "/api/v1/stations/{id}/why",
		"What keeps a station's sessions from being billed",
		"What was received of a station, its dead letters, its tariff, and which of its bills "+
			"are held."), a.whyStation)
}

func (a *api) whySession(
	ctx context.Context, in *sessionInput,
) (*itemOutput[chargestream.SessionWhy], error) {
	w, err := a.source.WhySession(ctx, in.ID, in.StationID)
	if err = missing(w, err); err != nil {
		return nil, a.problem(ctx, err, "nothing was received of a session "+quote(string(in.ID))+
			", not even a dead letter that names it")
	}
	return &itemOutput[chargestream.SessionWhy]{Body: *w}, nil
}

func (a *api) whyStation(
	ctx context.Context, in *stationInput,
) (*itemOutput[chargestream.StationWhy], error) {
	w, err := a.source.WhyStation(ctx, in.ID)
	if err = missing(w, err); err != nil {
		return nil, a.problem(ctx, err, "nothing was received of a station "+
			quote(string(in.ID))+", not even a dead letter")
	}
	return &itemOutput[chargestream.StationWhy]{Body: *w}, nil
}

// lettersHint is what a message that there is no such station adds where dead letters are of it.
func (a *api) lettersHint(ctx context.Context, err error, id chargestream.StationID) string {
	if !errors.Is(err, ErrNotFound) {
		return ""
	}
	w, err := a.source.WhyStation(ctx, id)
	if err != nil || w == nil || len(w.DeadLetters) == 0 {
		return ""
	}
	last := &w.DeadLetters[len(w.DeadLetters)-1]
	return fmt.Sprintf("; but %d dead letters are of it, the newest %s from %s: %s; see "+
		"/api/v1/stations/%s/why", len(w.DeadLetters), last.Reason, last.SourceTopic, last.Error,
		url.PathEscape(string(id)))
}
