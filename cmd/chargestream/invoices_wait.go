package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/topics"
)

// waitDefault is how long --wait alone waits: a moment of stream time comes with the next record,
// or with a clock record some ten seconds later.
const waitDefault = "2m"

// decisionWait waits for documents that rest on decisions.
type decisionWait struct {
	a       *app
	client  *kgo.Client
	from    map[int32]int64 // what was sent before the decisions is not looked at
	waiting []string        // ids of decisions
}

// newDecisionWait notes where the invoices topic ends; the caller closes the client.
func (a *app) newDecisionWait(ctx context.Context, decisions []json.RawMessage) (*decisionWait,
	error) {
	client, err := a.readingClient(ctx, topics.Invoices)
	if err != nil {
		return nil, err
	}
	w := &decisionWait{a: a, client: client}
	if _, w.from, err = a.reader(client).Bounds(ctx, topics.Invoices, nil); err != nil {
		client.Close()
		return nil, a.readError(err)
	}
	for _, value := range decisions {
		var d struct {
			ID string `json:"decision_id"`
		}
		if err := json.Unmarshal(value, &d); err != nil {
			client.Close()
			return nil, err // it cannot be: it was written a moment ago
		}
		w.waiting = append(w.waiting, d.ID)
	}
	return w, nil
}

// run returns the ids of the documents once there is one for each decision.
func (w *decisionWait) run(ctx context.Context, most time.Duration) ([]string, error) {
	var documents []string
	for deadline := time.Now().Add(most); ; {
		end, err := w.a.eachRecord(ctx, w.client, topics.Invoices, w.from,
			func(r *kgo.Record) error {
				v := &chargestream.Invoice{}
				if json.Unmarshal(r.Value, v) != nil || v.Kind != chargestream.KindInvoice {
					return nil
				}
				before := len(w.waiting)
				w.waiting = slices.DeleteFunc(w.waiting, func(id string) bool {
					return restsOn(v, id)
				})
				if len(w.waiting) < before {
					documents = append(documents, v.InvoiceID)
				}
				return nil
			})
		switch {
		case err != nil:
			return nil, err
		case len(w.waiting) == 0:
			return documents, nil
		case time.Now().After(deadline):
			return nil, &exitError{code: exitRuntime, what: fmt.Sprintf("the decision is written, "+
				"and after %s no document rests on it", most), hint: "does \"chargestream run\" " +
				"work? see \"chargestream status\", then \"chargestream invoices show\""}
		}
		w.from = end
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(quietEvery):
		}
	}
}

// restsOn reports whether a document rests on a decision.
func restsOn(v *chargestream.Invoice, id string) bool {
	return slices.ContainsFunc(v.Decisions, func(d chargestream.AppliedDecision) bool {
		return d.DecisionID == id
	})
}
