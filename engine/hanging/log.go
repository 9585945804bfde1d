package hanging

import "slices"

// bumpingVersion is the transaction version of clients from which on every transaction has an epoch
// of its own.
const bumpingVersion = 2

// Entry is one record of a coordinator's log.
type Entry struct {
	ID         string
	State      State
	ProducerID int64
	Epoch      int16
	Version    int16              // transaction version of the client
	Partitions map[string][]int32 // by topic; in the state Ongoing those that were written to
}

// byLog decides by the log of a coordinator. It must have the entries before the outcome too: the
// first that it has of a later epoch may otherwise be of a later transaction.
func byLog(o Open, log []Entry) Decision {
	begun := false // an entry of the transaction's epoch, or of one before, was seen
	within := Decision{Action: Undecided}
	for _, e := range log {
		if e.ProducerID != o.ProducerID {
			continue
		}
		switch ahead := int(e.Epoch) - int(o.Epoch); {
		case ahead < 0:
			begun = true
		case ahead == 0:
			begun = true
			within = e.within(o, within)
		case within.Action == Commit || within.Action == Abort:
			return within
		default:
			return e.after(begun, ahead)
		}
	}
	return within
}

// within is the decision after an entry of the transaction's own epoch: without transaction
// versions an epoch has many transactions, and the last one that wrote to the partition counts.
func (e Entry) within(o Open, before Decision) Decision {
	switch e.State {
	case Ongoing:
		if slices.Contains(e.Partitions[o.Topic], o.Partition) {
			return Decision{Wait, "it is ongoing"}
		}
	case PrepareCommit, CompleteCommit, PrepareAbort, CompleteAbort:
		switch commit := e.State == PrepareCommit || e.State == CompleteCommit; {
		case e.Version >= bumpingVersion && e.complete():
			// The outcome of the transaction before, after which no other was begun.
			return Decision{FenceAbort, "its coordinator never had it, by its log"}
		case e.Version >= bumpingVersion || before.Action != Wait:
			return before
		case commit:
			return Decision{Commit, "its coordinator committed it, by its log"}
		default:
			return Decision{Abort, "its coordinator aborted it, by its log"}
		}
	}
	return before
}

func (e Entry) complete() bool { return e.State == CompleteCommit || e.State == CompleteAbort }

// after is the decision by the first entry of a later epoch, so many epochs ahead.
func (e Entry) after(begun bool, ahead int) Decision {
	outcome := ahead == 1 && (begun || e.Version >= bumpingVersion)
	switch e.State {
	case PrepareCommit, CompleteCommit:
		if outcome {
			return Decision{Commit, "its coordinator committed it, by its log"}
		}
	case PrepareAbort, CompleteAbort:
		if outcome {
			return Decision{Abort, "its coordinator aborted it, by its log"}
		}
	case Empty:
		if begun {
			return Decision{Abort, "its producer was replaced before it was committed, " +
				"by the coordinator's log"}
		}
	}
	return Decision{Action: Undecided}
}
