package stall

import (
	"fmt"
	"slices"
	"strings"
)

// Reason is why a subject stands still: a class of a fixed set, fit for the label of a metric, and
// a clause for people.
type Reason struct {
	Class  string
	Detail string
}

// The classes of reasons. Where an error of a broker is the reason, the class is that of the error,
// by docs/decisions/0007-broker-errors.md.
const (
	HangingOwn    = "hanging_transaction"         // of this deployment
	HangingOther  = "hanging_transaction_other"   // of another application
	HangingLost   = "hanging_transaction_unknown" // of a producer that was forgotten
	OpenOngoing   = "open_transaction"            // alive, or being ended
	WaitsForTopic = "waits_for_topic"
	WaitsForTable = "waits_for_table"
	Restoring     = "restoring"
	NotAssigned   = "not_assigned"
	CommitSlow    = "commit"
	LacksReplicas = "replicas_missing"
	Backpressure  = "backpressure"
	NotFetched    = "not_fetched"
	Unknown       = "unknown"

	// leaderMoved is a class of broker errors.
	leaderMoved = "leader_moved"
)

// Transaction is an open transaction that a position stands behind.
type Transaction struct {
	ID     string
	Class  string // HangingOwn, HangingOther, HangingLost or OpenOngoing
	Detail string
}

// Facts are what is known of a subject besides its position. Reason takes the first that explains
// it, from the outside in: what keeps a broker from answering also keeps all else from moving.
type Facts struct {
	// Brokers is why the cluster does not answer; zero if it does.
	Brokers Reason
	// Failing is why attempts of the processor end one after another; zero if none has.
	Failing Reason
	// Transactions are open where the position stands.
	Transactions []Transaction
	// Table is a table that is waited for before the group is joined; empty for none.
	Table string
	// Unassigned: the instance is no member yet. Restoring: tables are read.
	Unassigned, Restoring bool
	// Topics are waited for: they have records with earlier arrivals that are not fetched.
	Topics []string
	// Uncommitted: the commit before has not ended, and the interval is full.
	Uncommitted bool
	// Lacking are partitions without all of their replicas in sync, for the text.
	Lacking []string
	// Full: so much is fetched and not folded that nothing more is fetched.
	Full bool
	// Unfetched: there are records, and none is fetched.
	Unfetched bool
}

// Reason is the reason that can be known from the facts.
func (f Facts) Reason() Reason {
	switch {
	case f.Brokers.Class == leaderMoved && len(f.Lacking) > 0:
		// The new leader of a partition has not caught up, or there is none: replicas are missing.
		return f.lacking("a leader has no end of its log that all replicas have")
	case f.Brokers.Class != "":
		return f.Brokers
	case f.Failing.Class != "":
		return f.Failing
	case len(f.Transactions) > 0:
		if r := behind(f.Transactions); r.Class != OpenOngoing || len(f.Lacking) == 0 {
			return r
		}
		return f.lacking(behind(f.Transactions).Detail)
	case f.Table != "":
		return Reason{WaitsForTable, "waits for the table " + f.Table +
			": does the group that keeps it run?"}
	case f.Unassigned:
		return Reason{NotAssigned, "the group has assigned nothing to this instance yet"}
	case f.Restoring:
		return Reason{Restoring, "tables are restored, and no row of their changelogs arrives"}
	case len(f.Topics) > 0:
		return Reason{WaitsForTopic, "waits for records of " + strings.Join(f.Topics, ", ") +
			" that are not fetched"}
	case f.Uncommitted && len(f.Lacking) > 0:
		return f.lacking("the commit has not ended")
	case f.Uncommitted:
		return Reason{CommitSlow, "the commit has not ended: broker load, or a coordinator " +
			"that does not answer"}
	case f.Full:
		return Reason{Backpressure, "as much is fetched and not folded as may be: a fold takes " +
			"long or hangs"}
	case f.Unfetched:
		return Reason{NotFetched, "there are records, and the leader's answers have none"}
	}
	return Reason{Unknown, "the reason is not known; a profile shows what the process does"}
}

// lacking is the reason for something that needs replicas which are not in sync.
func (f Facts) lacking(what string) Reason {
	return Reason{LacksReplicas, what + ", and partitions lack replicas in sync (is " +
		"min.insync.replicas met?): " + strings.Join(f.Lacking, ", ")}
}

// behind is the reason of a position behind transactions: one that hangs comes before those that
// are alive, and among those that hang one that this program does not end.
func behind(list []Transaction) Reason {
	severity := []string{OpenOngoing, HangingOwn, HangingLost, HangingOther}
	worst := slices.MaxFunc(list, func(a, b Transaction) int {
		return slices.Index(severity, a.Class) - slices.Index(severity, b.Class)
	})
	id := worst.ID
	if id == "" {
		id = "an unknown producer"
	}
	return Reason{worst.Class, fmt.Sprintf("stands behind a transaction of %s: %s", id,
		worst.Detail)}
}
