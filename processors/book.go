package processors

import (
	"fmt"
	"sync"
	"time"

	"chargestream/internal/engine"
	"chargestream/pricing"
	"chargestream/tables"
	"chargestream/topics"
)

// Bounds of what is kept ready. There are more only where somebody writes a tariff for each
// station, or where an instance sees very many stations; then they are read again.
const (
	bookMax      = 1024 // tariffs, and time zones
	referenceMax = 8192
)

// book is the reference data as the bills of one fold are made by it.
type book struct {
	ctx   engine.Context
	ready *ready
}

// ready is what of the reference data is parsed, by its bytes: the same text is the same tariff for
// ever. Partitions fold at the same time, so it is locked; what it gives must not be changed.
type ready struct {
	mu         sync.Mutex
	tariffs    map[string]*pricing.Tariff
	zones      map[string]*time.Location
	references map[string]*tables.Reference
}

func newReady() *ready {
	return &ready{tariffs: map[string]*pricing.Tariff{}, zones: map[string]*time.Location{},
		references: map[string]*tables.Reference{}}
}

// Reference implements tables.Book.
func (b *book) Reference(key string) (*tables.Reference, error) {
	return b.ready.reference(b.ctx, key)
}

// Tariff implements tables.Book.
func (b *book) Tariff(raw []byte) (*pricing.Tariff, error) {
	b.ready.mu.Lock()
	defer b.ready.mu.Unlock()
	if t, ok := b.ready.tariffs[string(raw)]; ok {
		return t, nil
	}
	t, err := pricing.Parse(raw)
	if err != nil {
		return nil, err
	}
	if len(b.ready.tariffs) >= bookMax {
		clear(b.ready.tariffs)
	}
	b.ready.tariffs[string(raw)] = t
	return t, nil
}

// Location implements tables.Book.
func (b *book) Location(name string) *time.Location {
	if name == "" {
		return nil
	}
	b.ready.mu.Lock()
	defer b.ready.mu.Unlock()
	zone, ok := b.ready.zones[name]
	if !ok {
		var err error
		if zone, err = time.LoadLocation(name); err != nil {
			zone = nil
		}
		if len(b.ready.zones) >= bookMax {
			clear(b.ready.zones)
		}
		b.ready.zones[name] = zone
	}
	return zone
}

// reference is what is known of a key of reference data; nil for nothing.
func (r *ready) reference(ctx engine.Context, key string) (*tables.Reference, error) {
	if key == "" {
		return nil, nil
	}
	raw, err := ctx.Lookup(topics.Table(topics.GroupReference), key)
	if err != nil || raw == nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if row, ok := r.references[string(raw)]; ok {
		return row, nil
	}
	row, err := tables.DecodeReference(raw)
	if err != nil {
		return nil, fmt.Errorf("reference data of %q: %w", key, err)
	}
	if len(r.references) >= referenceMax {
		clear(r.references)
	}
	r.references[string(raw)] = row
	return row, nil
}
