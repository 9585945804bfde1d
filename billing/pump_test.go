package billing_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"chargestream"
	"chargestream/billing"
	"chargestream/internal/lattice"
	"chargestream/internal/tabletest"
	"chargestream/pricing"
	"chargestream/tables"
)

// shelf is a billing.Book in memory.
type shelf struct {
	registry map[chargestream.StationID]*tables.Registry
	tariffs  map[chargestream.TariffID]*tables.Tariff
	parsed   map[string]*pricing.Tariff
}

func newShelf() *shelf {
	return &shelf{registry: map[chargestream.StationID]*tables.Registry{},
		tariffs: map[chargestream.TariffID]*tables.Tariff{},
		parsed:  map[string]*pricing.Tariff{}}
}

// Registry implements billing.Book.
func (b *shelf) Registry(id chargestream.StationID) (*tables.Registry, error) {
	return b.registry[id], nil
}

// Tariff implements billing.Book.
func (b *shelf) Tariff(id chargestream.TariffID) (*tables.Tariff, error) {
	return b.tariffs[id], nil
}

// Parse implements billing.Book.
func (b *shelf) Parse(raw []byte) (*pricing.Tariff, error) {
	if t, ok := b.parsed[string(raw)]; ok {
		return t, nil
	}
	t, err := pricing.Parse(raw)
	b.parsed[string(raw)] = t
	return t, err
}

// Location implements billing.Book.
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

// register adds an entry of the registry.
func (b *shelf) register(arrival chargestream.Millis, info *chargestream.StationInfo) {
	if b.registry[info.StationID] == nil {
		b.registry[info.StationID] = &tables.Registry{}
	}
	must(b.registry[info.StationID].Add(arrival, info))
}

// publish adds a tariff with its versions.
func (b *shelf) publish(arrival chargestream.Millis, id chargestream.TariffID,
	versions ...chargestream.TariffVersion) {
	if b.tariffs[id] == nil {
		b.tariffs[id] = &tables.Tariff{}
	}
	must(b.tariffs[id].Add(arrival, versions))
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

// bookOf is a book in which the station st has a tariff, t, since yesterday.
func bookOf(currency string, components ...component) *shelf {
	b := newShelf()
	b.register(yesterday, &chargestream.StationInfo{StationID: "st", TariffID: "t"})
	b.publish(yesterday, "t", versionOf(yesterday, currency, components...))
	return b
}

// pump folds the events of one station, fires what is due and sends what comes of it: what package
// processors does with topics, in memory.
type pump struct {
	*tabletest.Rows
	book billing.Book
	now  chargestream.Millis // arrival of the last event, or stream time of the last timer

	// What is sent. Each may be nil.
	anomaly func(chargestream.Anomaly)
	invoice func(chargestream.Invoice)
	// restated: something was sent because a fact was read behind the moment at which it is known.
	restated func(id chargestream.SessionID)

	skews    []chargestream.Anomaly // of the station, that were sent
	overlaps map[tables.HourKey][]chargestream.Anomaly
	// looked is when reference data was looked for that a session waits for.
	looked map[chargestream.SessionID]chargestream.Millis
}

func newPump(book billing.Book) *pump {
	return &pump{Rows: tabletest.NewRows(), book: book,
		overlaps: map[tables.HourKey][]chargestream.Anomaly{}}
}

func (p *pump) billed(id chargestream.SessionID) *billing.Session {
	return billedOf(p.Rows, id, p.book)
}

// Fold folds an event. Of sessions that were billed up to its arrival or later, what changed of
// their bills is sent.
func (p *pump) Fold(event chargestream.Event, arrival chargestream.Millis) error {
	p.now = arrival
	behind := map[chargestream.SessionID]billing.Sent{}
	for id, row := range p.Sessions {
		if row.BilledUpTo < arrival {
			continue
		}
		sent, err := p.billed(id).Sent()
		if err != nil {
			return err
		}
		behind[id] = sent
	}
	if err := p.Rows.Fold(event, arrival); err != nil {
		return err
	}
	for _, id := range sorted(behind) {
		billed := p.billed(id)
		bill, err := billed.Restate(behind[id])
		if err != nil {
			return err
		}
		p.Sessions[id].Marks = billed.Row.Marks
		if len(bill.Documents) > 0 && p.restated != nil {
			p.restated(id)
		}
		p.send(&bill)
	}
	return p.flush()
}

// fireDelay is how much later than due the engine fires a timer.
const fireDelay = chargestream.Second

// arrive folds an event behind the timers that are due before it, as the engine does, and fires
// those that it makes due.
func (p *pump) arrive(event chargestream.Event, arrival chargestream.Millis) error {
	if err := p.Fire(max(p.now, arrival-fireDelay)); err != nil {
		return err
	}
	if err := p.Fold(event, arrival); err != nil {
		return err
	}
	if err := p.Fire(arrival - fireDelay); err != nil {
		return err
	}
	p.now = arrival
	return nil
}

// timer is a row that is due.
type timer struct {
	due     chargestream.Millis
	session chargestream.SessionID // empty for the station
}

// due is when a session is billed next: one that waits for a tariff at each quarter hour.
func (p *pump) due(id chargestream.SessionID) chargestream.Millis {
	s := p.Sessions[id]
	if p.looked == nil {
		p.looked = map[chargestream.SessionID]chargestream.Millis{}
	}
	if s.Waits() {
		return lattice.Least(s.NextDue(),
			tables.QuarterAfter(max(s.BilledUpTo, p.looked[id])+1))
	}
	return s.NextDue()
}

// next is the row that is due first.
func (p *pump) next() timer {
	first := timer{due: p.Station.Due()}
	for _, id := range sorted(p.Sessions) {
		due := p.due(id)
		if due != 0 && (first.due == 0 || due < first.due) {
			first = timer{due, id}
		}
	}
	return first
}

// Fire fires what is due by a moment, in the order of what is due, and closes the windows whose
// grace is over.
func (p *pump) Fire(now chargestream.Millis) error {
	p.now = now
	for t := p.next(); t.due != 0 && t.due <= now; t = p.next() {
		if t.session == "" {
			if err := p.Station.Fire(p.Rows, now); err != nil {
				return err
			}
			if due := p.Station.Due(); due != 0 && due <= now {
				return fmt.Errorf("the station is due at %s after it was fired at %s", due, now)
			}
			continue
		}
		billed := p.billed(t.session)
		bill, err := billed.Bill(now)
		if err != nil {
			return err
		}
		p.Sessions[t.session].Marks = billed.Row.Marks
		p.looked[t.session] = now
		if due := p.due(t.session); due != 0 && due <= now {
			return fmt.Errorf("session %q is due at %s after it was billed at %s", t.session, due,
				now)
		}
		p.send(&bill)
	}
	if err := p.FireStation(now); err != nil {
		return err
	}
	return p.flush()
}

func (p *pump) send(bill *billing.Bill) {
	for _, v := range bill.Documents {
		if p.invoice != nil {
			p.invoice(v)
		}
	}
	p.report(bill.Anomalies)
}

func (p *pump) report(anomalies []chargestream.Anomaly) {
	for _, a := range anomalies {
		if p.anomaly != nil {
			p.anomaly(a)
		}
	}
}

// flush sets the shares of energy in the hours, and sends what changed of the anomalies of the
// station and of its hours.
func (p *pump) flush() error {
	for id, row := range p.Sessions {
		if err := share(p.Rows, id, row); err != nil {
			return err
		}
	}
	skews := p.Station.Anomalies()
	p.report(tables.AnomalyChanges(p.skews, skews, p.now))
	p.skews = skews
	for _, key := range sortedHours(p.Hours) {
		overlaps := p.Hours[key].Overlaps(key)
		p.report(tables.AnomalyChanges(p.overlaps[key], overlaps, p.now))
		p.overlaps[key] = overlaps
	}
	return nil
}

// share sets the shares of a session's energy in its hours.
func share(rows *tabletest.Rows, id chargestream.SessionID, row *tables.Session) error {
	var failed error
	billing.Shares(row, func(start chargestream.Millis, energy chargestream.WattHours) {
		h, err := rows.PeekHour(row.Starts[0].ConnectorID, start)
		if err != nil || h == nil {
			failed = err
			return
		}
		h.SetEnergy(id, energy)
	})
	return failed
}

func sortedHours(hours map[tables.HourKey]*tables.Hour) []tables.HourKey {
	var keys []tables.HourKey
	for key := range hours {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b tables.HourKey) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.ConnectorID, b.ConnectorID))
	})
	return keys
}
