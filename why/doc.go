// Package why says why a session's bill is as it is, or why there is none yet, and what is known of
// a station: what was received, which records were not folded, what is missing, when the bill is
// due, which tariff it is billed by, and what holds it.
//
// The answer is a pure function of rows, documents and dead letters that the caller has looked up.
// The package refuses to know where they come from, and decides nothing: it reads what billing
// decided.
package why
