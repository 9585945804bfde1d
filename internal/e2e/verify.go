package e2e

import (
	"fmt"
	"slices"
	"strings"

	"chargestream/engine"
	"chargestream/ingest"
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
	// Work is what the tasks of each group did, by their accounts.
	Work map[string]Work

	compacts bool // the broker may have removed older rows from the changelogs
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
func Inputs() []string { return append(topics.Reported(), CountInput) }

// Outputs are the topics that the application writes, its tables excepted.
func Outputs() []string {
	return []string{topics.Utilization, topics.Invoices, topics.Anomalies, topics.DeadLetters}
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

// Verify compares all that a fleet left in its topics with the journal that went in. An error means
// that nothing can be compared.
//
// Each check stands alone. The inputs and the dead letters are compared with the journal. What
// Count sends is totally determined, and is counted anew. Each record of the application's outputs
// and changelogs is compared with what its tasks must have written by the account of the
// order in which they worked, which must have each record once. At last the tables, and the last
// record of each key, are compared with the journal folded by one goroutine, in an order of its
// own.
func Verify(j *Journal, reference []ingest.Record, log Log, partitions int32) (*Report, error) {
	return verify(j, reference, log, partitions, false)
}

// VerifyCompacted is Verify of a broker that compacts the changelogs while the test runs.
func VerifyCompacted(j *Journal, reference []ingest.Record, log Log, partitions int32) (*Report,
	error) {
	return verify(j, reference, log, partitions, true)
}

func verify(j *Journal, reference []ingest.Record, log Log, partitions int32, compacts bool) (
	*Report, error) {
	r := &Report{Records: map[string]int{}, Work: map[string]Work{}, compacts: compacts}
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

// rows compares a table with what it must be.
func (r *Report) rows(table, by string, want map[string][]byte, log Log, partitions int32) {
	topic := topics.Table(table)
	r.add(topic+" "+by, CompareRows(topic, want, log.Table(topic, partitions)))
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

// withoutReserved leaves out the engine's own records.
func withoutReserved(places map[Place][]Record) map[Place][]Record {
	for at, list := range places {
		places[at] = slices.DeleteFunc(slices.Clone(list), func(r Record) bool {
			return engine.Reserved(r.Key)
		})
	}
	return places
}

// records compares every record of every output and every changelog with what the processors must
// have written: for each partition the exact sequence of each of its writers.
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
		r.Work[p.Group] = replay.Work
		r.add("account of "+p.Group, replay.Findings)
		for _, t := range p.Tables {
			r.rows(t.TableName(), "by its account", replay.Rows[t.TableName()], log, partitions)
			r.add(t.Topic()+" as it grew", r.changelog(t.Topic(), replay, log, partitions))
		}
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

// changelog compares a table's topic with the rows of each commit, in order.
func (r *Report) changelog(topic string, replay *Replay, log Log, partitions int32) []Finding {
	got := withoutReserved(log.pick(partitions, topic))
	want := map[Place][][]Record{}
	for p := range partitions {
		at := Place{topic, p}
		for _, rows := range replay.Changelogs[at] {
			if r.compacts {
				rows = Remaining(rows, got[at])
			}
			want[at] = append(want[at], rows)
		}
	}
	return CompareAll(want, got)
}

// result compares the tables, and the last record of each key of the derived topics, with the
// journal folded in memory.
//
// Records in a wrong partition come to their own behind others, so a fact may be read after its
// moment was billed. Then a session has more documents than in memory; its live invoice is the
// same.
//
// Withdrawn anomalies are left out: whether one was ever opened depends on what was read first. The
// last state of the others does not.
func (r *Report) result(j *Journal, reference []ingest.Record, log Log, partitions int32) error {
	m, err := NewMemory(partitions, processors.All(nil)...)
	if err != nil {
		return err
	}
	if err := m.Run(j, reference); err != nil {
		return fmt.Errorf("fold the journal in memory: %w", err)
	}
	for _, p := range processors.All(nil) {
		for _, t := range p.Tables {
			want, got := m.Rows(t.TableName()), log.Table(t.Topic(), partitions)
			r.add(t.Topic()+" by the journal",
				fairRows(t.TableName(), CompareRows(t.Topic(), want, got), want, got))
		}
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
