package oracle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/cockroachdb/apd/v3"
)

// The dimensions that a price component may have.
const (
	dimEnergy  = "ENERGY"
	dimFlat    = "FLAT"
	dimParking = "PARKING_TIME"
	dimTime    = "TIME"
)

// The kinds of reservation in a restriction.
const (
	reservationTaken   = "RESERVATION"
	reservationExpired = "RESERVATION_EXPIRES"
)

const (
	numberMax   = 40 // characters of a number in a tariff
	exponentMax = 30 // its power of ten, either way
	noVAT       = "" // the VAT group of components without vat
)

type priceTariff struct {
	Elements []priceElement `json:"elements"`
	MinPrice *priceBound    `json:"min_price"`
	MaxPrice *priceBound    `json:"max_price"`
}

type priceBound struct {
	Excl *priceNumber `json:"excl_vat"`
	Incl *priceNumber `json:"incl_vat"`
}

type priceElement struct {
	Components []*priceComponent `json:"price_components"`
	Limits     json.RawMessage   `json:"restrictions"`
	limits     priceLimits
}

type priceComponent struct {
	Type     string       `json:"type"`
	Price    *priceNumber `json:"price"`
	VAT      *priceNumber `json:"vat"`
	StepSize *int64       `json:"step_size"`
}

// priceLimits are the restrictions of OCPI 2.2.1 by their names there.
type priceLimits struct {
	StartTime   *string      `json:"start_time"`
	EndTime     *string      `json:"end_time"`
	StartDate   *string      `json:"start_date"`
	EndDate     *string      `json:"end_date"`
	MinKWh      *priceNumber `json:"min_kwh"`
	MaxKWh      *priceNumber `json:"max_kwh"`
	MinCurrent  *priceNumber `json:"min_current"`
	MaxCurrent  *priceNumber `json:"max_current"`
	MinPower    *priceNumber `json:"min_power"`
	MaxPower    *priceNumber `json:"max_power"`
	MinDuration *int64       `json:"min_duration"`
	MaxDuration *int64       `json:"max_duration"`
	DayOfWeek   []string     `json:"day_of_week"`
	Reservation *string      `json:"reservation"`
}

// priceNumber is a decimal of a tariff, as exact as it is written.
type priceNumber struct{ rat big.Rat }

// UnmarshalJSON reads a JSON number; a string, or one that is too long, is an error.
func (n *priceNumber) UnmarshalJSON(b []byte) error {
	if len(b) > numberMax {
		return fmt.Errorf("number of %d characters", len(b))
	}
	d, _, err := apd.NewFromString(string(b))
	if err != nil || d.Form != apd.Finite {
		return fmt.Errorf("number %s", b)
	}
	if d.Exponent < -exponentMax || d.Exponent > exponentMax {
		return fmt.Errorf("number %s: exponent", b)
	}
	if _, ok := n.rat.SetString(d.Text('f')); !ok {
		return fmt.Errorf("number %s", b)
	}
	return nil
}

func parsePriceTariff(tariffJSON []byte) (*priceTariff, error) {
	t := new(priceTariff)
	if err := json.Unmarshal(tariffJSON, t); err != nil {
		return nil, err
	}
	if len(t.Elements) == 0 {
		return nil, errors.New("no elements")
	}
	for i := range t.Elements {
		if err := t.Elements[i].check(); err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
	}
	for _, b := range []*priceBound{t.MinPrice, t.MaxPrice} {
		if b != nil && b.Excl == nil {
			return nil, errors.New("min_price or max_price without excl_vat")
		}
	}
	return t, nil
}

func (e *priceElement) check() error {
	if len(e.Components) == 0 {
		return errors.New("no price_components")
	}
	for i, c := range e.Components {
		if c == nil {
			return fmt.Errorf("component %d: null", i)
		}
		if err := c.check(); err != nil {
			return fmt.Errorf("component %d: %w", i, err)
		}
	}
	if len(e.Limits) == 0 {
		return nil
	}
	// A restriction that is not understood would be charged outside of itself.
	d := json.NewDecoder(bytes.NewReader(e.Limits))
	d.DisallowUnknownFields()
	if err := d.Decode(&e.limits); err != nil {
		return fmt.Errorf("restrictions: %w", err)
	}
	if err := e.limits.check(); err != nil {
		return fmt.Errorf("restrictions: %w", err)
	}
	return nil
}

func (c *priceComponent) check() error {
	dimensions := []string{dimEnergy, dimFlat, dimParking, dimTime}
	switch {
	case !slices.Contains(dimensions, c.Type):
		return fmt.Errorf("type %q", c.Type)
	case c.Price == nil:
		return errors.New("no price")
	case c.VAT != nil && c.VAT.rat.Sign() < 0:
		return errors.New("negative vat")
	case c.Type != dimFlat && (c.StepSize == nil || *c.StepSize < 1):
		return errors.New("no step_size of one or more")
	}
	return nil
}

func (l *priceLimits) check() error {
	for _, at := range []*string{l.StartTime, l.EndTime} {
		if at != nil && (len(*at) != len("15:04") || !parses("15:04", *at)) {
			return fmt.Errorf("time of day %q", *at)
		}
	}
	for _, day := range []*string{l.StartDate, l.EndDate} {
		if day != nil && !parses(dayForm, *day) {
			return fmt.Errorf("date %q", *day)
		}
	}
	for _, day := range l.DayOfWeek {
		if !slices.Contains(weekdays(), day) {
			return fmt.Errorf("day_of_week %q", day)
		}
	}
	if r := l.Reservation; r != nil && *r != reservationTaken && *r != reservationExpired {
		return fmt.Errorf("reservation %q", *r)
	}
	return nil
}

func parses(form, text string) bool {
	_, err := time.Parse(form, text)
	return err == nil
}

// weekdays are OCPI's names in the order of time.Weekday.
func weekdays() []string {
	return []string{
		"SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY",
	}
}

// minuteOfDay reads a checked "15:04".
func minuteOfDay(text string) int {
	digit := func(i int) int { return int(text[i] - '0') }
	return (digit(0)*10+digit(1))*60 + digit(3)*10 + digit(4)
}

// vatGroup is what the components of one VAT percent have in common.
func (c *priceComponent) vatGroup() string {
	if c.VAT == nil {
		return noVAT
	}
	return c.VAT.rat.RatString()
}
