package web

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// health is the body of /healthz.
type health struct {
	Status string `json:"status" enum:"ok"`
}

// readiness is the body of /readyz once all tables have caught up.
type readiness struct {
	Ready  bool             `json:"ready" enum:"true"`
	Tables []TableFreshness `json:"tables" nullable:"false"`
	// Stalled does not end readiness: another process would answer no better.
	Stalled []string `json:"stalled,omitempty" doc:"What does not move, and why"`
}

func (a *api) registerHealth(h huma.API) {
	huma.Register(h, operation("healthz", "/healthz", "Whether the process is alive",
		"Answers as long as the server runs, whatever the views do."), a.healthz)
	huma.Register(h, operation("readyz", "/readyz", "Whether all views have caught up",
		"503 with the reason until every table has reached the end of its topic."), a.readyz)
}

func (a *api) healthz(context.Context, *struct{}) (*itemOutput[health], error) {
	return &itemOutput[health]{Body: health{Status: "ok"}}, nil
}

func (a *api) readyz(context.Context, *struct{}) (*itemOutput[readiness], error) {
	ready, reason := a.source.Ready()
	tables := a.source.Freshness()
	var stalled []string
	if a.stalled != nil {
		stalled = a.stalled()
	}
	if !ready {
		var behind []error
		for _, t := range tables {
			if !t.CaughtUp {
				behind = append(behind, &huma.ErrorDetail{
					Location: "table." + t.Table,
					Message:  strconv.FormatInt(t.Behind, 10) + " records are not read yet",
				})
			}
		}
		for _, s := range stalled {
			behind = append(behind, &huma.ErrorDetail{Location: "stalled", Message: s})
		}
		return nil, retryLater("not ready: "+reason, behind...)
	}
	if tables == nil {
		tables = []TableFreshness{}
	}
	return &itemOutput[readiness]{Body: readiness{Ready: true, Tables: tables,
		Stalled: stalled}}, nil
}

// retryLater is an answer with status 503 that says when to ask again.
func retryLater(detail string, details ...error) error {
	return huma.ErrorWithHeaders(huma.Error503ServiceUnavailable(detail, details...),
		http.Header{"Retry-After": {strconv.Itoa(retryAfterSeconds)}})
}
