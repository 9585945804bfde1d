package processors

import (
	"fmt"

	"chargestream"
	"chargestream/internal/engine"
	"chargestream/tables"
	"chargestream/topics"
)

// Hours keeps the windows: it merges parts of stations and sessions, tells utilization, finds
// sessions that overlap and those that were delivered twice, and answers the sessions that ask.
func Hours(count Counter) *engine.Processor {
	f := &hourFold{count: orSilent(count), ready: newReady()}
	return &engine.Processor{
		Group:   topics.GroupHours,
		Inputs:  []string{topics.HourParts},
		Clock:   topics.Clock(topics.GroupHours),
		Lookups: []string{topics.Table(topics.GroupReference)},
		Sources: ReferenceSources(),
		Outputs: []string{
			topics.Utilization,
			topics.SessionParts,
			topics.Anomalies,
			topics.DeadLetters,
		},
		Fold: f.fold,
		Due:  hourDue,
		Fire: f.fire,
	}
}

type hourFold struct {
	count Counter
	ready *ready
}

func (f *hourFold) fold(ctx engine.Context, m *engine.Message) error {
	part, err := tables.DecodeHourPart(m.Key, m.Value)
	if err != nil {
		deadLetter(ctx, f.count, m, ReasonMalformed, err)
		return nil
	}
	before, err := readHour(ctx)
	if err != nil {
		return err
	}
	row, err := readHour(ctx)
	if err != nil {
		return err
	}
	row.Merge(&part.Row)
	if len(row.Transitions) >= tables.HourTransitionsMax {
		f.count.Bound("hour_transitions")
	}
	if len(row.Stays) >= tables.HourStaysMax {
		f.count.Bound("hour_stays")
	}
	if len(row.Loads) >= tables.HourLoadsMax {
		f.count.Bound("hour_loads")
	}
	emitSessionParts(ctx, row.Verdicts(before))
	if part.Check != "" {
		emitSessionParts(ctx, []tables.SessionPart{row.Answer(part)})
	}
	emitSessionParts(ctx, row.Restated(part.Key, before))
	emitSessionParts(ctx, row.Notices(part))
	return f.finish(ctx, part.Key, before, row)
}

func (f *hourFold) fire(ctx engine.Context, _ int64) error {
	key, err := tables.ParseHourKey(ctx.Key())
	if err != nil {
		return err
	}
	before, err := readHour(ctx)
	if err != nil {
		return err
	}
	row := *before
	row.Closed = true
	return f.finish(ctx, key, before, &row)
}

func (f *hourFold) finish(ctx engine.Context, key tables.HourKey, before, row *tables.Hour) error {
	old, err := ctx.Row()
	if err != nil {
		return err
	}
	known := old != nil
	ctx.SetRow(row.Append(nil))
	ctx.SetDue(int64(row.Due(key)))
	now := row.Utilization(key)
	if !known || before.Utilization(key) != now {
		site, err := f.siteOf(ctx, key.StationID)
		if err != nil {
			return err
		}
		now.SiteID = site
		if err := emitJSON(ctx, topics.Utilization, ctx.Key(), now); err != nil {
			return err
		}
	}
	return emitAnomalies(ctx, anomalyChanges(ctx, before.Overlaps(key), row.Overlaps(key)))
}

func readHour(ctx engine.Context) (*tables.Hour, error) {
	raw, err := ctx.Row()
	if err != nil || raw == nil {
		return &tables.Hour{}, err
	}
	row, err := tables.DecodeHour(raw)
	if err != nil {
		return nil, fmt.Errorf("window %q: %w", ctx.Key(), err)
	}
	return row, nil
}

func hourDue(key string, raw []byte) (int64, error) {
	k, err := tables.ParseHourKey(key)
	if err != nil {
		return 0, err
	}
	row, err := tables.DecodeHour(raw)
	if err != nil {
		return 0, fmt.Errorf("window %q: %w", key, err)
	}
	return int64(row.Due(k)), nil
}

// siteOf is the site of a station, as the registry has it now; empty for none.
func (f *hourFold) siteOf(
	ctx engine.Context,
	id chargestream.StationID,
) (chargestream.SiteID, error) {
	history, err := f.ready.reference(ctx, string(id))
	if err != nil || history == nil {
		return "", err
	}
	info := history.RegistryBy(chargestream.Millis(ctx.Arrival()))
	if info == nil {
		return "", nil
	}
	return info.SiteID, nil
}
