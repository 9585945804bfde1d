package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"chargestream"
)

// answerBytesMax bounds an answer of the API.
const answerBytesMax = 16 << 20

// whyByURL asks a running serve, in the order in which whyReader.answer does.
func (a *app) whyByURL(ctx context.Context, base, id string,
	station chargestream.StationID) error {
	at, err := url.Parse(base)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return usageError(fmt.Sprintf("--url %q is no address of a server", base),
			"write http://127.0.0.1:8080")
	}
	var session *chargestream.SessionWhy
	if id != "" {
		where := at.JoinPath("api/v1/sessions", url.PathEscape(id), "why")
		if station != "" {
			where.RawQuery = url.Values{"station_id": {string(station)}}.Encode()
		}
		if session, err = fetchWhy[chargestream.SessionWhy](ctx, a, where); err != nil {
			return err
		}
	}
	if session != nil && (station != "" || len(session.Received) > 0 || session.Documents > 0) {
		return a.printSessionWhy(session)
	}
	if id == "" || station == "" {
		name := cmp.Or(string(station), id)
		about, err := fetchWhy[chargestream.StationWhy](ctx, a,
			at.JoinPath("api/v1/stations", url.PathEscape(name), "why"))
		if err != nil {
			return err
		}
		if about != nil {
			return a.printStationWhy(about)
		}
	}
	if session != nil {
		return a.printSessionWhy(session)
	}
	return notKnown(id, station)
}

// fetchWhy gets an answer of the API; nil where there is none of what is asked about.
func fetchWhy[T any](ctx context.Context, a *app, where *url.URL) (answer *T, err error) {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, where.String(), nil)
	if err != nil {
		return nil, err
	}
	unreachable := &exitError{code: exitUnreachable, what: "no API answers at " + where.Host,
		hint: "is \"chargestream serve\" up, and is --url right? without --url Kafka is asked"}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		unreachable.err = err
		return nil, unreachable
	}
	defer response.Body.Close() // it was read, or what it has does not matter
	text, err := io.ReadAll(io.LimitReader(response.Body, answerBytesMax))
	if err != nil {
		unreachable.err = err
		return nil, unreachable
	}
	switch {
	case response.StatusCode == http.StatusNotFound &&
		strings.Contains(string(text), "nothing was received of a "):
		return nil, nil // any other 404 is not one of ours
	case response.StatusCode != http.StatusOK:
		return nil, &exitError{code: exitRuntime, hint: "is --url that of \"chargestream serve\"?",
			what: fmt.Sprintf("%s answers %s: %s", where.Host, response.Status,
				preview(string(text)))}
	}
	answer = new(T)
	if err := json.Unmarshal(text, answer); err != nil {
		return nil, &exitError{code: exitRuntime, what: where.Host + " answers in another form",
			err: err, hint: "is --url that of \"chargestream serve\" of this version?"}
	}
	return answer, nil
}
