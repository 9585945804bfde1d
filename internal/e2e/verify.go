package e2e

import (
	"fmt"
	"strings"

	"chargestream/ingest"
	"chargestream/internal/engine"
	"chargestream/processors"
	"chargestream/topics"
)

// Section is one check of a Report.
type Section struct {
	What     string
	Findings []Finding
}

// Report is what Verify found.
type Report struct {
	Sections []Section
	// Accounts are those of each partition of the input topics.
	Accounts map[Place]*Account
	// Records counts, for each topic, the records that were compared one by one.
	Records map[string]int
}

// Failed is the report in words, with the first most findings of each section; empty where all is
// as it must be.
func (r *Report) Failed(most int) string {
	var lines []string
	for _, s := range r.Sections {
		if len(s.Findings) > 0 {
			lines = append(lines, s.What+": "+Summary(s.Findings, most))
		}
	}
	return strings.Join(lines, "\n")
}

// Section is what was found under a name.
func (r *Report) Section(what string) []Finding {
	for _, s := range r.Sections {
		if s.What == what {
			return s.Findings
		}
	}
	return nil
}

func (r *Report) add(what string, findings []Finding) {
	r.Sections = append(r.Sections, Section{what, findings})
}

// Inputs are the topics that a journal is put into.
func Inputs() []string { return append(stationInputs(), CountInput) }

// Outputs are the topics that the application writes, its tables excepted.
func Outputs() []string {
	return []string{topics.SessionParts, topics.HourParts, topics.Utilization, topics.Invoices,
		topics.Anomalies, topics.DeadLetters}
}

// Topics are all that Verify reads besides those of the register.
func Topics() []string {
	names := []string{CountInput, CountOutput, topics.Table(CountGroup)}
	for _, p := range processors.All(nil) {
		names = append(names, AuditTopic(p.Group))
	}
	return names
}

// Fleet is the application, audited, and Count.
func Fleet(partitions int32) []*engine.Processor {
	all := processors.All(nil)
	for i, p := range all {
		all[i] = Audited(p, partitions)
	}
	return append(all, Count())
}

// Verify holds all that a fleet left in its topics against the journal that went in. An error means
// that nothing can be said.
//
// Each check stands alone. The inputs and the dead letters are held against the journal. What Count
// told is totally determined, and is counted anew. Each record of the application is held
// against what the folds must have written in the order in which they say they folded, which is
// checked to be one in which each record came once. At last the tables, and the last record of
// each key, are held against the journal folded by one goroutine, in an order of its own.
func Verify(j *Journal, reference []ingest.Record, log Log, partitions int32) (*Report, error) {
	r := &Report{Records: map[string]int{}}
	for at, list := range log {
		r.Records[at.Topic] += len(list)
	}
	r.add("inputs", CompareAll(j.ExpectInputs(partitions), log.pick(partitions, Inputs()...)))
	r.add(topics.DeadLetters+" by the journal", CompareAll(j.ExpectDeadLetters(log, partitions),
		DeadLettersGot(log, partitions)))

	counts, rows, err := ExpectCounts(log, partitions)
	if err != nil {
		return nil, err
	}
	r.add(CountOutput, CompareAll(counts, log.pick(partitions, CountOutput)))
	r.rows(CountGroup, "by the input", rows, log, partitions)

	stations, err := r.records(log, partitions)
	if err != nil {
		return nil, err
	}
	var findings []Finding
	r.Accounts, findings = j.Accounts(log, stations, partitions)
	r.add("accounts", findings)
	return r, r.result(j, reference, log, partitions)
}

// rows holds a table against what it must be.
func (r *Report) rows(group, by string, want map[string][]byte, log Log, partitions int32) {
	table := topics.Table(group)
	r.add(table+" "+by, CompareRows(table, want, log.Table(table, partitions)))
}

// pick is the part of a log that is of some topics.
func (l Log) pick(partitions int32, names ...string) map[Place][]Record {
	part := map[Place][]Record{}
	for p := range partitions {
		for _, name := range names {
			part[Place{name, p}] = l[Place{name, p}]
		}
	}
	return part
}

// records holds every record of every output against what the processors must have written: for
// each partition of an output the exact sequence of each of its writers.
func (r *Report) records(log Log, partitions int32) (stations *Replay, err error) {
	want := map[string]map[Place][][]Record{}
	for _, p := range processors.All(nil) {
		replay, err := NewReplay(p, partitions, log)
		if err != nil {
			return nil, err
		}
		if p.Group == topics.GroupStations {
			stations = replay
		}
		r.add("folds of "+p.Group, replay.Findings)
		r.rows(p.Group, "by its folds", replay.Rows, log, partitions)
		r.add(topics.Table(p.Group)+" as it grew", replay.Changelog())
		for at, streams := range replay.Emitted {
			if want[at.Topic] == nil {
				want[at.Topic] = map[Place][][]Record{}
			}
			want[at.Topic][at] = append(want[at.Topic][at], streams...)
		}
	}
	for _, topic := range Outputs() {
		r.add(topic, CompareAll(want[topic], log.pick(partitions, topic)))
	}
	return stations, nil
}

// result holds the tables, and the last record of each key of the derived topics, against the
// journal folded in memory.
//
// Records in a wrong partition are led home behind others, so a fact may be read after its moment
// was billed. Then the documents of a session are more than in memory; what is live says the same.
//
// Of anomalies those that were withdrawn are left out: whether one was told that never was hangs
// on what was read first. The last word on it does not.
func (r *Report) result(j *Journal, reference []ingest.Record, log Log, partitions int32) error {
	m, err := NewMemory(partitions, processors.All(nil)...)
	if err != nil {
		return err
	}
	if err := m.Run(j, reference); err != nil {
		return fmt.Errorf("fold the journal in memory: %w", err)
	}
	for _, p := range processors.All(nil) {
		table := topics.Table(p.Group)
		r.add(table+" by the journal", fairRows(p.Group,
			CompareRows(table, m.Rows(p.Group), log.Table(table, partitions)),
			m.Rows(p.Group), log.Table(table, partitions)))
	}
	for _, topic := range []string{topics.Invoices, topics.Utilization, topics.Anomalies} {
		want, got := m.Log.Table(topic, partitions), log.Table(topic, partitions)
		if topic == topics.Anomalies {
			want, got = Standing(want), Standing(got)
		}
		findings := CompareRows(topic, want, got)
		if topic == topics.Invoices {
			if findings, err = fairBills(findings, want, got); err != nil {
				return err
			}
		}
		r.add("last of "+topic, findings)
	}
	r.add("invoices once", onceEach(log.pick(partitions, topics.Invoices)))
	return nil
}

// onceEach finds keys that have more than one record.
func onceEach(got map[Place][]Record) []Finding {
	var findings []Finding
	for at, list := range got {
		seen := map[string]bool{}
		for _, r := range list {
			if seen[r.Key] {
				findings = append(findings, Finding{Kind: Doubled, Place: at, Offset: r.Offset,
					Key: r.Key})
			}
			seen[r.Key] = true
		}
	}
	return findings
}
