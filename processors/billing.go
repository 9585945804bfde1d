package processors

import (
	"fmt"
	"sync"
	"time"

	"chargestream"
	"chargestream/engine"
	"chargestream/pricing"
	"chargestream/tables"
	"chargestream/topics"
)

// Bounds of what is kept parsed. There are more only where an operator writes a tariff for each
// station; then they are parsed again.
const (
	parsedMax = 1024
	zonesMax  = 1024
)

// book is the reference data as the bills of one fold are made by it: it implements billing.Book.
type book struct {
	ctx *engine.Context
	f   *stationFold
}

// parsed is what of the reference data is parsed, by its bytes: the same text is the same tariff
// for ever. Partitions fold at the same time, so it is locked; what it gives must not be changed.
type parsed struct {
	mu        sync.Mutex
	tariffs   map[string]*pricing.Tariff
	zones     map[string]*time.Location
	histories map[string]*tables.Tariff
}

func newParsed() *parsed {
	return &parsed{tariffs: map[string]*pricing.Tariff{}, zones: map[string]*time.Location{},
		histories: map[string]*tables.Tariff{}}
}

// remember adds to a map that is emptied when it is full.
func remember[T any](m map[string]T, most int, key string, value T) {
	if len(m) >= most {
		clear(m)
	}
	m[key] = value
}

// Registry implements billing.Book.
func (b *book) Registry(id chargestream.StationID) (*tables.Registry, error) {
	return b.f.registry.Get(b.ctx, string(id))
}

// Tariff implements billing.Book.
func (b *book) Tariff(id chargestream.TariffID) (*tables.Tariff, error) {
	if id == "" {
		return nil, nil
	}
	raw, err := b.ctx.Lookup(topics.Table(topics.TableTariffs), TariffKey(id))
	if err != nil || raw == nil {
		return nil, err
	}
	p := b.f.reference
	p.mu.Lock()
	defer p.mu.Unlock()
	if row, ok := p.histories[string(raw)]; ok {
		return row, nil
	}
	row, err := tables.DecodeTariff(raw)
	if err != nil {
		return nil, fmt.Errorf("tariff %q: %w", id, err)
	}
	remember(p.histories, parsedMax, string(raw), row)
	return row, nil
}

// Parse implements billing.Book.
func (b *book) Parse(raw []byte) (*pricing.Tariff, error) {
	p := b.f.reference
	p.mu.Lock()
	defer p.mu.Unlock()
	if t, ok := p.tariffs[string(raw)]; ok {
		return t, nil
	}
	t, err := pricing.Parse(raw)
	if err != nil {
		return nil, err
	}
	remember(p.tariffs, parsedMax, string(raw), t)
	return t, nil
}

// Location implements billing.Book.
func (b *book) Location(name string) *time.Location {
	if name == "" {
		return nil
	}
	return b.f.reference.location(name)
}

// location is the time zone of an IANA name; nil where there is none of that name.
func (p *parsed) location(name string) *time.Location {
	p.mu.Lock()
	defer p.mu.Unlock()
	zone, ok := p.zones[name]
	if !ok {
		var err error
		if zone, err = time.LoadLocation(name); err != nil {
			zone = nil
		}
		remember(p.zones, zonesMax, name, zone)
	}
	return zone
}
