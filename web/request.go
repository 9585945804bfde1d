package web

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets an http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// logRequests writes one line a request. The query is left out, as it may name a user.
func logRequests(logger *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		out := &recorder{ResponseWriter: w}
		defer func() {
			logger.DebugContext(r.Context(), "request", "method", r.Method, "path", r.URL.Path,
				"status", out.status, "bytes", out.bytes, "duration", time.Since(begin),
				"remote", r.RemoteAddr)
		}()
		answerPanics(logger, out, r, next)
	})
}

// answerPanics keeps a fault in one request from looking like a broken connection. Where a part
// of the answer is out already, cutting the connection is the only honest end.
func answerPanics(logger *slog.Logger, out *recorder, r *http.Request, next http.Handler) {
	defer func() {
		fault := recover()
		if fault == nil {
			return
		}
		if fault == http.ErrAbortHandler {
			panic(fault)
		}
		logger.ErrorContext(r.Context(), "request panicked", "path", r.URL.Path,
			"fault", fault, "stack", string(debug.Stack()))
		if out.status != 0 {
			panic(http.ErrAbortHandler)
		}
		writeProblem(out, r, logger, http.StatusInternalServerError,
			"the server met a fault; its log says which")
	}()
	next.ServeHTTP(out, r)
}

// readOnly refuses what would be a write, and bodies, and sets the headers of every answer.
func readOnly(logger *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			writeProblem(w, r, logger, http.StatusMethodNotAllowed,
				r.Method+" is not possible here: this API is read-only; use GET")
			return
		}
		if r.ContentLength != 0 {
			h.Set("Connection", "close")
			writeProblem(w, r, logger, http.StatusRequestEntityTooLarge,
				"a request has no body here; put filters into the query")
			return
		}
		next.ServeHTTP(w, r)
	})
}
