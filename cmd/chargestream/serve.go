package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"

	"chargestream/internal/engine"
	"chargestream/topics"
	"chargestream/views"
	"chargestream/web"
)

// httpDefault is where serve and demo listen.
const httpDefault = "127.0.0.1:8080"

// portsTried bounds the ports that are tried when the default one is taken.
const portsTried = 20

func (a *app) serveCommand() *cobra.Command {
	var address string
	var verbose bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer questions over HTTP, from views of every table",
		Example: `chargestream serve --brokers localhost:9092
chargestream serve --brokers localhost:9092 --http 0.0.0.0:8080`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			chosen := cmd.Flags().Changed("http")
			return a.serve(cmd.Context(), address, chosen, verbose)
		},
	}
	a.kafkaFlags(cmd)
	cmd.Flags().StringVar(&address, "http", httpDefault, "`address` to listen on")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "log everything")
	return cmd
}

func (a *app) serve(ctx context.Context, address string, chosen, verbose bool) error {
	client, err := a.kafkaClient(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, topic := range viewed() {
		names = append(names, topic)
	}
	err = a.needTopics(ctx, client, names...)
	client.Close()
	if err != nil {
		return err
	}
	log := a.logger(verbose)
	listener, err := listen(address, chosen)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "listening on http://%s\n", listener.Addr())
	return serveViews(ctx, a.brokers, listener, newRegistry(), log)
}

// What is told of freshness is what the views measure.
var _ views.Measured = (*engine.View)(nil)

// viewed are the topics that are viewed.
func viewed() []string {
	return []string{topics.Table(topics.GroupStations), topics.Table(topics.GroupSessions),
		topics.Stations, topics.Utilization, topics.Invoices, topics.Anomalies}
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
func serveViews(ctx context.Context, brokers []string, listener net.Listener,
	registry *prometheus.Registry, log *slog.Logger) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	tables := map[string]*engine.View{}
	for _, topic := range viewed() {
		v, err := engine.NewView(brokers, topic, log)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		tables[topic] = v
	}
	var running sync.WaitGroup
	for _, v := range tables {
		running.Go(func() {
			if err := v.Run(ctx); err != nil {
				cancel(err)
			}
		})
	}
	registry.MustRegister(newViewMetrics(tables))
	source := views.New(views.Tables{
		Stations:    tables[topics.Table(topics.GroupStations)],
		Sessions:    tables[topics.Table(topics.GroupSessions)],
		Registry:    tables[topics.Stations],
		Utilization: tables[topics.Utilization],
		Invoices:    tables[topics.Invoices],
		Anomalies:   tables[topics.Anomalies],
	}, log, newViewCounter(registry))
	handler := web.NewHandler(web.Options{Source: source, Logger: log,
		Metrics: promhttp.HandlerFor(registry, promhttp.HandlerOpts{})})
	err := web.Serve(ctx, listener, handler, log)
	cancel(err)
	running.Wait()
	if cause := context.Cause(ctx); err == nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return err
}
