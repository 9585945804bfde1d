package ingest

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"chargestream"
)

// Record is one record of an input topic, ready to be produced.
type Record struct {
	Topic string
	Key   string // UTF-8; the station, or the tariff
	Value []byte // one JSON object
	// Arrival is when the record was first received. Zero: when it is produced.
	Arrival chargestream.Millis
}

// backdatedBy is how long before the first event reference data is taken to have been known: it
// takes effect for bills only the grace after it arrived, and sessions began before they were told.
const backdatedBy = chargestream.Day

// Backdate is reference data with an arrival a day before that of the earliest event, where it has
// none: what is brought in with the events of a past is what was known then. Without events it
// stays as it is.
func Backdate(reference, events []Record) []Record {
	var first chargestream.Millis
	for _, r := range events {
		if r.Arrival != 0 && (first == 0 || r.Arrival < first) {
			first = r.Arrival
		}
	}
	dated := slices.Clone(reference)
	for i := range dated {
		if dated[i].Arrival == 0 && first != 0 {
			dated[i].Arrival = first - backdatedBy
		}
	}
	return dated
}

// Duplicate is every record twice, one behind the other, as a gateway that lost an acknowledgement
// sends them.
func Duplicate(records []Record) []Record {
	twice := make([]Record, 0, 2*len(records))
	for _, r := range records {
		twice = append(twice, r, r)
	}
	return twice
}

// Shuffle is the records in an order that follows from the seed alone.
func Shuffle(records []Record, seed uint64) []Record {
	shuffled := slices.Clone(records)
	rand.New(rand.NewPCG(seed, seed)).Shuffle(len(shuffled), func(i, j int) {
		shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
	})
	return shuffled
}

// Cut is at most limit records from the offset on, counted from zero; a limit of zero is all that
// remain. Runs with adjoining cuts produce every record once.
func Cut(records []Record, offset, limit int) []Record {
	records = records[min(max(offset, 0), len(records)):]
	if limit > 0 {
		records = records[:min(limit, len(records))]
	}
	return records
}

// ordered is a record with what decides on its place.
type ordered struct {
	Record
	end bool
}

// inOrder sorts by arrival, then starts before ends; equals stay in the order of the file.
func inOrder(events []ordered) []Record {
	slices.SortStableFunc(events, func(a, b ordered) int {
		return cmp.Or(cmp.Compare(a.Arrival, b.Arrival), compareEnds(a.end, b.end))
	})
	records := make([]Record, len(events))
	for i, e := range events {
		records[i] = e.Record
	}
	return records
}

func compareEnds(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
