package main

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/topics"
)

// recent is records that arrived in the last three hours.
type recent struct {
	from    time.Time
	records []*kgo.Record
}

func newRecent() *recent {
	return &recent{from: time.Now().UTC().Add(-3 * time.Hour).Truncate(time.Second)}
}

// moment is a time so many minutes after the first one.
func (r *recent) moment(minutes int) string {
	return r.from.Add(time.Duration(minutes) * time.Minute).Format(time.RFC3339)
}

// add adds a record that arrived so many minutes after the first moment.
func (r *recent) add(topic, key, text string, arrival int) {
	r.records = append(r.records, &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(text),
		Headers: []kgo.RecordHeader{{Key: topics.HeaderArrival,
			Value: []byte(r.moment(arrival))}}})
}
