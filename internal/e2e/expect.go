package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"chargestream"
	"chargestream/engine"
	"chargestream/processors"
	"chargestream/tables"
	"chargestream/topics"
)

// asRecord is an entry as it must lie in its partition.
func (e *Entry) asRecord() Record {
	return Record{Topic: e.Topic, Partition: e.Partition, Offset: -1, Key: e.Key, HasKey: !e.NoKey,
		Value: e.Value, Headers: []engine.Header{ArrivalHeader(int64(e.Arrival))}}
}

// ExpectInputs is what the input topics must hold: what was put in, in the order in which it was,
// and, of what lay in the wrong partition, one copy at home for each, in the order of where it lay.
func (j *Journal) ExpectInputs(partitions int32) map[Place][][]Record {
	want := map[Place][][]Record{}
	direct := map[Place][]Record{}
	for i := range j.Entries {
		r := j.Entries[i].asRecord()
		at := Place{r.Topic, r.Partition}
		direct[at] = append(direct[at], r)
	}
	for at, list := range direct {
		want[at] = append(want[at], list)
		led := map[Place][]Record{}
		for _, r := range list {
			if !Home(&r, partitions) {
				home := Place{at.Topic, engine.PartitionOf(r.Key, partitions)}
				r.Partition = home.Partition
				led[home] = append(led[home], r)
			}
		}
		for home, copies := range led {
			want[home] = append(want[home], copies)
		}
	}
	return want
}

// ExpectDeadLetters is what dead-letters must hold: one for each bad record, with its bytes, why,
// and where it lies, in the order of each input partition. It depends on the journal alone, and on
// where the records came to lie. Of a dead letter's headers it has those of deadHeaders.
func (j *Journal) ExpectDeadLetters(log Log, partitions int32) map[Place][][]Record {
	reasons := map[digest]processors.Reason{}
	for i := range j.Entries {
		r := j.Entries[i].asRecord()
		reasons[content(&r)] = j.Entries[i].Reason
	}
	want := map[Place][][]Record{}
	for _, topic := range topics.Reported() {
		for p := range partitions {
			sent := map[Place][]Record{}
			for _, r := range log[Place{topic, p}] {
				reason := reasons[content(&r)]
				if reason == "" || !Home(&r, partitions) {
					continue
				}
				at := Place{topics.DeadLetters, engine.PartitionOf(r.Key, partitions)}
				sent[at] = append(sent[at], Record{Topic: at.Topic, Partition: at.Partition,
					Offset: -1, Key: r.Key, HasKey: true, Value: r.Value,
					Headers: []engine.Header{
						{Key: topics.HeaderReason, Value: []byte(reason)},
						{Key: topics.HeaderSourceTopic, Value: []byte(topic)},
						{Key: topics.HeaderSourcePartition, Value: number(int64(p))},
						{Key: topics.HeaderSourceOffset, Value: number(r.Offset)}}})
			}
			for at, list := range sent {
				want[at] = append(want[at], list)
			}
		}
	}
	return want
}

func number(n int64) []byte { return strconv.AppendInt(nil, n, 10) }

// content stands for topic, key, value and arrival of a record.
func content(r *Record) digest {
	plain := Record{Key: r.Topic + "\n" + r.Key, Value: r.Value}
	for _, h := range r.Headers {
		if h.Key == topics.HeaderArrival {
			plain.Headers = []engine.Header{h}
		}
	}
	return plain.digest()
}

// DeadLettersGot is what dead-letters hold, with the headers that ExpectDeadLetters knows.
func DeadLettersGot(log Log, partitions int32) map[Place][]Record {
	got := map[Place][]Record{}
	for p := range partitions {
		at := Place{topics.DeadLetters, p}
		for _, r := range log[at] {
			var known []engine.Header
			for _, h := range r.Headers {
				switch h.Key {
				case topics.HeaderReason, topics.HeaderSourceTopic, topics.HeaderSourcePartition,
					topics.HeaderSourceOffset:
					known = append(known, h)
				}
			}
			r.Headers = known
			got[at] = append(got[at], r)
		}
	}
	return got
}

// Account is what became of the records of one input topic that are at home in a partition.
// Acked is what the brokers took of the journal; of that each record is exactly one of the rest.
type Account struct {
	Acked, Applied, Duplicate, Late, Dead int
	// Astray are those of Acked that were put elsewhere and repartitioned.
	Astray int
}

// Accounts adds up, for each partition of the inputs, what went in and what became of it. A record
// that was there before counts as a duplicate. What was taken is counted by the replay, what is
// dead by the topic dead-letters, and the rest by the journal.
//
// No record of a journal is late without being dead: the world delivers within seconds, and what
// is older than its topic's retention is a dead letter, which Late counts.
func (j *Journal) Accounts(log Log, stations *Replay, partitions int32) (map[Place]*Account,
	[]Finding) {
	accounts := map[Place]*Account{}
	for _, topic := range topics.Reported() {
		for p := range partitions {
			at := Place{topic, p}
			accounts[at] = &Account{Applied: stations.Taken[at]}
		}
	}
	good := map[Place]int{}
	for i := range j.Entries {
		e := &j.Entries[i]
		at := e.home(partitions)
		a := accounts[at]
		if a == nil {
			continue // no station's
		}
		a.Acked++
		if at.Partition != e.Partition {
			a.Astray++
		}
		switch {
		case e.Again:
			a.Duplicate++
			a.Applied--
		case e.Reason == "":
			good[at]++
		}
	}
	for p := range partitions {
		for _, r := range log[Place{topics.DeadLetters, p}] {
			at, reason := source(&r)
			if a := accounts[at]; a != nil {
				a.Applied--
				if reason == processors.ReasonLate {
					a.Late++
				} else {
					a.Dead++
				}
			}
		}
	}
	return accounts, unbalanced(accounts, good)
}

// source is where a dead letter came from, and why.
func source(r *Record) (Place, processors.Reason) {
	var at Place
	var reason processors.Reason
	for _, h := range r.Headers {
		switch h.Key {
		case topics.HeaderSourceTopic:
			at.Topic = string(h.Value)
		case topics.HeaderSourcePartition:
			if p, err := strconv.ParseInt(string(h.Value), 10, 32); err == nil {
				at.Partition = int32(p)
			}
		case topics.HeaderReason:
			reason = processors.Reason(h.Value)
		}
	}
	return at, reason
}

// unbalanced compares each account with the journal: as many records were applied as are good, and
// each that was taken is one of the rest.
func unbalanced(accounts map[Place]*Account, good map[Place]int) []Finding {
	var findings []Finding
	for _, at := range slices.SortedFunc(maps.Keys(accounts), comparePlaces) {
		a := accounts[at]
		if a.Applied != good[at] || a.Acked != a.Applied+a.Duplicate+a.Late+a.Dead {
			findings = append(findings, Finding{Kind: Unbalanced, Place: at, Offset: -1,
				Detail: fmt.Sprintf(": %+v, and %d are good", *a, good[at])})
		}
	}
	return findings
}

// home is where an entry is at home: the partition of its key, or wherever it is put.
func (e *Entry) home(partitions int32) Place {
	if e.Key == "" {
		return Place{e.Topic, e.Partition}
	}
	return Place{e.Topic, engine.PartitionOf(e.Key, partitions)}
}

// Add adds another account.
func (a *Account) Add(o *Account) {
	a.Acked, a.Applied, a.Duplicate = a.Acked+o.Acked, a.Applied+o.Applied, a.Duplicate+o.Duplicate
	a.Late, a.Dead, a.Astray = a.Late+o.Late, a.Dead+o.Dead, a.Astray+o.Astray
}

// Standing are the anomalies that were not withdrawn, by id.
func Standing(anomalies map[string][]byte) map[string][]byte {
	standing := map[string][]byte{}
	for id, text := range anomalies {
		var a chargestream.Anomaly
		if json.Unmarshal(text, &a) != nil || a.Evidence[tables.EvidenceWithdrawn] == "" {
			standing[id] = text
		}
	}
	return standing
}
