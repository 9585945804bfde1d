package order

// Position is how far a topic of a partition is read.
type Position struct {
	// Folded is the offset of the next record to be taken: the first that is fetched and not
	// taken, or the next to be fetched.
	Folded int64
	// Fetched is the next offset to be fetched.
	Fetched int64
	// Queued is how many records are fetched and not taken.
	Queued int
	// Taken is how many records were taken so far.
	Taken int64
	// Paused: so much is fetched that the topic must not be fetched.
	Paused bool
}

// Position is how far a topic is read; false if it is not.
func (r *Reader) Position(topic string) (Position, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.queue(topic)
	if q == nil {
		return Position{}, false
	}
	p := Position{Folded: q.next, Fetched: q.next, Queued: len(q.entries) - q.first,
		Taken: q.taken, Paused: q.paused}
	if !q.empty() {
		p.Folded = q.entries[q.first].Record.Offset
	}
	return p, true
}

// Awaited are the topics that the reader waits for at the moment: records of others are there, and
// these are behind.
func (r *Reader) Awaited() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting.IsZero() {
		return nil
	}
	var topics []string
	for _, q := range r.queues {
		if q.empty() && q.behind() {
			topics = append(topics, q.topic)
		}
	}
	return topics
}
