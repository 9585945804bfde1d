package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/codecs"
	"chargestream/documents"
	"chargestream/topics"
)

// decisionFlags are the flags of all commands that decide.
type decisionFlags struct {
	by, reason, id string
	dryRun         bool
	wait           time.Duration // zero: not at all

	force     bool  // of correct
	maxChange int64 // of correct, in percent
}

func (f *decisionFlags) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.by, "by", "", "`name` of who decides; required")
	flags.StringVar(&f.reason, "reason", "", "`text` that says why; required; it stands on the "+
		"documents that rest on the decision")
	flags.StringVar(&f.id, "decision-id", "", "`id` of the decision, so that it counts once "+
		"however often it is written; else made of what it says and the time")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print what would be written")
	flags.DurationVar(&f.wait, "wait", 0, "return when a document rests on the decision, or fail "+
		"after this `duration`; --wait alone is --wait="+waitDefault)
	flags.Lookup("wait").NoOptDefVal = waitDefault
}

func (f *decisionFlags) check() error {
	switch {
	case f.by == "":
		return usageError("the name of who decides is missing", "set --by")
	case f.reason == "":
		return usageError("no reason is given", "set --reason: it stands on the documents")
	}
	return nil
}

// decisionAnswer is what a command that decides prints.
type decisionAnswer struct {
	DryRun bool `json:"dry_run,omitempty"`
	// Change is what a correction, or another price, makes of the bill.
	Change    *change           `json:"change,omitempty"`
	Topic     string            `json:"topic"`
	Decisions []json.RawMessage `json:"decisions"` // as they were written
	Notes     []string          `json:"notes"`     // what follows, and what does not
	// Documents are those that rest on the decisions, with --wait.
	Documents []string `json:"documents,omitempty"`
}

// decider makes a decision about a session of its live document; notes say what it does not do.
type decider func(live *chargestream.Invoice) (d chargestream.Decision, notes []string, err error)

// decide writes a decision about one session.
func (a *app) decide(ctx context.Context, session string, f *decisionFlags, with decider) error {
	if err := f.check(); err != nil {
		return err
	}
	h, err := a.sessionHistory(ctx, session)
	if err != nil {
		return err
	}
	live, err := onlyLive(h.documents)
	if err != nil {
		return err
	}
	d, notes, err := with(live)
	if err != nil {
		return err
	}
	value, err := f.encode(&d, live, chargestream.MillisOf(time.Now()))
	if err != nil {
		return err
	}
	answer := newDecisionAnswer(f, notes)
	if d.Action == chargestream.ActionCorrect || d.Action == chargestream.ActionReprice {
		if answer.Change, err = a.preview(ctx, live, &d); err != nil {
			return err
		}
	}
	if d.Action == chargestream.ActionCorrect && !f.force {
		if err := answer.Change.refuse(live, f.maxChange); err != nil {
			return err
		}
	}
	return a.writeDecisions(ctx, f, []*kgo.Record{value}, answer)
}

// newDecisionAnswer is what is said of every decision.
func newDecisionAnswer(f *decisionFlags, notes []string) *decisionAnswer {
	return &decisionAnswer{DryRun: f.dryRun, Topic: topics.BillingDecisions,
		Decisions: []json.RawMessage{}, Notes: append(notes, "what was sent is not rewritten: "+
			"where the bill changes, a credit note and a new document follow when the processors "+
			"have read the decision and what comes behind it; see \"chargestream invoices show\"")}
}

// onlyLive is the live document of a session.
func onlyLive(history []chargestream.Invoice) (*chargestream.Invoice, error) {
	live := documents.Live(history)
	if len(live) != 1 {
		return nil, &exitError{code: exitInvalid, hint: "see \"chargestream reconcile\"",
			what: fmt.Sprintf("session %q has %d live documents instead of one",
				history[0].SessionID, len(live))}
	}
	return &live[0], nil
}

// refused is a decision that would do nothing, or not what it says.
func refused(v *chargestream.Invoice, hint, format string, args ...any) error {
	return &exitError{code: exitInvalid, hint: hint,
		what: fmt.Sprintf("session %q: %s", v.SessionID, fmt.Sprintf(format, args...))}
}

// decisionDigest is how many bytes of a SHA-256 make the id of a decision.
const decisionDigest = 8

// encode makes the record of a decision about the session of a document.
func (f *decisionFlags) encode(d *chargestream.Decision, v *chargestream.Invoice,
	now chargestream.Millis) (*kgo.Record, error) {
	d.StationID, d.SessionID = v.StationID, v.SessionID
	d.By, d.Reason, d.Time, d.DecisionID = f.by, f.reason, now, f.id
	if d.DecisionID == "" {
		d.DecisionID = "-" // any will do: what is hashed needs one
		value, err := codecs.EncodeEvent(d)
		if err != nil {
			return nil, decisionError(err)
		}
		sum := sha256.Sum256(value)
		d.DecisionID = "d-" + hex.EncodeToString(sum[:decisionDigest])
	}
	value, err := codecs.EncodeEvent(d)
	if err != nil {
		return nil, decisionError(err)
	}
	return &kgo.Record{Topic: topics.BillingDecisions, Key: []byte(d.StationID),
		Value: value}, nil
}

func decisionError(err error) error {
	return &exitError{code: exitInvalid, what: "cannot write the decision", err: err}
}

// writeDecisions says what changes, writes records, says so, and waits if asked to.
func (a *app) writeDecisions(ctx context.Context, f *decisionFlags, records []*kgo.Record,
	answer *decisionAnswer) error {
	for _, r := range records {
		answer.Decisions = append(answer.Decisions, r.Value)
	}
	text := a.output != outputJSON
	if answer.Change != nil && text {
		if err := a.printf("%s\n", harmlessLines(answer.Change.lines())); err != nil {
			return err
		}
	}
	var waiting *decisionWait
	if f.wait > 0 && !f.dryRun {
		var err error
		if waiting, err = a.newDecisionWait(ctx, answer.Decisions); err != nil {
			return err
		}
		defer waiting.client.Close()
	}
	if !f.dryRun {
		if err := a.produceDecisions(ctx, records); err != nil {
			return err
		}
	}
	if text {
		if err := a.printDecisions(f, records, answer); err != nil {
			return err
		}
	}
	if waiting != nil {
		var err error
		if answer.Documents, err = waiting.run(ctx, f.wait); err != nil {
			return err
		}
		for i := 0; text && i < len(answer.Documents); i++ {
			if err := a.printf("new document %s\n", harmless(answer.Documents[i])); err != nil {
				return err
			}
		}
	}
	if text {
		return nil
	}
	return a.printJSON(answer)
}

func (a *app) printDecisions(f *decisionFlags, records []*kgo.Record,
	answer *decisionAnswer) error {
	verb := "wrote to"
	if f.dryRun {
		verb = "would write to"
	}
	for _, r := range records {
		err := a.printf("%s %s, key %s: %s\n", verb, r.Topic, harmless(string(r.Key)),
			harmless(string(r.Value)))
		if err != nil {
			return err
		}
	}
	return a.printNotes(answer.Notes)
}

func (a *app) printNotes(notes []string) error {
	for _, note := range notes {
		if err := a.printf("- %s\n", harmless(note)); err != nil {
			return err
		}
	}
	return nil
}

func harmlessLines(lines []string) string {
	texts := make([]string, len(lines))
	for i, line := range lines {
		texts[i] = harmless(line)
	}
	return strings.Join(texts, "\n")
}

// produceDecisions returns when all replicas in sync have every record.
func (a *app) produceDecisions(ctx context.Context, records []*kgo.Record) error {
	client, err := a.kafkaClient(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := a.needTopics(ctx, client, topics.BillingDecisions); err != nil {
		return err
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return a.kafkaError("write to "+topics.BillingDecisions+
			"; some of it may have been written", err)
	}
	return nil
}

func (a *app) releaseCommand() *cobra.Command {
	var f decisionFlags
	var holds []string
	cmd := &cobra.Command{
		Use:   "release SESSION",
		Short: "Release a held bill as it is",
		Long: "Release a held bill as it is: the reasons named by --hold, or all that hold it " +
			"now and can be released, hold no longer. No amount is changed, and a reason that " +
			"comes up later holds again. Where an amount is unknown there is nothing to " +
			"release: such a bill is corrected, or cancelled.",
		Example: `chargestream invoices release s-1 --brokers localhost:9092 --by Ada ` +
			`--reason seen-on-site
chargestream invoices release s-1 --brokers localhost:9092 --by Ada --reason meter-changed ` +
			`--hold meter_regression`,
		Args: oneArg("the id of a session"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.decide(cmd.Context(), args[0], &f, func(live *chargestream.Invoice) (
				chargestream.Decision, []string, error) {
				return release(live, holds)
			})
		},
	}
	f.flags(cmd)
	cmd.Flags().StringSliceVar(&holds, "hold", nil, "only this `reason`; repeat it for more")
	return cmd
}

// release names the reasons that the operator has seen, also where all are meant: one that comes up
// while the decision is on its way is not among them.
func release(live *chargestream.Invoice, holds []string) (chargestream.Decision, []string, error) {
	d := chargestream.Decision{Action: chargestream.ActionRelease}
	if live.Status != chargestream.StatusHeld {
		return d, nil, refused(live, "", "its bill %s is not held", live.InvoiceID)
	}
	const correct = "an amount is unknown: use \"chargestream invoices correct\" or \"cancel\""
	for _, text := range holds {
		r := chargestream.HoldReason(text)
		switch {
		case !codecs.KnownHold(r):
			return d, nil, refused(live, "", "%q is no reason to hold a bill", text)
		case !r.Releasable():
			return d, nil, refused(live, correct, "%s cannot be released", r)
		case !slices.Contains(live.HoldReasons, r):
			return d, nil, refused(live, "", "%s does not hold its bill, but %s", r,
				joinReasons(live.HoldReasons))
		}
		d.Holds = append(d.Holds, r)
	}
	var rest []chargestream.HoldReason
	for _, r := range live.HoldReasons {
		if len(holds) == 0 && r.Releasable() {
			d.Holds = append(d.Holds, r)
		}
		if !slices.Contains(d.Holds, r) {
			rest = append(rest, r)
		}
	}
	if len(d.Holds) == 0 {
		return d, nil, refused(live, correct, "nothing that holds its bill can be released: %s",
			joinReasons(rest))
	}
	notes := []string{"no amount is changed, and a reason that comes up later holds again"}
	if len(rest) > 0 {
		notes = append(notes, "the bill stays held: "+joinReasons(rest))
	}
	return d, notes, nil
}

func (a *app) cancelCommand() *cobra.Command {
	var f decisionFlags
	cmd := &cobra.Command{
		Use:   "cancel SESSION",
		Short: "Do not bill a session",
		Long: "Do not bill a session: its document has no lines, and is held as cancelled. What " +
			"was sent is credited. A later correct or reprice ends that.",
		Example: `chargestream invoices cancel s-1 --brokers localhost:9092 --by Ada --reason test`,
		Args:    oneArg("the id of a session"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.decide(cmd.Context(), args[0], &f, cancelSession)
		},
	}
	f.flags(cmd)
	return cmd
}

func cancelSession(live *chargestream.Invoice) (chargestream.Decision, []string, error) {
	d := chargestream.Decision{Action: chargestream.ActionCancel}
	if slices.Contains(live.HoldReasons, chargestream.HoldCancelled) {
		return d, nil, refused(live, "", "it is cancelled already")
	}
	return d, []string{"no money is moved: a user who has paid is refunded by accounting"},
		nil
}
