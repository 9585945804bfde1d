package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Bounds of a request.
const (
	headerTimeout = 5 * time.Second  // for the header to arrive
	sourceTimeout = 20 * time.Second // for the Source to answer
	writeTimeout  = 30 * time.Second // for the answer to leave, the Source's time included
	idleTimeout   = 2 * time.Minute  // between two requests of a connection
	// headerBytesMax bounds the header with the address in it: three identifiers and a cursor,
	// each byte percent-encoded.
	headerBytesMax = 16 << 10
)

// ShutdownTimeout is how long Serve waits for running requests once its context has ended.
const ShutdownTimeout = 10 * time.Second

// Options is what NewHandler needs.
type Options struct {
	Source  Source       // required
	Metrics http.Handler // answers /metrics; without it there is none
	// Profiles answers all paths under /debug/pprof/; without it there are none. A profile shows
	// the inside of the process: it is for operators only.
	Profiles http.Handler
	// Stalled is what does not move although there is something to read, a sentence each, in a
	// fixed order; nil for nothing.
	Stalled func() []string
	Logger  *slog.Logger // requests at debug, faults at error; default is to discard
}

// api is the operations and what they need.
type api struct {
	source  Source
	stalled func() []string // nil for nothing
	logger  *slog.Logger
}

// NewHandler is the whole of the HTTP interface.
func NewHandler(o Options) http.Handler {
	a := &api{source: o.Source, stalled: o.Stalled, logger: o.Logger}
	if a.logger == nil {
		a.logger = slog.New(slog.DiscardHandler)
	}
	mux := http.NewServeMux()
	described := a.register(mux)
	document, err := json.Marshal(described)
	if err != nil {
		// It cannot be: the document is made of this package's own types.
		panic(fmt.Errorf("describe the API: %w", err))
	}
	index, err := writeIndex(resources(described, &o))
	if err != nil {
		// It cannot be: the page is a constant.
		panic(fmt.Errorf("write the index page: %w", err))
	}
	mux.Handle("GET /openapi.json", a.bytes("application/json", document))
	mux.Handle("GET /{$}", a.bytes("text/html; charset=utf-8", index))
	if o.Metrics != nil {
		mux.Handle("GET /metrics", o.Metrics)
	}
	if o.Profiles != nil {
		mux.Handle("GET /debug/pprof/", o.Profiles)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, r, a.logger, http.StatusNotFound, "nothing is at "+r.URL.EscapedPath()+
			"; GET / lists what there is, and a slash within an id is written %2F")
	})
	return logRequests(a.logger, readOnly(a.logger, mux))
}

// register puts all operations onto a mux and describes them.
func (a *api) register(mux *http.ServeMux) *huma.OpenAPI {
	h := humago.New(mux, config())
	h.UseMiddleware(a.guard(h))
	a.registerStations(h)
	a.registerSessions(h)
	a.registerInvoices(h)
	a.registerUtilization(h)
	a.registerAnomalies(h)
	a.registerWhy(h)
	a.registerHealth(h)
	settleSchemas(h.OpenAPI().Components.Schemas)
	return h.OpenAPI()
}

// bytes answers with the same bytes every time.
func (a *api) bytes(contentType string, body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		if _, err := w.Write(body); err != nil {
			a.logger.DebugContext(r.Context(), "write answer", "error", err)
		}
	})
}

// Serve answers on a listener, which it closes, until the context ends; then it waits up to
// ShutdownTimeout for running requests. It returns nil if all of them were answered, an error
// that wraps context.DeadlineExceeded if some had to be cut, or why the listener failed.
func Serve(
	ctx context.Context, listener net.Listener, handler http.Handler, logger *slog.Logger,
) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       headerTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerBytesMax,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve http: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), ShutdownTimeout)
	defer cancel()
	err := server.Shutdown(stop)
	if err != nil {
		err = errors.Join(fmt.Errorf("finish http requests: %w", err), server.Close())
	}
	if last := <-ended; !errors.Is(last, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("serve http: %w", last))
	}
	return err
}
