// Package stall finds what stands still: positions that do not move although there is something to
// read. It is pure: a [Tracker] takes samples of positions over time and says what began and ended
// to stand still, and [Facts] gives the reason that can be known. Who takes the samples, and what
// is done about a stall, is the caller's business.
package stall
