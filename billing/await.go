package billing

import (
	"math"

	"chargestream"
	"chargestream/internal/lattice"
	"chargestream/tables"
)

// A session that found no tariff in force waits for reference data: what comes takes effect at the
// end of the quarter hour, as all that comes late (docs/decisions/0010, Moments).

// await makes the documents of a session that waits, after one moment and up to another, at each
// moment at which reference data takes effect.
func (b *biller) await(after, upTo chargestream.Millis) error {
	for b.waits {
		at, err := b.nextReference(after)
		if err != nil || at == 0 || at > upTo {
			return err
		}
		if err := b.document(at); err != nil {
			return err
		}
		after = at
	}
	return nil
}

// nextReference is the first moment after one at which reference data takes effect that may be the
// session's; zero for none.
func (b *biller) nextReference(after chargestream.Millis) (chargestream.Millis, error) {
	var next chargestream.Millis
	err := b.references(func(at chargestream.Millis) {
		if at > after {
			next = lattice.Least(next, at)
		}
	})
	return next, err
}

// references gives the moments at which the entries of the station's registry take effect, and
// those of the tariffs that they, or decisions, name.
func (b *biller) references(moment func(chargestream.Millis)) error {
	registry, err := b.book.Registry(b.Station)
	if err != nil {
		return err
	}
	var ids []chargestream.TariffID
	if registry != nil {
		for i := range registry.Revisions {
			rev := &registry.Revisions[i]
			moment(tables.QuarterAfter(rev.Arrival))
			if rev.Info != nil {
				ids = append(ids, rev.Info.TariffID)
			}
		}
	}
	for i := range b.Row.Decisions {
		ids = append(ids, b.Row.Decisions[i].Correction.TariffID)
	}
	seen := map[chargestream.TariffID]bool{"": true}
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		history, err := b.book.Tariff(id)
		if err != nil {
			return err
		}
		if history == nil {
			continue
		}
		for i := range history.Revisions {
			moment(tables.QuarterAfter(history.Revisions[i].Arrival + chargestream.TariffDelay))
		}
	}
	return nil
}

// lastReference is the last moment up to now at which reference data took effect; zero for none.
func (s *Session) lastReference(now chargestream.Millis) (chargestream.Millis, error) {
	var last chargestream.Millis
	err := s.biller(s.Book).references(func(at chargestream.Millis) {
		if at <= now {
			last = max(last, at)
		}
	})
	return last, err
}

// fresh reports whether there is reference data that the documents were not made by, whenever it
// arrived: history is imported in any order.
func (s *Session) fresh() bool {
	now := &currentBook{Book: s.Book, upTo: s.Row.BilledUpTo}
	if err := s.biller(now).references(func(chargestream.Millis) {}); err != nil {
		return true // which the documents meet, too
	}
	for _, r := range now.seen {
		known := math.MinInt
		for _, was := range s.Row.References {
			if was.Tariff == r.Tariff {
				known = was.Revisions
			}
		}
		if known != r.Revisions && (known >= 0 || r.Revisions > 0) {
			return true
		}
	}
	return false
}
