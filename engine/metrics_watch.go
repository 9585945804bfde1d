package engine

// watch makes the metrics of Watch.
func (m *Metrics) watch(f factory) {
	m.hangsEnded = f.counter("hanging_transactions_ended_total",
		"Hanging transactions that were ended on a partition by their coordinator's outcome.",
		"outcome")
	m.hangsOpen = f.gauge("hanging_transactions", "Partitions whose readers stand still behind a "+
		"transaction that no process ends, by whose it is: own, other or unknown.", "owner")
}

func (m *Metrics) hangEnded(outcome string) {
	if m != nil {
		m.hangsEnded.WithLabelValues(outcome).Inc()
	}
}

// hanging records on how many partitions transactions hang, by owner.
func (m *Metrics) hanging(by map[Owner]int) {
	if m == nil {
		return
	}
	for _, owner := range []Owner{OwnerOwn, OwnerOther, OwnerUnknown} {
		m.hangsOpen.WithLabelValues(string(owner)).Set(float64(by[owner]))
	}
}
