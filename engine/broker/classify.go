package broker

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Decision is what the engine does about an error. The constants are in the order of severity: of
// several errors the most severe decides.
type Decision int

// The decisions.
const (
	// Retry sends the same request again after a pause: the broker has decided nothing.
	Retry Decision = iota
	// Restart aborts the transaction, forgets its rows and continues from what is committed, in
	// the same process.
	Restart
	// Rejoin is a Restart of a member that the group has removed: it joins the group first.
	Rejoin
	// Stop ends the processor: a restart cannot help.
	Stop
)

// String is the name of the decision, for logs and documents.
func (d Decision) String() string {
	switch d {
	case Retry:
		return "retry"
	case Restart:
		return "restart"
	case Rejoin:
		return "rejoin"
	case Stop:
		return "stop"
	}
	return fmt.Sprintf("decision %d", int(d))
}

// Class is what an error means.
type Class struct {
	Decision Decision
	// Reason is one clause: the cause and, for Stop, after a colon the remedy.
	Reason string
	// Name is one of a fixed set, for the label of a metric.
	Name string
}

// Classify finds the class of an error. It looks at everything that the error wraps and joins. The
// most severe decision wins. Among equals a cause wins over a consequence, a consequence over an
// error that is in no table, and then the first wins. A cancelled context and an expired deadline
// of our own count only if there is no other error.
//
// An error that is in no table restarts the attempt: what is committed is complete in any case. The
// class of nil is the zero Class.
func Classify(err error) Class {
	var s search
	s.look(err, nil, false)
	if len(s.found) == 0 {
		return Class{}
	}
	return slices.MaxFunc(s.found, finding.compare).Class
}

// OutcomeUnknown reports whether a transaction may have been committed although EndTxn, which was
// sent once, returned the error. In that case EndTxn must not be repeated and local state must not
// be kept: the restore reads what was committed.
//
// Three codes prove that a transaction was not committed. PRODUCER_FENCED is not one of them: the
// client repeats a request whose response was lost, and the broker fences a repetition although it
// committed the transaction at the first request, if another producer was initialised in between.
func OutcomeUnknown(err error) bool {
	if err == nil {
		return false
	}
	inner := unwrapped(err)
	if len(inner) == 0 {
		code, ok := codeOf(err)
		return !ok || code != kerr.InvalidTxnState.Code && code != kerr.TransactionAbortable.Code &&
			code != kerr.OperationNotAttempted.Code
	}
	return slices.ContainsFunc(inner, OutcomeUnknown)
}

// ProduceError is the error of a record that the client has given up. The transaction lacks the
// record, so no retry of a request can complete it.
type ProduceError struct {
	Topic     string
	Partition int32
	Err       error
}

// Error implements error.
func (e *ProduceError) Error() string {
	return fmt.Sprintf("produce to %s/%d: %v", e.Topic, e.Partition, e.Err)
}

// Unwrap returns the error of the broker or of the client.
func (e *ProduceError) Unwrap() error { return e.Err }

// of adapts the class of what the error wraps: at least a Restart, and the reason names the topic.
func (e *ProduceError) of(c Class) Class {
	c.Decision = max(c.Decision, Restart)
	c.Reason = fmt.Sprintf("topic %s: %s", e.Topic, c.Reason)
	return c
}

// standing orders errors of equal decision: the higher one is reported.
type standing int

const (
	deadline     standing = iota // a context's own error; counts only if there is no other
	unrecognised                 // in no table
	consequence                  // follows from another error
	cause
)

// finding is the class of one error in the tree that an error wraps.
type finding struct {
	Class
	standing standing
}

func (f finding) compare(g finding) int {
	if (f.standing == deadline) != (g.standing == deadline) {
		return int(min(f.standing, 1) - min(g.standing, 1))
	}
	if f.Decision != g.Decision {
		return int(f.Decision - g.Decision)
	}
	return int(f.standing - g.standing)
}

// search collects the findings of a tree of errors, depth first.
type search struct{ found []finding }

// look visits an error and everything that it wraps. known means that an error around this one was
// recognised: an unrecognised error within it is a detail and does not count.
//
//nolint:errorlint // one layer at a time: search.look visits what is wrapped
func (s *search) look(err error, record *ProduceError, known bool) {
	if err == nil {
		return
	}
	if e, ok := err.(*ProduceError); ok {
		record = e
	}
	for _, f := range recognise(err) {
		known = true
		s.add(f, record)
	}
	inner := unwrapped(err)
	if len(inner) == 0 && !known {
		s.add(finding{unknown, unrecognised}, record)
	}
	for _, e := range inner {
		s.look(e, record, known)
	}
}

func (s *search) add(f finding, record *ProduceError) {
	if record != nil {
		f.Class = record.of(f.Class)
	}
	s.found = append(s.found, f)
}

// unwrapped are the errors that an error wraps directly.
//
//nolint:errorlint // one layer at a time: search.look visits what is wrapped
func unwrapped(err error) []error {
	var inner []error
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		inner = e.Unwrap()
	case interface{ Unwrap() error }:
		inner = []error{e.Unwrap()}
	}
	return slices.DeleteFunc(slices.Clone(inner), func(e error) bool { return e == nil })
}
