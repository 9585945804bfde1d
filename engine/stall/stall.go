package stall

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// After is how long a position must not have moved to stand still. With samples every five seconds
// a stall is known within 25 s.
const After = 18 * time.Second

// What is the kind of a position.
type What string

// The kinds.
const (
	// Group is the instance's place in a group, until it reads all that it was assigned.
	Group What = "group"
	// Input is the position up to which an input is folded.
	Input What = "input"
	// Commit is the position up to which an input is committed.
	Commit What = "commit"
	// Stable is the last stable offset of a topic: readers of committed records come no further.
	Stable What = "stable_offset"
	// Lookup is the position up to which the copy of a table of another group is read.
	Lookup What = "lookup"
	// View is the position up to which a view is read.
	View What = "view"
	// Brokers is the cluster as a whole: whether it answers.
	Brokers What = "brokers"
)

// Subject is one position. Fields that the kind does not have are empty.
type Subject struct {
	What      What
	Group     string
	Topic     string
	Partition int32
}

// String is the subject for a log or a page.
func (s Subject) String() string {
	text := string(s.What)
	if s.Group != "" {
		text += " of " + s.Group
	}
	if s.Topic != "" {
		text += fmt.Sprintf(" %s/%d", s.Topic, s.Partition)
	}
	return text
}

func (s Subject) compare(o Subject) int {
	return cmp.Or(cmp.Compare(s.What, o.What), cmp.Compare(s.Group, o.Group),
		cmp.Compare(s.Topic, o.Topic), cmp.Compare(s.Partition, o.Partition))
}

// Sample is a subject at a moment.
type Sample struct {
	Position int64 // any number that changes as the subject moves
	Behind   int64 // how much there is to read; zero for nothing
	Facts    Facts
}

// Stall is a subject that stands still.
type Stall struct {
	Subject
	Since    time.Time // when it was last seen to move, or began to have something to read
	Position int64
	Behind   int64
	Reason   Reason
}

// Tracker remembers since when subjects have not moved. Its zero value is ready for use; it is not
// safe for concurrent use.
type Tracker struct {
	known map[Subject]*track
}

// track is one subject over time.
type track struct {
	stall Stall
	stuck bool // it is reported as standing still
}

// Note takes the samples of a moment and returns what stands still since then, what does so for
// another reason than before, and what moves again. A subject without a sample is forgotten: it is
// not this process's any more.
func (t *Tracker) Note(now time.Time, samples map[Subject]Sample) (began, ended []Stall) {
	known := make(map[Subject]*track, len(samples))
	for subject, s := range samples {
		k := t.known[subject]
		if k == nil {
			k = &track{stall: Stall{Subject: subject, Since: now, Position: s.Position}}
		}
		known[subject] = k
		if s.Position != k.stall.Position || s.Behind == 0 {
			if k.stuck {
				ended = append(ended, k.stall)
			}
			k.stuck, k.stall.Since = false, now
		}
		k.stall.Position, k.stall.Behind = s.Position, s.Behind
		if now.Sub(k.stall.Since) < After {
			continue
		}
		reason := s.Facts.Reason()
		if !k.stuck || reason.Class != k.stall.Reason.Class {
			began = append(began, k.stall)
			began[len(began)-1].Reason = reason
		}
		k.stuck, k.stall.Reason = true, reason
	}
	t.known = known
	order(began)
	order(ended)
	return began, ended
}

// Stalls are the subjects that stand still now, in order.
func (t *Tracker) Stalls() []Stall {
	var stalls []Stall
	for _, k := range t.known {
		if k.stuck {
			stalls = append(stalls, k.stall)
		}
	}
	order(stalls)
	return stalls
}

func order(stalls []Stall) {
	slices.SortFunc(stalls, func(a, b Stall) int { return a.compare(b.Subject) })
}
