package why

import (
	"fmt"
	"strings"

	"chargestream"
	"chargestream/documents"
)

// holds are the reasons that hold a document, each with its evidence and with what can be done.
func holds(v *chargestream.Invoice) []chargestream.HoldWhy {
	list := []chargestream.HoldWhy{}
	for _, reason := range v.HoldReasons {
		hold := chargestream.Hold{Reason: reason}
		for _, h := range v.Holds {
			if h.Reason == reason {
				hold = h
			}
		}
		list = append(list, chargestream.HoldWhy{Reason: reason, Text: documents.HoldText(hold),
			Releasable: reason.Releasable(), Next: next(v, hold)})
	}
	return list
}

// step is something that an operator can do.
type step func(v *chargestream.Invoice, h chargestream.Hold) string

// decide is a command of invoices, with flags that the reason asks for.
func decide(verb, flags, then string) step {
	return func(v *chargestream.Invoice, _ chargestream.Hold) string {
		text := fmt.Sprintf("chargestream invoices %s %s", verb, v.SessionID)
		if flags != "" {
			text += " " + flags
		}
		return text + ": " + then
	}
}

// say is an advice that is no decision.
func say(text string) step {
	return func(*chargestream.Invoice, chargestream.Hold) string { return text }
}

// other names the command that shows a session of the evidence.
func other(field, then string) step {
	return func(_ *chargestream.Invoice, h chargestream.Hold) string {
		id, ok := h.Evidence[field].(string)
		if !ok {
			return ""
		}
		return fmt.Sprintf("chargestream why %s: %s", id, then)
	}
}

// tariffStep names the tariff that was looked for.
func tariffStep(v *chargestream.Invoice, h chargestream.Hold) string {
	id, ok := h.Evidence["tariff_id"].(string)
	switch {
	case ok:
		return fmt.Sprintf("chargestream tariffs put FILE: a version of %q that is valid at %s",
			id, cmpTime(v.StartTime, v.EndTime))
	case h.Evidence["registry_entry"] != nil:
		return fmt.Sprintf("chargestream stations put FILE: an entry of the station %s with its "+
			"tariff_id", v.StationID)
	}
	return fmt.Sprintf("chargestream stations put FILE: the entry of the station %s with a "+
		"tariff_id", v.StationID)
}

func cmpTime(start, end chargestream.Millis) chargestream.Millis {
	if start != 0 {
		return start
	}
	return end
}

// steps are what can be done about each reason, the likeliest first.
func steps() map[chargestream.HoldReason][]step {
	energy := decide("correct", "--energy-wh WH", "bill the energy that was really delivered")
	release := decide("release", "", "bill it as it is")
	cancel := decide("cancel", "", "do not bill it")
	reprice := decide("reprice", "", "bill it by the tariff and the registry as they are then")
	times := decide("correct", "--start TIME --end TIME", "set the times")
	return map[chargestream.HoldReason][]step{
		chargestream.HoldDuplicate: {other("duplicate_of", "see the session that it repeats"),
			cancel, decide("release", "", "bill both, if they are two")},
		chargestream.HoldNotEnded: {say("wait: an end that still comes bills it"),
			decide("correct", "--end TIME --energy-wh WH", "set what its end would have said"),
			cancel},
		chargestream.HoldNoEnergy: {energy, cancel},
		chargestream.HoldEstimated: {release, decide("correct", "--energy-wh WH",
			"bill the energy that another meter shows")},
		chargestream.HoldNegativeEnergy:   {energy, cancel},
		chargestream.HoldNegativeDuration: {times, cancel},
		chargestream.HoldMeterRegression:  {energy, release},
		chargestream.HoldClockSkew:        {times, release},
		chargestream.HoldConflict: {decide("correct", "--start TIME, --end TIME or --energy-wh WH",
			"set what is right"), release},
		chargestream.HoldNoTariff: {tariffStep, say("wait: once that counts, the bill follows " +
			"by itself at the end of the quarter hour"), decide("reprice", "",
			"do not wait for that")},
		chargestream.HoldTariffUnsupported: {say("chargestream tariffs put FILE: the tariff " +
			"without what is not known of the session, or chargestream stations put FILE: the " +
			"entry with what is missing, such as its time_zone"), reprice,
			decide("correct", "--tariff ID", "bill it by another tariff")},
		chargestream.HoldOverlap: {other("other_session_id", "see the session that ran beside it"),
			release, cancel},
		chargestream.HoldNoStart: {say("send the start that is missing: chargestream send"),
			decide("correct", "--start TIME", "set the start"), cancel},
		chargestream.HoldUnitMismatch: {energy, release},
		chargestream.HoldOverPower: {say("chargestream stations put FILE: the entry with the " +
			"right max_power_w, if the rating is what is wrong; then reprice"), energy, release},
		chargestream.HoldLifetimeRegister: {energy, release},
		chargestream.HoldRepeatedEnergy: {
			other("previous_session_id", "see the session right before"),
			decide("correct", "--energy-wh WH", "bill what was added only"),
			decide("release", "", "bill it as it is, if it is another charge")},
		chargestream.HoldUnknownUser: {decide("correct", "--user ID", "name who pays"),
			cancel},
		chargestream.HoldVATUnknown: {say("chargestream tariffs put FILE: the tariff with a vat " +
			"in each price"), reprice, release},
		chargestream.HoldSignedMissing: {say("send the signed values if the station still has " +
			"them: chargestream send"), release, cancel},
		chargestream.HoldSignedInvalid: {say("chargestream stations put FILE: the entry with the " +
			"meter_serial and public_key of the meter, if those are what is wrong; then reprice"),
			release, cancel},
		chargestream.HoldEnergyMismatch: {energy, release},
		chargestream.HoldSignedUnverified: {say("chargestream stations put FILE: the entry with " +
			"the public_key of the meter; then reprice"), release, cancel},
		chargestream.HoldSignedMismatch: {decide("correct", "--energy-wh WH",
			"bill the signed energy"), release},
		chargestream.HoldCancelled: {say("nothing: an operator decided it"),
			decide("reprice", "", "bill it after all")},
	}
}

// next is what can be done about a hold. A reason of another version of the program has what holds
// for all.
func next(v *chargestream.Invoice, h chargestream.Hold) []string {
	list, ok := steps()[h.Reason]
	if !ok {
		list = []step{decide("correct", "", "set what is right"), decide("cancel", "",
			"do not bill it")}
		if h.Reason.Releasable() {
			list = append(list, decide("release", "", "bill it as it is"))
		}
	}
	texts := []string{}
	for _, s := range list {
		if text := s(v, h); strings.TrimSpace(text) != "" {
			texts = append(texts, text)
		}
	}
	return texts
}
