// Package hanging finds and ends hanging transactions: those that are open on a partition although
// their coordinator has ended them. A broker that was killed and is back before the controller has
// noticed leaves one now and then. No process ends it, and readers of committed records stand still
// behind it for ever.
//
// [Decide] is pure: from what the partition's leader and the coordinator say of a transaction it
// says what to do. The outcome is always the coordinator's, from its current state or from its log
// (the topic __transaction_state), never a guess. [Look] asks the brokers, [End] writes the markers
// that are missing. Whose transaction it is, is for the caller to check: End ends what it is given.
package hanging
