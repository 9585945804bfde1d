package processors_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"chargestream"
	"chargestream/codecs"
	"chargestream/topics"
)

// oddityWords are the arguments of a command: those in order, and those with a name.
type oddityWords struct {
	day   chargestream.Millis
	list  []string
	named map[string]string
	err   error
}

// oddityWordsOf cuts a line at blanks, but not within quotes or within an object of JSON.
func oddityWordsOf(line string) *oddityWords {
	w := &oddityWords{named: map[string]string{}}
	line, object, found := strings.Cut(line, " {")
	quoted := false
	fields := strings.FieldsFunc(line, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ' ' && !quoted
	})
	for _, f := range fields {
		f = strings.ReplaceAll(f, `"`, "")
		if name, value, ok := strings.Cut(f, "="); ok {
			w.named[name] = value
		}
		w.list = append(w.list, f)
	}
	if found {
		w.list = append(w.list, "{"+object)
	}
	return w
}

// next takes the next argument in order, past those with a name.
func (w *oddityWords) next() string {
	word, ok := w.optional()
	if !ok {
		w.err = errors.Join(w.err, errors.New("an argument is missing"))
	}
	return word
}

// optional takes the next argument in order, if there is one.
func (w *oddityWords) optional() (string, bool) {
	for i, word := range w.list {
		if !strings.Contains(word, "=") || word[0] == '{' {
			w.list = append(w.list[:i:i], w.list[i+1:]...)
			return word, true
		}
	}
	return "", false
}

// rest takes all that is left.
func (w *oddityWords) rest() string {
	text := strings.Join(w.list, " ")
	w.list, w.named = nil, nil
	return text
}

// take takes the value of a name.
func (w *oddityWords) take(name string) (string, bool) {
	value, ok := w.named[name]
	if ok {
		delete(w.named, name)
		for i, word := range w.list {
			if strings.HasPrefix(word, name+"=") {
				w.list = append(w.list[:i:i], w.list[i+1:]...)
				break
			}
		}
	}
	return value, ok
}

// named or empty, or a default.
func (w *oddityWords) or(name, otherwise string) string {
	if value, ok := w.take(name); ok {
		return value
	}
	return otherwise
}

// done refuses what nobody took.
func (w *oddityWords) done() error {
	if w.err == nil && len(w.list) > 0 {
		w.err = fmt.Errorf("nobody knows what %q is", w.list)
	}
	return w.err
}

func (w *oddityWords) time() chargestream.Millis { return w.parse(w.next()) }

// parse reads a time: 10:00, 10:00:00.5, 1d10:00, 2026-03-02, 2026-03-02T10:00.
func (w *oddityWords) parse(text string) chargestream.Millis {
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if at, err := time.Parse(layout, text); err == nil {
			return chargestream.MillisOf(at)
		}
	}
	days, clock := 0, text
	if before, after, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.Atoi(before)
		w.err = errors.Join(w.err, err)
		days, clock = n, after
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if at, err := time.Parse(layout, clock); err == nil {
			of := at.Sub(at.Truncate(24 * time.Hour))
			return w.day + chargestream.Millis(days)*chargestream.Day +
				chargestream.Millis(of.Milliseconds())
		}
	}
	w.err = errors.Join(w.err, fmt.Errorf("%q is no time", text))
	return 0
}

// oddityNumber is the number of a name, nil where it is not given.
func oddityNumber[T ~int64](w *oddityWords, name string, digits int) *T {
	text, ok := w.take(name)
	if !ok {
		return nil
	}
	n, err := codecs.ParseScaled(text, digits)
	w.err = errors.Join(w.err, err)
	v := T(n)
	return &v
}

// event reads a command that is an event; nil for one that is not.
func (o *oddity) event(command string, w *oddityWords) (string, chargestream.Event) {
	station := chargestream.StationID(w.or("at", oddityStation))
	switch command {
	case "status":
		return topics.StationStatus, &chargestream.StatusReport{StationID: station,
			ConnectorID: chargestream.ConnectorID(w.next()), Time: w.time(), Status: w.next()}
	case "sample":
		v := &chargestream.MeterValue{StationID: station,
			ConnectorID: chargestream.ConnectorID(w.next()), Time: w.time(),
			Energy:  oddityNumber[chargestream.WattHours](w, "wh", 0),
			Power:   oddityNumber[chargestream.Watts](w, "w", 0),
			Context: w.or("context", ""), Signed: o.signed(w)}
		session, _ := w.optional()
		v.SessionID = chargestream.SessionID(session)
		return topics.MeterValues, v
	case "start":
		return topics.ChargingSessions, o.start(w, station)
	case "end":
		return topics.ChargingSessions, o.end(w, station,
			odditySession(w.next()), chargestream.ConnectorID(w.or("on", "")))
	case "record":
		start := o.start(w, station)
		return topics.ChargingSessions, &chargestream.SessionRecord{Start: *start,
			End: *o.end(w, station, start.SessionID, start.ConnectorID)}
	case "decision":
		return "billing-decisions", o.decision(w, station)
	}
	return "", nil
}

// oddityMinus stands before a negative session, which codecs does not write: say takes it away.
const oddityMinus = "negative"

func odditySession(id string) chargestream.SessionID {
	if strings.HasPrefix(id, "-") {
		id = oddityMinus + id
	}
	return chargestream.SessionID(id)
}

func (o *oddity) start(w *oddityWords, station chargestream.StationID,
) *chargestream.SessionStart {
	return &chargestream.SessionStart{StationID: station,
		SessionID:   odditySession(w.next()),
		UserID:      chargestream.UserID(w.next()),
		ConnectorID: chargestream.ConnectorID(w.next()), Time: w.time(),
		Meter: oddityNumber[chargestream.WattHours](w, "meter", 0), Signed: o.signed(w)}
}

func (o *oddity) end(w *oddityWords, station chargestream.StationID, id chargestream.SessionID,
	connector chargestream.ConnectorID) *chargestream.SessionEnd {
	return &chargestream.SessionEnd{StationID: station, SessionID: id, ConnectorID: connector,
		Time:   w.time(),
		Energy: oddityNumber[chargestream.WattHours](w, "kwh", 3),
		Meter:  oddityNumber[chargestream.WattHours](w, "meter", 0),
		Reason: w.or("reason", ""), Signed: o.signed(w)}
}

// decision numbers decisions in the order of the script: d-1, d-2.
func (o *oddity) decision(w *oddityWords, station chargestream.StationID) *chargestream.Decision {
	o.ids++
	d := &chargestream.Decision{StationID: station, DecisionID: fmt.Sprintf("d-%d", o.ids),
		Action:    chargestream.DecisionAction(w.next()),
		SessionID: chargestream.SessionID(w.next()), Time: w.time(), By: w.or("by", "anna"),
		Reason: w.or("reason", "looked at it"),
		Correction: chargestream.Correction{
			Energy:   oddityNumber[chargestream.WattHours](w, "kwh", 3),
			UserID:   chargestream.UserID(w.or("user", "")),
			TariffID: chargestream.TariffID(w.or("tariff", ""))}}
	if text, ok := w.take("holds"); ok {
		for name := range strings.SplitSeq(text, ",") {
			d.Holds = append(d.Holds, chargestream.HoldReason(name))
		}
	}
	if text, ok := w.take("from"); ok {
		d.Correction.StartTime = w.parse(text)
	}
	if text, ok := w.take("to"); ok {
		d.Correction.EndTime = w.parse(text)
	}
	return d
}

// station feeds an entry of the registry. Reference data was there the day before, unless the
// script says otherwise.
func (o *oddity) station(w *oddityWords) error {
	rating, err := strconv.ParseInt(w.or("rating", "22000"), 10, 64)
	if err != nil {
		return fmt.Errorf("rating: %w", err)
	}
	info := chargestream.StationInfo{StationID: chargestream.StationID(w.next()),
		TimeZone: w.or(
			"zone",
			"Europe/Paris",
		), TariffID: chargestream.TariffID(w.or("tariff", "t"))}
	o.known = o.known || info.StationID == oddityStation
	calibrated, serial := w.or("calibrated", "") != "", w.or("serial", "")
	key := w.or("key", o.keys.registered)
	if key == "none" {
		key = ""
	}
	for _, id := range []chargestream.ConnectorID{"1", "2"} {
		c := chargestream.ConnectorInfo{ConnectorID: id, MaxPower: chargestream.Watts(rating),
			Calibrated: calibrated, MeterSerial: serial}
		if calibrated {
			c.PublicKey = key
		}
		info.Connectors = append(info.Connectors, c)
	}
	return o.feedReference(w, topics.Stations, string(info.StationID), info)
}

func (o *oddity) feedReference(w *oddityWords, topic, key string, value any) error {
	arrival := max(o.day-chargestream.Day, o.now)
	if text, ok := w.take("arrives"); ok {
		arrival = w.parse(text)
	}
	if err := w.done(); err != nil {
		return err
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	return o.feed(topic, key, text, arrival)
}

// tariff feeds a tariff with one version more, or with this one only.
func (o *oddity) tariff(w *oddityWords, edit bool) error {
	id, from := w.next(), w.time()
	arrives, told := w.take("arrives")
	text, err := oddityTariff(w)
	if err != nil {
		return err
	}
	history := o.tariffs[id]
	if history == nil || edit {
		history = &chargestream.TariffHistory{TariffID: chargestream.TariffID(id)}
		o.tariffs[id] = history
	}
	history.Versions = append(history.Versions,
		chargestream.TariffVersion{ValidFrom: from, Tariff: text})
	if told {
		w.named["arrives"] = arrives
	}
	return o.feedReference(w, topics.Tariffs, id, history)
}

// oddityTariff writes the terms of a script as a Tariff of OCPI 2.2.1.
func oddityTariff(w *oddityWords) (json.RawMessage, error) {
	currency := w.next()
	var elements, components, limits []string
	var bounds strings.Builder
	finish := func() {
		if len(components) == 0 {
			return
		}
		text := `{"price_components":[` + strings.Join(components, ",") + `]`
		if len(limits) > 0 {
			text += `,"restrictions":{` + strings.Join(limits, ",") + `}`
		}
		elements = append(elements, text+"}")
		components, limits = nil, nil
	}
	list := w.list
	w.list, w.named = nil, map[string]string{}
	for len(list) > 0 {
		word := list[0]
		list = list[1:]
		name, value, limit := strings.Cut(word, "=")
		switch {
		case word == "when" || word == "else":
			finish()
		case limit:
			limits = append(limits, fmt.Sprintf("%q:%s", name, oddityLimit(name, value)))
		case word == "per" && len(list) > 0 && len(components) > 0:
			last := &components[len(components)-1]
			*last = strings.TrimSuffix(*last, "}") + `,"step_size":` + list[0] + "}"
			list = list[1:]
		case (word == "min_price" || word == "max_price") && len(list) > 0:
			excl, incl, _ := strings.Cut(list[0], "/")
			fmt.Fprintf(&bounds, `,%q:{"excl_vat":%s,"incl_vat":%s}`, word, excl, incl)
			list = list[1:]
		case len(list) > 1:
			vat := `,"vat":` + strings.TrimSuffix(list[1], "%")
			if list[1] == "no-vat" {
				vat = ""
			}
			components = append(components,
				fmt.Sprintf(`{"type":%q,"price":%s%s}`, word, list[0], vat))
			list = list[2:]
		default:
			return nil, fmt.Errorf("nobody knows what %q is", word)
		}
	}
	finish()
	return json.RawMessage(fmt.Sprintf(`{"currency":%q,"elements":[%s]%s}`, currency,
		strings.Join(elements, ","), bounds.String())), w.err
}

// oddityLimit writes a restriction: numbers as such, days as a list, all else as text.
func oddityLimit(name, value string) string {
	switch {
	case name == "day_of_week":
		return `["` + strings.ReplaceAll(value, ",", `","`) + `"]`
	case strings.HasPrefix(name, "min_") || strings.HasPrefix(name, "max_"):
		return value
	}
	return strconv.Quote(value)
}
