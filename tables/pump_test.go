package tables_test

import (
	"encoding/json"
	"slices"
	"time"

	"chargestream"
	"chargestream/pricing"
	"chargestream/tables"
)

// shelf is a tables.Book in memory.
type shelf struct {
	references map[string]*tables.Reference
	parsed     map[string]*pricing.Tariff
}

func newShelf() *shelf {
	return &shelf{references: map[string]*tables.Reference{}, parsed: map[string]*pricing.Tariff{}}
}

// Reference implements tables.Book.
func (b *shelf) Reference(key string) (*tables.Reference, error) { return b.references[key], nil }

// Tariff implements tables.Book.
func (b *shelf) Tariff(raw []byte) (*pricing.Tariff, error) {
	if t, ok := b.parsed[string(raw)]; ok {
		return t, nil
	}
	t, err := pricing.Parse(raw)
	b.parsed[string(raw)] = t
	return t, err
}

// Location implements tables.Book.
func (b *shelf) Location(name string) *time.Location {
	if name == "" {
		return nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return zone
}

func (b *shelf) row(key string) *tables.Reference {
	if b.references[key] == nil {
		b.references[key] = &tables.Reference{}
	}
	return b.references[key]
}

// register adds an entry of the registry.
func (b *shelf) register(arrival chargestream.Millis, info *chargestream.StationInfo) {
	must(b.row(string(info.StationID)).AddRegistry(arrival, info))
}

// publish adds a tariff with its versions.
func (b *shelf) publish(arrival chargestream.Millis, id chargestream.TariffID,
	versions ...chargestream.TariffVersion) {
	must(b.row(string(id)).AddTariff(arrival, versions))
}

// component is a PriceComponent of OCPI 2.2.1.
type component struct {
	Type  string      `json:"type"`
	Price json.Number `json:"price"`
	VAT   json.Number `json:"vat,omitempty"`
	Step  int64       `json:"step_size"`
}

// versionOf is a tariff of one element, in force from a moment on.
func versionOf(from chargestream.Millis, currency string,
	components ...component) chargestream.TariffVersion {
	text, err := json.Marshal(map[string]any{"currency": currency,
		"elements": []any{map[string]any{"price_components": components}}})
	if err != nil {
		panic(err) // texts and numbers of a test
	}
	return chargestream.TariffVersion{ValidFrom: from, Tariff: text}
}

// yesterday is before all that happens in tests.
const yesterday = begin - chargestream.Day

// bookOf is a book in which the station st has a tariff, t, since yesterday.
func bookOf(currency string, components ...component) *shelf {
	b := newShelf()
	b.register(yesterday, &chargestream.StationInfo{StationID: "st", TariffID: "t"})
	b.publish(yesterday, "t", versionOf(yesterday, currency, components...))
	return b
}

// pump is the tables of one station, with what passes between them: what package processors does
// with topics, in memory and in one queue.
type pump struct {
	station  *tables.Station
	sessions map[chargestream.SessionID]*tables.Session
	hours    map[tables.HourKey]*tables.Hour
	book     tables.Book
	now      chargestream.Millis // arrival of the last event, or stream time of the last firing
	queue    []func()            // what was handed on and is not merged yet, in its order

	// What is told. Each may be nil.
	handed  func(*tables.StationEffects)
	anomaly func(chargestream.Anomaly)
	invoice func(chargestream.Invoice)
	// billed is told the row of a session before and after a change.
	billed func(id chargestream.SessionID, before, now *tables.Session)
}

func newPump(book tables.Book) *pump {
	return &pump{station: &tables.Station{}, hours: map[tables.HourKey]*tables.Hour{},
		sessions: map[chargestream.SessionID]*tables.Session{}, book: book}
}

// fold folds an event that arrived at p.now.
func (p *pump) fold(event chargestream.Event) {
	before := p.station.Anomalies()
	var out tables.StationEffects
	p.station.Fold(event, p.now, &out)
	p.handOn(&out)
	p.tell(p.changes(before, p.station.Anomalies()))
}

// fireDelay is how much later than due the engine fires a timer.
const fireDelay = chargestream.Second

// arrive folds an event behind the timers that are due before it, as the engine does.
func (p *pump) arrive(event chargestream.Event, arrival chargestream.Millis) {
	p.fire(max(p.now, arrival-fireDelay))
	p.now = arrival
	p.fold(event)
}

// fire does what is due at the station by a moment, and closes the windows whose grace is over.
func (p *pump) fire(now chargestream.Millis) {
	p.now = now
	for due := p.station.Due(); due != 0 && due <= now; due = p.station.Due() {
		var out tables.StationEffects
		p.station.Fire(now, &out)
		p.handOn(&out)
	}
	for key, row := range p.hours {
		if due := row.Due(key); due != 0 && due <= now {
			row.Closed = true
		}
	}
}

// handOn passes the parts on to the sessions and the windows, and theirs to each other.
func (p *pump) handOn(out *tables.StationEffects) {
	if p.handed != nil {
		p.handed(out)
	}
	p.send(out.Sessions, out.Hours)
	for len(p.queue) > 0 {
		merge := p.queue[0]
		p.queue = p.queue[1:]
		merge()
	}
}

// send queues parts as bytes, as they lie in topics.
func (p *pump) send(sessions []tables.SessionPart, hours []tables.HourPart) {
	for i := range sessions {
		id, value := sessions[i].ID, sessions[i].Row.Append(nil)
		p.queue = append(p.queue, func() { p.mergeSession(id, must(tables.DecodeSession(value))) })
	}
	for i := range hours {
		key, value := hours[i].Key.String(), hours[i].AppendPart(nil)
		p.queue = append(p.queue, func() { p.mergeHour(must(tables.DecodeHourPart(key, value))) })
	}
}

func (p *pump) mergeSession(id chargestream.SessionID, part *tables.Session) {
	before, row := &tables.Session{}, &tables.Session{}
	if known := p.sessions[id]; known != nil {
		before, row = known, must(tables.DecodeSession(known.Append(nil)))
	}
	row.Merge(part)
	told := must(row.Bill(id, p.book, before, p.now))
	p.sessions[id] = row
	old, now := before.Intervals(id), row.Intervals(id)
	if !slices.EqualFunc(old, now, func(a, b tables.HourPart) bool {
		return a.Key == b.Key && a.Row.Stays[0].Interval.Same(&b.Row.Stays[0].Interval)
	}) {
		p.send(nil, now)
	}
	p.send(nil, row.Asks(id, before))
	if p.billed != nil {
		p.billed(id, before, row)
	}
	for _, v := range told.Documents {
		if p.invoice != nil {
			p.invoice(v)
		}
	}
	p.tell(told.Anomalies)
}

func (p *pump) mergeHour(part *tables.HourPart) {
	before, row := &tables.Hour{}, &tables.Hour{}
	if known := p.hours[part.Key]; known != nil {
		before, row = known, must(tables.DecodeHour(known.Append(nil)))
	}
	row.Merge(&part.Row)
	p.hours[part.Key] = row
	p.send(row.Verdicts(before), nil)
	if part.Check != "" {
		p.send([]tables.SessionPart{row.Answer(part)}, nil)
	}
	p.send(row.Restated(part.Key, before), nil)
	p.send(row.Notices(part), nil)
	p.tell(p.changes(before.Overlaps(part.Key), row.Overlaps(part.Key)))
}

func (p *pump) changes(before, now []chargestream.Anomaly) []chargestream.Anomaly {
	return tables.AnomalyChanges(before, now, p.now)
}

func (p *pump) tell(anomalies []chargestream.Anomaly) {
	for _, a := range anomalies {
		if p.anomaly != nil {
			p.anomaly(a)
		}
	}
}
