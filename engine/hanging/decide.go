package hanging

import "fmt"

// Open is a transaction that is open on a partition, as the partition's leader describes it.
type Open struct {
	Topic            string
	Partition        int32
	ProducerID       int64
	Epoch            int16
	CoordinatorEpoch int32 // of the last marker of this producer; -1 for none
	Start            int64 // offset of its first record: the last stable offset stands here
	Last             int64 // timestamp of its last record, ms
}

// State is the state of a transactional id for its coordinator, by Kafka's names.
type State string

// The states.
const (
	Empty             State = "Empty"
	Ongoing           State = "Ongoing"
	PrepareCommit     State = "PrepareCommit"
	PrepareAbort      State = "PrepareAbort"
	PrepareEpochFence State = "PrepareEpochFence"
	CompleteCommit    State = "CompleteCommit"
	CompleteAbort     State = "CompleteAbort"
	Dead              State = "Dead"
)

// Known is what the coordinator of a transactional id says now.
type Known struct {
	ID         string
	State      State
	ProducerID int64
	Epoch      int16
	// Bumps means that the epoch grows with each transaction (KIP-890, transaction.version 2).
	// Without it one epoch has many transactions, and the state alone tells nothing of an earlier
	// one.
	Bumps bool
}

// Action is what to do about an open transaction.
type Action int

// The actions.
const (
	// Wait: the transaction is alive, or its coordinator is still ending it.
	Wait Action = iota
	// Commit and Abort: the coordinator has decided so, and the partition lacks the marker.
	Commit
	Abort
	// FenceAbort: the coordinator has no transaction at the producer's epoch, so none can have been
	// committed; but the producer may begin one at any moment. It is fenced before the abort.
	FenceAbort
	// Undecided: the coordinator's outcome cannot be known from what was given.
	Undecided
)

// String is the name of the action, for logs and commands.
func (a Action) String() string {
	switch a {
	case Wait:
		return "wait"
	case Commit:
		return "commit"
	case Abort:
		return "abort"
	case FenceAbort:
		return "fence and abort"
	case Undecided:
		return "undecided"
	}
	return fmt.Sprintf("action %d", int(a))
}

// Hangs reports whether the transaction is one that no process ends.
func (a Action) Hangs() bool { return a != Wait }

// Decision is an action and the reason for it, one clause.
type Decision struct {
	Action Action
	Reason string
}

// Decide says what to do about an open transaction. known is nil if every coordinator answered and
// none knows the producer; log is what the coordinator's log has of the producer, in order, nil if
// it was not read. The leader must have been asked before the coordinator: a transaction that is
// open for the leader and over for a coordinator that was asked later has lost its marker, and is
// not a new one.
func Decide(o Open, known *Known, log []Entry) Decision {
	now := byState(o, known)
	if now.Action == Wait {
		return now
	}
	was := byLog(o, log)
	switch {
	case !was.Action.known():
		return now
	case !now.Action.known():
		return was
	case now.Action != was.Action && (now.Action == Commit || was.Action == Commit):
		return Decision{Undecided, "the coordinator's state and its log do not agree"}
	}
	return now
}

// known reports whether the action ends a transaction.
func (a Action) known() bool { return a == Commit || a == Abort || a == FenceAbort }

// byState decides by the coordinator's current state. With transaction.version 2 the outcome of a
// transaction has the epoch after the transaction's.
func byState(o Open, k *Known) Decision {
	if k == nil {
		return Decision{Undecided, "no coordinator knows its producer any more"}
	}
	ahead := int(k.Epoch) - int(o.Epoch)
	switch {
	case k.ProducerID != o.ProducerID:
		return Decision{Undecided, "its transactional id has another producer now"}
	case ahead < 0:
		return Decision{Wait, "the coordinator answered before it knew the transaction"}
	case ahead == 0:
		return atEpoch(k)
	}
	switch k.State {
	case PrepareCommit, PrepareAbort, PrepareEpochFence:
		if ahead == 1 {
			return Decision{Wait, "its coordinator is ending it"}
		}
	case CompleteCommit:
		if ahead == 1 && k.Bumps {
			return Decision{Commit, "its coordinator committed it"}
		}
	case CompleteAbort:
		if ahead == 1 && k.Bumps {
			return Decision{Abort, "its coordinator aborted it"}
		}
	}
	return Decision{Undecided, fmt.Sprintf(
		"its coordinator has moved on to epoch %d (%s) and shows the outcome no longer", k.Epoch,
		k.State)}
}

// atEpoch decides for a coordinator that is at the epoch of the transaction.
func atEpoch(k *Known) Decision {
	switch k.State {
	case Ongoing:
		return Decision{Wait, "it is ongoing"}
	case PrepareCommit, PrepareAbort, PrepareEpochFence:
		return Decision{Wait, "its coordinator is ending it"}
	case Empty:
		return Decision{FenceAbort, "its coordinator never had it, so it was not committed"}
	case CompleteCommit, CompleteAbort:
		// With transaction.version 2 it is that of the one before; the log has the version.
		return Decision{Undecided, "its coordinator shows an outcome that may be another's"}
	}
	return Decision{Undecided, fmt.Sprintf("its transactional id is %s", k.State)}
}
