package main

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"chargestream"
	"chargestream/billing"
	"chargestream/documents"
	"chargestream/engine"
	"chargestream/pricing"
	"chargestream/processors"
	"chargestream/tables"
	"chargestream/topics"
)

// changeDefault is by how many percent a correction may change an amount without --force.
const changeDefault = 50

// change is what a decision makes of a bill, before it is written.
type change struct {
	Before  amount   `json:"before"`
	After   amount   `json:"after"`
	Doubts  []string `json:"doubts,omitempty"` // what is implausible of it
	unknown string   // why the amount cannot be told; empty where it can
}

// amount is what a document bills.
type amount struct {
	Total       string                    `json:"total_incl_vat"`
	Currency    string                    `json:"currency,omitempty"`
	Energy      chargestream.WattHours    `json:"energy_wh"`
	Status      string                    `json:"status"`
	HoldReasons []chargestream.HoldReason `json:"hold_reasons,omitempty"`
}

func amountOf(v *chargestream.Invoice) amount {
	return amount{v.TotalInclVAT, v.Currency, v.Energy, string(v.Status), v.HoldReasons}
}

func (a *amount) String() string {
	text := strings.TrimSpace(a.Total+" "+a.Currency) + ", " + kilowattHours(a.Energy) + ", " +
		a.Status
	if len(a.HoldReasons) > 0 {
		text += " for " + joinReasons(a.HoldReasons)
	}
	return text
}

// preview bills the session of a live document with a decision, by the rows of the tables.
func (a *app) preview(ctx context.Context, live *chargestream.Invoice,
	d *chargestream.Decision) (*change, error) {
	names := []string{topics.TableSessions, topics.TableHours, topics.TableRegistry,
		topics.TableTariffs, topics.TableStations}
	var all []string
	for _, name := range names {
		all = append(all, topics.Table(name))
	}
	client, err := a.readingClient(ctx, all...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	key := processors.SessionKey(live.StationID, live.SessionID)
	prefix := engine.EscapeKey(string(live.StationID)) + "/"
	rows := map[string]map[string][]byte{}
	for name, keep := range map[string]func(string) bool{
		topics.TableSessions: func(k string) bool { return k == key },
		topics.TableHours:    func(k string) bool { return strings.HasPrefix(k, prefix) },
		topics.TableRegistry: func(k string) bool { return k == string(live.StationID) },
		topics.TableTariffs:  allKeys,
		topics.TableStations: func(k string) bool { return k == string(live.StationID) },
	} {
		station := string(live.StationID)
		if name == topics.TableTariffs {
			station = ""
		}
		if rows[name], err = a.newestRows(ctx, client, name, station, keep); err != nil {
			return nil, err
		}
	}
	c := &change{Before: amountOf(live)}
	if len(rows[topics.TableSessions][key]) == 0 {
		c.unknown = "the sessions table has no row of it"
		return c, nil
	}
	row, err := tables.DecodeSession(rows[topics.TableSessions][key])
	if err != nil {
		return nil, fmt.Errorf("row of session %q: %w", live.SessionID, err)
	}
	session := &billing.Session{ID: live.SessionID, Station: live.StationID, Row: row,
		Book: rowBook(rows), Hours: hoursOf(live.StationID, rows[topics.TableHours])}
	if text := rows[topics.TableStations][string(live.StationID)]; len(text) > 0 {
		station, err := tables.DecodeStation(live.StationID, text)
		if err != nil {
			return nil, fmt.Errorf("row of station %q: %w", live.StationID, err)
		}
		session.CountOpen(station) // the newest samples may be there only
	}
	p, err := session.Preview(d, chargestream.MillisOf(time.Now()))
	switch {
	case err != nil:
		return nil, fmt.Errorf("bill session %q: %w", live.SessionID, err)
	case p.After == nil:
		c.unknown = "no bill is due of what it sets"
		return c, nil
	}
	c.After = amountOf(p.After)
	for _, h := range p.Doubts {
		c.Doubts = append(c.Doubts, documents.HoldText(h))
	}
	return c, nil
}

// hoursOf looks up the hours of a station.
func hoursOf(station chargestream.StationID, rows map[string][]byte) func(
	chargestream.ConnectorID, chargestream.Millis) (*tables.Hour, error) {
	byKey := map[tables.HourKey][]byte{}
	for text, row := range rows {
		if key, err := processors.ParseHourKey(text); err == nil {
			byKey[key] = row
		}
	}
	return func(connector chargestream.ConnectorID, start chargestream.Millis) (*tables.Hour,
		error) {
		row := byKey[tables.HourKey{StationID: station, ConnectorID: connector, Start: start}]
		if len(row) == 0 {
			return nil, nil
		}
		return tables.DecodeHour(row)
	}
}

// rowBook is a billing.Book of the rows of tables, by table and key.
type rowBook map[string]map[string][]byte

// Registry implements billing.Book.
func (b rowBook) Registry(id chargestream.StationID) (*tables.Registry, error) {
	row := b[topics.TableRegistry][string(id)]
	if len(row) == 0 {
		return nil, nil
	}
	return tables.DecodeRegistry(row)
}

// Tariff implements billing.Book.
func (b rowBook) Tariff(id chargestream.TariffID) (*tables.Tariff, error) {
	row := b[topics.TableTariffs][processors.TariffKey(id)]
	if len(row) == 0 {
		return nil, nil
	}
	return tables.DecodeTariff(row)
}

// Parse implements billing.Book.
func (rowBook) Parse(raw []byte) (*pricing.Tariff, error) { return pricing.Parse(raw) }

// Location implements billing.Book.
func (rowBook) Location(name string) *time.Location {
	if name == "" {
		return nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return zone
}

// percent is by how many percent the amount changes; false where there was none, or where the two
// cannot be compared.
func (c *change) percent() (int64, bool) {
	before, ok := new(big.Rat).SetString(c.Before.Total)
	after, okAfter := new(big.Rat).SetString(c.After.Total)
	if !ok || !okAfter || before.Sign() == 0 || c.Before.Currency != c.After.Currency {
		return 0, false
	}
	share := new(big.Rat).Quo(new(big.Rat).Sub(after, before), before)
	share.Mul(share, big.NewRat(100, 1))
	whole := new(big.Int).Quo(share.Num(), share.Denom())
	if !whole.IsInt64() {
		return 0, false
	}
	return whole.Int64(), true
}

// refuse is why a correction needs --force; nil where it does not.
func (c *change) refuse(live *chargestream.Invoice, most int64) error {
	if c.unknown != "" {
		return nil
	}
	var why []string
	for _, doubt := range c.Doubts {
		why = append(why, "it is implausible: "+doubt)
	}
	// Of a bill that is held less is expected: what was doubted was too much.
	percent, ok := c.percent()
	issued := live.Status == chargestream.StatusIssued
	if ok && (percent > most || percent < -most && issued) {
		why = append(why, fmt.Sprintf("the amount changes by %+d %%, more than --max-change %d %%",
			percent, most))
	}
	for _, reason := range c.After.HoldReasons {
		if issued && !slices.Contains(c.Before.HoldReasons, reason) {
			why = append(why, fmt.Sprintf("it would be held for %s, which nothing holds now",
				reason))
		}
	}
	if len(why) == 0 {
		return nil
	}
	return refused(live, "look at it again; if it is right, give --force",
		"it is %s, and would be %s; %s", &c.Before, &c.After, strings.Join(why, "; "))
}

// lines say what was and what would be.
func (c *change) lines() []string {
	if c.unknown != "" {
		return []string{"now   " + c.Before.String(),
			"then  not known: " + c.unknown}
	}
	list := []string{"now   " + c.Before.String(), "then  " + c.After.String()}
	for _, doubt := range c.Doubts {
		list = append(list, "but   "+doubt)
	}
	return list
}
