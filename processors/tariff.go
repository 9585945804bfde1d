package processors

import (
	"chargestream"
	"chargestream/engine"
	"chargestream/pricing"
	"chargestream/tables"
	"chargestream/topics"
)

// Tariffs keeps every tariff with its history: bills are computed by what was known at a moment,
// whenever they are computed. A tariff that does not parse never becomes reference data: it is a
// dead letter, and the last good one stays.
func Tariffs(count Counter) *engine.Processor {
	f := &tariffFold{count: orSilent(count), tariffs: &engine.Table[tables.Tariff]{
		Name: topics.TableTariffs,
		Decode: func(_ string, row []byte) (*tables.Tariff, error) {
			return tables.DecodeTariff(row)
		},
		Append: func(buf []byte, t *tables.Tariff) []byte { return t.Append(buf) },
	}}
	return &engine.Processor{
		Group:   topics.GroupTariffs,
		Inputs:  []string{topics.Tariffs},
		Tables:  []engine.Declared{f.tariffs},
		Layout:  tables.Layout,
		Outputs: []engine.Output{{Topic: topics.DeadLetters}},
		Address: foldTariffKey,
		Fold:    f.fold,
	}
}

// TariffKey is the key of a tariff's row: however its id is written, it is one tariff.
func TariffKey(id chargestream.TariffID) string { return string(chargestream.FoldID(id)) }

// foldTariffKey leads all spellings of an id to one row.
func foldTariffKey(m *engine.Message) {
	if m.Topic == topics.Tariffs && m.HasKey {
		m.Key = TariffKey(chargestream.TariffID(m.Key))
	}
}

type tariffFold struct {
	count   Counter
	tariffs *engine.Table[tables.Tariff]
}

// fold adds a revision to the history of a tariff, or keeps the record as a dead letter.
func (f *tariffFold) fold(ctx *engine.Context, m *engine.Message) error {
	if reason, err := checkKey(m); reason != "" {
		deadLetter(ctx, f.count, m, reason, err)
		return nil
	}
	history := &chargestream.TariffHistory{}
	if m.Value != nil {
		var err error
		if history, err = readTariff(m); err != nil {
			deadLetter(ctx, f.count, m, ReasonTariffRefused, err)
			return nil
		}
	}
	known, err := f.tariffs.Get(ctx, m.Key)
	if err != nil {
		return err
	}
	next := tables.Tariff{}
	if known != nil {
		next = *known
	}
	changed, err := next.Add(chargestream.Millis(m.Arrival), follow(&next, history,
		chargestream.Millis(m.Arrival)))
	if err != nil {
		refuse(ctx, f.count, m, err)
	}
	if !changed {
		return nil
	}
	row, err := f.tariffs.Edit(ctx, m.Key)
	if err != nil {
		return err
	}
	*row = next
	return nil
}

// follow are the versions of a history. A bare tariff replaces the one before from when it was last
// updated, so that what began earlier keeps its price.
func follow(known *tables.Tariff, h *chargestream.TariffHistory, arrival chargestream.Millis) (
	versions []chargestream.TariffVersion) {
	if !h.Bare || len(known.Revisions) == 0 {
		return h.Versions
	}
	before := known.Revisions[len(known.Revisions)-1].Versions
	if len(before) == 0 {
		return h.Versions
	}
	next := h.Versions[0]
	if last := before[len(before)-1]; string(last.Tariff) == string(next.Tariff) {
		return before
	}
	from := h.LastUpdated
	if from == 0 {
		from = arrival
	}
	next.ValidFrom = max(next.ValidFrom, from)
	for _, v := range before {
		if v.ValidFrom < next.ValidFrom {
			versions = append(versions, v)
		}
	}
	return append(versions, next)
}

func readTariff(m *engine.Message) (*chargestream.TariffHistory, error) {
	if len(m.Value) > topics.RecordBytesMax {
		return nil, oversized(m)
	}
	history, err := pricing.ParseHistory(m.Value)
	if err == nil && TariffKey(history.TariffID) != TariffKey(chargestream.TariffID(m.Key)) {
		err = errKey(m.Key, "tariff_id", string(history.TariffID))
	}
	return history, err
}
