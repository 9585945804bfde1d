package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// retryAfterSeconds is when a client that was refused for now may ask again.
const retryAfterSeconds = 1

// missing is the error of a lookup; that a Source found nothing without saying so counts as
// ErrNotFound.
func missing[T any](found *T, err error) error {
	if err == nil && found == nil {
		return ErrNotFound
	}
	return err
}

// quote is an id as it stands in a message.
func quote(id string) string { return strconv.Quote(id) }

// problem is the answer to an error of the Source. What only the operator can mend is logged here
// and not shown to the client.
func (a *api) problem(ctx context.Context, err error, notFound string) error {
	switch {
	case errors.Is(err, ErrNotFound) && notFound != "":
		return huma.Error404NotFound(notFound)
	case errors.Is(err, ErrNotReady):
		return retryLater(err.Error() + "; GET /readyz shows how far it is")
	case errors.Is(err, context.DeadlineExceeded):
		a.logger.WarnContext(ctx, "views did not answer in time", "after", sourceTimeout)
		return retryLater("the views did not answer within " + sourceTimeout.String() +
			"; narrow the filter or lower limit")
	case errors.Is(err, context.Canceled):
		return retryLater("the request was cancelled")
	}
	a.logger.ErrorContext(ctx, "views answered with an error", "error", err)
	return huma.Error500InternalServerError(
		"the views could not answer; the log of the server says why")
}

// validationFailed is the detail that huma writes for every parameter that it refuses.
const validationFailed = "validation failed"

// detailProblem puts what huma found wrong into the detail, as many clients show nothing else.
func detailProblem(_ huma.Context, _ string, body any) (any, error) {
	model, ok := body.(*huma.ErrorModel)
	if !ok || model.Detail != validationFailed || len(model.Errors) == 0 {
		return body, nil
	}
	details := make([]string, 0, len(model.Errors))
	for _, e := range model.Errors {
		details = append(details, fmt.Sprintf("%s: %s, got %q", e.Location, e.Message,
			fmt.Sprint(e.Value)))
	}
	changed := *model
	changed.Detail = strings.Join(details, "; ")
	return &changed, nil
}

// writeProblem writes a problem outside of huma.
func writeProblem(
	w http.ResponseWriter, r *http.Request, logger *slog.Logger, status int, detail string,
) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	err := json.NewEncoder(w).Encode(&huma.ErrorModel{
		Title:  http.StatusText(status),
		Status: status,
		Detail: detail,
	})
	if err != nil {
		logger.DebugContext(r.Context(), "write problem", "error", err)
	}
}
