// Package web is the way out: the read-only HTTP API over the views, with health, readiness, the
// handler of the metrics and an index page.
//
// It holds how an answer is asked for and written: resources, filters, pages, errors as problem
// details (RFC 9457) and the OpenAPI document. Times are RFC 3339 in UTC, energy is whole
// watt-hours, money is decimal text: the words of the root package marshal so themselves.
//
// It refuses to know where an answer comes from. What it needs is a Source, which package views
// implements; it knows no broker, no table and no codec. It takes no writes, and a query that it
// does not understand it refuses rather than answers with more than was asked for.
//
//	handler := web.NewHandler(web.Options{Source: source, Metrics: metrics, Logger: logger})
//	err := web.Serve(ctx, listener, handler, logger)
package web
