package documents

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"chargestream"
)

// HoldText says why a document is held: what shows the doubt, as a sentence, and what the reason
// means where nothing does. Times are RFC 3339 in UTC. The text is the same for evidence that was
// read from JSON.
func HoldText(h chargestream.Hold) string {
	if text := holdEvidence(h, chargestream.Millis.String); text != "" {
		return text
	}
	return holdWords(h.Reason)
}

// holdEvidence is the evidence of a hold as a sentence, with times as format writes them; empty
// where there is none.
func holdEvidence(h chargestream.Hold, format func(chargestream.Millis) string) string {
	if len(h.Evidence) == 0 {
		return ""
	}
	p := &proof{of: h.Evidence, format: format}
	if write, ok := holdSentences()[h.Reason]; ok {
		if text := write(p); text != "" && !p.missing {
			return text
		}
	}
	return p.all()
}

// holdWords says what a reason means; one that is not known stands for itself.
func holdWords(r chargestream.HoldReason) string {
	if words, ok := holdTexts()[r]; ok {
		return words
	}
	return string(r)
}

func holdTexts() map[chargestream.HoldReason]string {
	return map[chargestream.HoldReason]string{
		chargestream.HoldDuplicate:      "The same session was delivered before under another id.",
		chargestream.HoldNotEnded:       "The session has no end.",
		chargestream.HoldNoEnergy:       "The delivered energy is not known.",
		chargestream.HoldEnergyMismatch: "The reported energy is not that of the meter readings.",
		chargestream.HoldEstimated: "The energy is known from samples only, not from start and " +
			"end.",
		chargestream.HoldNegativeEnergy: "The meter reading at the end is below the one at the " +
			"start.",
		chargestream.HoldNegativeDuration: "The session ends before it starts.",
		chargestream.HoldMeterRegression:  "The meter ran backwards within the session.",
		chargestream.HoldClockSkew:        "The station's clock was more than five minutes ahead.",
		chargestream.HoldConflict: "Two different starts, or two different ends, came for the " +
			"session.",
		chargestream.HoldNoTariff: "No tariff was in force for the station at the start.",
		chargestream.HoldTariffUnsupported: "The tariff asks for something that is not known of " +
			"the session.",
		chargestream.HoldOverlap: "Another session ran on the connector at the same time.",
		chargestream.HoldNoStart: "An end came, and no start.",
		chargestream.HoldUnitMismatch: "Meter and power differ by a factor of a hundred or more: " +
			"one of them has another unit.",
		chargestream.HoldOverPower: "More energy is reported than the connector can deliver in " +
			"that time.",
		chargestream.HoldLifetimeRegister: "The reading of the meter's whole life was reported " +
			"as that of the session.",
		chargestream.HoldRepeatedEnergy: "The energy of the session right before is reported " +
			"again, and more.",
		chargestream.HoldUnknownUser: "No user is named who can pay.",
		chargestream.HoldVATUnknown:  "A price has no VAT rate, which is not the same as 0 %.",
		chargestream.HoldSignedMissing: "The meter is calibrated, and its begin or end value is " +
			"not signed.",
		chargestream.HoldSignedInvalid: "The signed meter values contradict themselves, each " +
			"other or the registry.",
		chargestream.HoldSignedUnverified: "The meter is calibrated, and its signatures cannot " +
			"be verified.",
		chargestream.HoldSignedMismatch: "The signed energy is not the billed energy.",
		chargestream.HoldCancelled:      "An operator decided that the session is not billed.",
	}
}

// holdSentences write the evidence of each reason that has any.
func holdSentences() map[chargestream.HoldReason]func(*proof) string {
	return map[chargestream.HoldReason]func(*proof) string{
		chargestream.HoldClockSkew: func(p *proof) string {
			return fmt.Sprintf("the station's clock was %s ahead; %s are tolerated",
				span(p.number("ahead_ms")), span(p.number("tolerance_ms")))
		},
		chargestream.HoldConflict: func(p *proof) string {
			return joined(p.conflict("starts", "start_time", "other_start_time"),
				p.conflict("ends", "end_time", "other_end_time"))
		},
		chargestream.HoldDuplicate: func(p *proof) string {
			return fmt.Sprintf("session %s, which started at %s, is the same and was delivered "+
				"before", p.text("duplicate_of"), p.time("start_time"))
		},
		chargestream.HoldOverlap: (*proof).overlap,
		chargestream.HoldNoStart: func(p *proof) string {
			return fmt.Sprintf("the session ended at %s and has no start", p.time("end_time"))
		},
		chargestream.HoldNotEnded: func(p *proof) string {
			return fmt.Sprintf("the session started at %s and has no end", p.time("start_time"))
		},
		chargestream.HoldNegativeDuration: func(p *proof) string {
			return fmt.Sprintf("the session ends at %s, before its start at %s",
				p.time("end_time"), p.time("start_time"))
		},
		chargestream.HoldUnknownUser:      (*proof).unknownUser,
		chargestream.HoldNoEnergy:         (*proof).registers,
		chargestream.HoldNegativeEnergy:   (*proof).registers,
		chargestream.HoldMeterRegression:  (*proof).regression,
		chargestream.HoldLifetimeRegister: (*proof).registers,
		chargestream.HoldEnergyMismatch: func(p *proof) string {
			return fmt.Sprintf("%s were reported, the meter readings show %s",
				p.energy("reported_energy_wh"), p.energy("measured_wh"))
		},
		chargestream.HoldRepeatedEnergy: func(p *proof) string {
			return fmt.Sprintf("%s in %s; session %s, which ended right before, reported %s in %s",
				p.energy("energy_wh"), span(1000*p.number("duration_s")),
				p.text("previous_session_id"), p.energy("previous_energy_wh"),
				span(1000*p.number("previous_duration_s")))
		},
		chargestream.HoldEstimated:         (*proof).registers,
		chargestream.HoldOverPower:         (*proof).overPower,
		chargestream.HoldUnitMismatch:      (*proof).unitMismatch,
		chargestream.HoldNoTariff:          (*proof).noTariff,
		chargestream.HoldTariffUnsupported: (*proof).unsupported,
		chargestream.HoldVATUnknown:        (*proof).noVAT,
		chargestream.HoldSignedMissing:     (*proof).unsigned,
		chargestream.HoldSignedUnverified:  (*proof).unverified,
		chargestream.HoldSignedInvalid: func(p *proof) string {
			return joined(p.list("problems")...)
		},
		chargestream.HoldSignedMismatch: func(p *proof) string {
			return fmt.Sprintf("%s are billed, %s kWh are signed", p.energy("energy_wh"),
				decimals(p.number("signed_energy_mwh"), 6))
		},
	}
}

// proof reads the evidence of a hold. It notes what it looked for and did not find.
type proof struct {
	of      chargestream.Evidence
	format  func(chargestream.Millis) string
	missing bool
}

// all is the evidence as it is: of a reason, or with fields, of another version of the program.
func (p *proof) all() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(p.of)) {
		text := fmt.Sprint(p.of[name])
		one := proof{of: p.of}
		if n := one.number(name); !one.missing {
			text = strconv.FormatInt(n, 10)
		}
		if at, ok := p.of[name].(chargestream.Millis); ok {
			text = p.format(at)
		}
		parts = append(parts, name+" "+text)
	}
	return strings.Join(parts, ", ")
}

func (p *proof) has(name string) bool { return p.of[name] != nil }

// number is a whole number, of any type that holds one.
func (p *proof) number(name string) int64 {
	switch v := reflect.ValueOf(p.of[name]); {
	case v.CanInt():
		return v.Int()
	case v.CanFloat() && v.Float() == math.Trunc(v.Float()) && math.Abs(v.Float()) < 1<<53:
		return int64(v.Float())
	}
	if n, ok := p.of[name].(json.Number); ok {
		if whole, err := n.Int64(); err == nil {
			return whole
		}
	}
	p.missing = true
	return 0
}

func (p *proof) text(name string) string {
	text, ok := p.of[name].(string)
	p.missing = p.missing || !ok
	return text
}

// time is a point in time, which JSON has as RFC 3339.
func (p *proof) time(name string) string {
	at, ok := p.of[name].(chargestream.Millis)
	if !ok && at.UnmarshalText([]byte(p.text(name))) != nil {
		p.missing = true
	}
	return p.format(at)
}

// truth is a yes or no.
func (p *proof) truth(name string) bool {
	is, ok := p.of[name].(bool)
	p.missing = p.missing || !ok
	return is
}

// list is a list of texts, which JSON has as a list of anything.
func (p *proof) list(name string) []string {
	if list, ok := p.of[name].([]string); ok {
		return list
	}
	all, ok := p.of[name].([]any)
	p.missing = p.missing || !ok
	list := make([]string, 0, len(all))
	for _, v := range all {
		list = append(list, fmt.Sprint(v))
	}
	return list
}

// energy is an amount in kWh.
func (p *proof) energy(name string) string { return decimals(p.number(name), 3) + " kWh" }

// conflict is how two events differ about one end of the session; empty where they do not.
func (p *proof) conflict(verb, name, other string) string {
	if !p.has(name) {
		return ""
	}
	first, second := p.time(name), p.time(other)
	if first == second {
		return fmt.Sprintf("two events that differ say that the session %s at %s", verb, first)
	}
	return fmt.Sprintf("one event says that the session %s at %s, another at %s", verb, first,
		second)
}

func (p *proof) overlap() string {
	text := fmt.Sprintf("session %s ran on the connector from %s to %s",
		p.text("other_session_id"), p.time("overlap_from"), p.time("overlap_to"))
	if n := p.number("other_sessions"); n > 1 {
		text += fmt.Sprintf("; in all %d other sessions overlap", n)
	}
	return text
}

func (p *proof) unknownUser() string {
	if user := p.text("user_id"); user != "" {
		return fmt.Sprintf("%q is not the id of a user who can pay", user)
	}
	return "the session names no user"
}

func (p *proof) regression() string {
	fell := ""
	if p.has("fell_at") {
		fell = fmt.Sprintf("the register fell from %s to %s at %s",
			p.energy("fell_from_wh"), p.energy("fell_to_wh"), p.time("fell_at"))
	}
	return joined(fell, p.registers())
}

// registers is what the meter showed, as far as it is known.
func (p *proof) registers() string {
	var parts []string
	start, stop := p.has("meter_start_wh"), p.has("meter_stop_wh")
	switch {
	case start && stop:
		parts = append(parts, fmt.Sprintf("the register reads %s at the start and %s at the end",
			p.energy("meter_start_wh"), p.energy("meter_stop_wh")))
	case start:
		parts = append(parts, fmt.Sprintf("the register reads %s at the start; its reading at "+
			"the end is not known", p.energy("meter_start_wh")))
	case stop:
		parts = append(parts, fmt.Sprintf("the register reads %s at the end; its reading at the "+
			"start is not known", p.energy("meter_stop_wh")))
	}
	if p.has("reported_energy_wh") {
		parts = append(parts, "the station reports "+p.energy("reported_energy_wh"))
	}
	if p.has("first_sample_at") {
		first, last := p.time("first_sample_at"), p.time("last_sample_at")
		text := fmt.Sprintf("a sample reads %s at %s", p.energy("first_sample_wh"), first)
		if first != last {
			text = fmt.Sprintf("samples read from %s at %s to %s at %s",
				p.energy("first_sample_wh"), first, p.energy("last_sample_wh"), last)
		}
		parts = append(parts, text)
	}
	return joined(parts...)
}

func (p *proof) overPower() string {
	return fmt.Sprintf("%s in %s; a connector rated %s delivers %s at most",
		p.energy("energy_wh"), span(1000*p.number("duration_s")), kilo(p.number("rating_w"), "kW"),
		kilo(p.number("limit_wh"), "kWh"))
}

func (p *proof) unitMismatch() string {
	return fmt.Sprintf("%s in %s; the power samples show %s at least, and a peak of %s",
		p.energy("energy_wh"), span(1000*p.number("duration_s")),
		p.energy("sampled_at_least_wh"), kilo(p.number("peak_w"), "kW"))
}

func (p *proof) noTariff() string {
	switch missing, _ := p.of["missing"].(string); missing {
	case "station":
		return "the registry has no entry of the station"
	case "tariff_id":
		return "the registry's entry of the station names no tariff_id"
	case "tariff":
		return fmt.Sprintf("there is no tariff %q", p.text("tariff_id"))
	}
	var parts []string
	if p.has("registry_entry") {
		parts = append(parts, "the registry has no entry of the station")
	}
	if p.has("tariff_id") {
		parts = append(parts, fmt.Sprintf("no version of the tariff %q was in force at the start",
			p.text("tariff_id")))
	}
	return joined(parts...)
}

func (p *proof) unsupported() string {
	return fmt.Sprintf("tariff %q: %s", p.text("tariff_id"), p.text("error"))
}

func (p *proof) noVAT() string {
	return fmt.Sprintf("a price of the tariff %q has no VAT rate", p.text("tariff_id"))
}

func (p *proof) unsigned() string {
	switch begin, end := p.truth("signed_begin"), p.truth("signed_end"); {
	case begin:
		return "the begin is signed, the end is not"
	case end:
		return "the end is signed, the begin is not"
	}
	return "neither the begin nor the end is signed"
}

func (p *proof) unverified() string {
	connector := p.text("connector_id")
	if p.text("public_key") == "none" {
		return fmt.Sprintf("the registry has no public_key for connector %s, so nothing shows "+
			"that the meter signed the values", connector)
	}
	return fmt.Sprintf("the public_key of connector %s in the registry lies on a curve that is "+
		"not known, so nothing shows that the meter signed the values", connector)
}

// joined joins the parts of a sentence that are not empty.
func joined(parts ...string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(parts), func(part string) bool {
		return part == ""
	}), "; ")
}

// kilo is an amount in a thousand of its unit: with one decimal, rounded down, so that a bound is
// never shown above itself; with three below 1.
func kilo(n int64, unit string) string {
	if n < 1000 {
		return decimals(n, 3) + " " + unit
	}
	return decimals(n/100, 1) + " " + unit
}

// span is a duration in ms for people, such as 1 h 30 min.
func span(ms int64) string {
	if ms < 0 {
		return "-" + span(-ms)
	}
	var parts []string
	for _, unit := range []struct {
		ms   int64
		name string
	}{{3_600_000, "h"}, {60_000, "min"}} {
		if n := ms / unit.ms; n > 0 {
			parts = append(parts, strconv.FormatInt(n, 10)+" "+unit.name)
			ms %= unit.ms
		}
	}
	if ms > 0 || len(parts) == 0 {
		parts = append(parts, strconv.FormatFloat(float64(ms)/1000, 'f', -1, 64)+" s")
	}
	return strings.Join(parts, " ")
}
