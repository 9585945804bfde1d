package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"

	"chargestream/engine"
	"chargestream/processors"
	"chargestream/topics"
	"chargestream/views"
	"chargestream/web"
	"chargestream/why"
)

// httpDefault is where serve and demo listen.
const httpDefault = "127.0.0.1:8080"

// portsTried bounds the ports that are tried when the default one is taken.
const portsTried = 20

type serveFlags struct {
	http    string
	chosen  bool // --http was set
	pprof   bool
	verbose bool
}

func (a *app) serveCommand() *cobra.Command {
	f := &serveFlags{}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer questions over HTTP, from views of every table",
		Example: `chargestream serve --brokers localhost:9092
chargestream serve --brokers localhost:9092 --http 0.0.0.0:8080`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.chosen = cmd.Flags().Changed("http")
			return a.serve(cmd.Context(), f)
		},
	}
	a.kafkaFlags(cmd)
	cmd.Flags().StringVar(&f.http, "http", httpDefault, "`address` to listen on")
	pprofFlag(cmd, &f.pprof)
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "log everything")
	return cmd
}

func (a *app) serve(ctx context.Context, f *serveFlags) error {
	client, err := a.kafkaClient(ctx)
	if err != nil {
		return err
	}
	err = a.needTopics(ctx, client, append(slices.Sorted(maps.Keys(viewed())),
		topics.DeadLetters)...)
	client.Close()
	if err != nil {
		return err
	}
	log := a.logger(f.verbose)
	listener, err := listen(f.http, f.chosen)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "listening on http://%s\n", listener.Addr())
	return a.serveViews(ctx, listener, f.pprof, newRegistry(), log)
}

// The freshness that is shown is what the views measure.
var _ views.Measured = (*engine.View)(nil)

// newView makes a view of a topic.
type newView func(brokers []string, topic string, log *slog.Logger) (*engine.View, error)

// viewed are the topics that are viewed, each with its kind of view: rows of sessions lie in the
// partition of their station, all others in that of their key.
func viewed() map[string]newView {
	return map[string]newView{
		topics.Table(topics.TableStations): engine.NewView,
		topics.Table(topics.TableSessions): engine.NewRowView,
		topics.Table(topics.TableRegistry): engine.NewView,
		topics.Utilization:                 engine.NewView,
		topics.Invoices:                    engine.NewView,
		topics.Anomalies:                   engine.NewView,
		topics.Table(topics.TableTariffs):  engine.NewView,
	}
}

// listen takes an address; where the default one is in use, one of the ports after it.
func listen(address string, chosen bool) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err == nil || chosen {
		if err != nil {
			return nil, &exitError{code: exitRuntime, what: "cannot listen on " + address, err: err,
				hint: "choose another address with --http"}
		}
		return listener, nil
	}
	host, text, splitErr := net.SplitHostPort(address)
	port, convErr := strconv.Atoi(text)
	for i := 1; i <= portsTried && splitErr == nil && convErr == nil; i++ {
		if next, e := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port+i))); e == nil {
			return next, nil
		}
	}
	return nil, &exitError{code: exitRuntime, what: "cannot listen on " + address, err: err,
		hint: "choose another address with --http"}
}

// serveViews keeps a view of every table and answers from them until ctx is done.
func (a *app) serveViews(ctx context.Context, listener net.Listener, forced bool,
	registry *prometheus.Registry, log *slog.Logger) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	tables := map[string]*engine.View{}
	for topic, view := range viewed() {
		v, err := view(a.brokers, topic, log)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		tables[topic] = v
	}
	registry.MustRegister(newViewMetrics(tables))
	// The indexes of the source are kept from the first row on: views run when they are there.
	letters, broker := &why.Letters{}, &brokerWatch{}
	broker.answered.Store(time.Now().UnixMilli())
	source := views.New(views.Tables{
		Stations:    tables[topics.Table(topics.TableStations)],
		Sessions:    tables[topics.Table(topics.TableSessions)],
		Registry:    tables[topics.Table(topics.TableRegistry)],
		Utilization: tables[topics.Utilization],
		Invoices:    tables[topics.Invoices],
		Anomalies:   tables[topics.Anomalies],
		Tariffs:     tables[topics.Table(topics.TableTariffs)],
		Letters:     letters,
	}, log, newViewCounter(registry))
	registry.MustRegister(sharedSessionIDs(source.SharedSessionIDs))
	var running sync.WaitGroup
	for _, v := range tables {
		running.Go(func() {
			if err := v.Run(ctx); err != nil {
				cancel(err)
			}
		})
	}
	running.Go(func() {
		if err := a.watch(ctx, broker, letters, log); err != nil {
			cancel(err)
		}
	})
	watch := engine.NewViewWatch(engine.Config{Brokers: a.brokers, Log: log}, processors.All(nil),
		slices.Collect(maps.Values(tables)))
	registry.MustRegister(watch.Collector("serve"))
	running.Go(func() {
		if err := watch.Run(ctx); err != nil {
			cancel(err)
		}
	})
	handler := web.NewHandler(web.Options{Source: watchedViews{source, broker}, Logger: log,
		Stalled:  func() []string { return stalledTexts(watch.Stalls(), time.Now()) },
		Metrics:  promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		Profiles: profiles(listener, forced)})
	err := web.Serve(ctx, listener, handler, log)
	cancel(err)
	running.Wait()
	if cause := context.Cause(ctx); err == nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return err
}
