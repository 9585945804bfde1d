package why_test

import (
	"fmt"
	"strings"
	"testing"

	"chargestream"
	"chargestream/tables"
	"chargestream/why"
)

// entry is a registry whose entry arrived an hour before noon.
func entry(info chargestream.StationInfo) *tables.Registry {
	info.StationID = "st-1"
	return &tables.Registry{Revisions: []tables.RegistryRevision{{
		Arrival: noon - chargestream.Hour, Info: &info}}}
}

func started() []tables.Start {
	return []tables.Start{{At: noon, Arrival: noon, ConnectorID: "2", UserID: "card-7",
		Meter: ptr(chargestream.WattHours(1000))}}
}

func ended(at chargestream.Millis) []tables.End {
	return []tables.End{{At: at, Arrival: at, Meter: ptr(chargestream.WattHours(5000))}}
}

// TestSession goes from a session of which nothing came to one that is billed.
func TestSession(t *testing.T) {
	const hour = chargestream.Hour
	ac := entry(chargestream.StationInfo{TariffID: "city-ac"})
	letter := chargestream.DeadLetter{SourceTopic: "charging-sessions", Reason: "malformed",
		Key: "st-1", NamesSession: true}
	issued := chargestream.Invoice{InvoiceID: "s-1-a", SessionID: "s-1", StationID: "st-1",
		Kind: chargestream.KindInvoice, Status: chargestream.StatusIssued, StartTime: noon,
		IssuedAt: noon + hour, TariffID: "city-ac", TariffValidFrom: noon - 60*chargestream.Day,
		TotalInclVAT: "2.16", Currency: "EUR"}
	for name, c := range map[string]struct {
		facts                why.SessionFacts
		summary, due, tariff string
		missing              string // all of it
		dueAt                chargestream.Millis
	}{
		"only a dead letter": {why.SessionFacts{Letters: []chargestream.DeadLetter{letter}},
			"nothing of the session was folded, and 1 dead letter names it", "never", "none",
			"all of it: nothing that names the session was folded", 0},
		"running": {why.SessionFacts{Row: &tables.Session{Starts: started(), Low: noon},
			Registry: ac, Now: noon + hour}, "no bill yet: it is due at 2026-03-03T12:00:00Z",
			"10 minutes after its end; without an end it is held as session_not_ended",
			"names it; of its versions the one from 2026-01-01T12:00:00Z was in force",
			"its end: no session_end came", noon + 24*hour},
		"ended": {why.SessionFacts{Row: &tables.Session{Starts: started(), Low: noon,
			Ends: ended(noon + hour)}, Registry: ac, Now: noon + hour},
			"no bill yet: it is due at 2026-03-02T13:10:00Z", "10 minutes after its end", "", "",
			noon + hour + 10*chargestream.Minute},
		"ended, and no processor works": {why.SessionFacts{Row: &tables.Session{Starts: started(),
			Low: noon, Ends: ended(noon + hour)}, Registry: ac, Now: noon + 2*hour},
			"no bill yet", `no processor has come this far: see "chargestream status"`, "", "",
			noon + hour + 10*chargestream.Minute},
		"orphan": {why.SessionFacts{Row: &tables.Session{Ends: ended(noon)}, Registry: ac},
			"no bill yet", "without a start it is held as stop_without_start", "",
			"its start: no session_start came", noon + 10*chargestream.Minute},
		"no station": {why.SessionFacts{Row: &tables.Session{Starts: started(), Low: noon,
			Ends: ended(noon + hour)}}, "", "", "no entry of the station st-1",
			"its tariff: the registry (topic stations) has no entry of the station st-1; write " +
				`one with "chargestream stations put"`, noon + hour + 10*chargestream.Minute},
		"entry without a tariff": {why.SessionFacts{Row: &tables.Session{Starts: started(),
			Low: noon}, Registry: entry(chargestream.StationInfo{})}, "", "", "has no tariff_id",
			"its end: no session_end came | its tariff: the registry's entry of the station " +
				"st-1, which arrived at 2026-03-02T11:00:00Z, has no tariff_id; write it again " +
				`with one: "chargestream stations put"`, noon + 24*hour},
		"unknown tariff": {why.SessionFacts{Row: &tables.Session{Starts: started(), Low: noon,
			Ends: ended(noon + hour)}, Registry: entry(chargestream.StationInfo{TariffID: "x"})},
			"", "", `no tariff "x" is known`, "*", noon + hour + 10*chargestream.Minute},
		"tariff of later": {why.SessionFacts{Row: &tables.Session{Low: noon - 90*24*hour,
			Starts: []tables.Start{{At: noon - 90*24*hour, Arrival: noon - 90*24*hour,
				UserID: "u", ConnectorID: "1"}}}, Registry: ac}, "", "",
			"its first version is valid from 2026-01-01T12:00:00Z", "*",
			noon - 89*24*hour},
		"issued": {why.SessionFacts{Row: &tables.Session{Starts: started(), Low: noon,
			Ends: ended(noon + hour/2), Marks: tables.Marks{BilledUpTo: noon + hour,
				Documents: 1}}, Registry: ac, Documents: []chargestream.Invoice{issued}},
			"its bill s-1-a of 2.16 EUR is issued and nothing holds it",
			"it was billed as of 2026-03-02T13:00:00Z; only a fact or a decision", "", "", 0},
		"no energy, no user, no signature": {why.SessionFacts{Row: &tables.Session{Low: noon,
			Starts: []tables.Start{{At: noon, Arrival: noon, ConnectorID: "2"}},
			Ends:   []tables.End{{At: noon + hour, Arrival: noon + hour}}},
			Registry: entry(chargestream.StationInfo{TariffID: "city-ac",
				Connectors: []chargestream.ConnectorInfo{{ConnectorID: "2", Calibrated: true}}}),
		}, "", "", "",
			"its energy: its end has no register and no energy_wh, and no meter value has a " +
				"register | who pays: its start names no user_id | its signed meter values: the " +
				"registry says that the connector is calibrated",
			noon + hour + 10*chargestream.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			c.facts.ID, c.facts.Station = "s-1", "st-1"
			if !c.facts.Known() {
				t.Error("it is said not to be known")
			}
			w := session(t, &c.facts)
			for what, pair := range map[string][2]string{"summary": {w.Summary, c.summary},
				"due": {w.Due.Text, c.due}, "tariff": {w.Tariff.Text, c.tariff}} {
				if !strings.Contains(pair[0], pair[1]) {
					t.Errorf("%s: %q, want %q in it", what, pair[0], pair[1])
				}
			}
			if got := strings.Join(w.Missing, " | "); c.missing != "*" && got != c.missing {
				t.Errorf("missing: %s\nwant: %s", got, c.missing)
			}
			if w.Due.At != c.dueAt {
				t.Errorf("due at %s, want %s", w.Due.At, c.dueAt)
			}
		})
	}
	if (&why.SessionFacts{}).Known() {
		t.Error("a session of which nothing came is said to be known")
	}
}

// TestTariffThatCameLater: a held bill says that there is a tariff by now.
func TestTariffThatCameLater(t *testing.T) {
	v := chargestream.Invoice{InvoiceID: "s-1-a", SessionID: "s-1", StationID: "st-1",
		Kind: chargestream.KindInvoice, Status: chargestream.StatusHeld, StartTime: noon,
		IssuedAt:    noon + chargestream.Hour,
		HoldReasons: []chargestream.HoldReason{chargestream.HoldNoTariff}}
	w := session(t, &why.SessionFacts{ID: "s-1", Station: "st-1",
		Registry:  entry(chargestream.StationInfo{TariffID: "city-ac"}),
		Documents: []chargestream.Invoice{v}})
	if w.Tariff.TariffID != "city-ac" || !strings.Contains(w.Tariff.Text, "was not known when the "+
		"bill was made at 2026-03-02T13:00:00Z: a bill that waits for its tariff follows by "+
		"itself") {
		t.Errorf("%+v", w.Tariff)
	}
}

// TestTariffOfALaterEntry: an entry that names no tariff in force was a mistake, and the first
// later one that does counts, as billing has it.
func TestTariffOfALaterEntry(t *testing.T) {
	registry := entry(chargestream.StationInfo{})
	for i, id := range []chargestream.TariffID{"x", "city-ac", "y"} {
		registry.Revisions = append(registry.Revisions, tables.RegistryRevision{
			Arrival: noon + chargestream.Millis(i+1)*chargestream.Hour,
			Info:    &chargestream.StationInfo{StationID: "st-1", TariffID: id}})
	}
	w := session(t, &why.SessionFacts{ID: "s-1", Station: "st-1", Registry: registry,
		Row: &tables.Session{Starts: started(), Low: noon}})
	if w.Tariff.TariffID != "city-ac" || !strings.Contains(w.Tariff.Text,
		"which arrived at 2026-03-02T14:00:00Z, names it") {
		t.Errorf("%+v", w.Tariff)
	}
}

func TestReceived(t *testing.T) {
	s := &tables.Session{Starts: append(started(), tables.Start{At: noon + 1000,
		Arrival: noon + 2000, ConnectorID: "1"}), Ends: ended(noon + chargestream.Hour), Low: noon,
		Quarters: []tables.Quarter{{Start: noon, From: noon + 1000, First: tables.Reading{
			At: noon + 1000, Energy: 1000}, Last: tables.Reading{At: noon + 60_000, Energy: 1500}}},
		Signed: []tables.Signed{{At: noon, Arrival: noon, Text: "OCMF|"}},
		Decisions: []tables.Decision{{Arrival: noon + 2*chargestream.Hour,
			Decision: chargestream.Decision{DecisionID: "d-1", By: "Ada", Reason: "seen",
				Action: chargestream.ActionRelease, Time: noon + 2*chargestream.Hour}}}}
	w := session(t, &why.SessionFacts{ID: "s-1", Station: "st-1", Row: s})
	var got []string
	for _, r := range w.Received {
		got = append(got, r.What+": "+r.Text)
	}
	want := []string{"start: connector 2, user card-7, register 1.000 kWh",
		"signed meter value: 5 bytes",
		"start: connector 1, no register, differs from the first to arrive, which counts",
		"meter values: in 1 quarter hours, up to 2026-03-02T12:15:00Z, register from 1.000 kWh " +
			"at 2026-03-02T12:00:01Z to 1.500 kWh at 2026-03-02T12:01:00Z",
		"end: register 5.000 kWh", "decision: release by Ada: seen (d-1)"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestLetters: an id is found where it stands by itself, and the newest letters are shown.
func TestLetters(t *testing.T) {
	var l why.Letters
	add := func(key, value string, at int) {
		l.Add(chargestream.DeadLetter{Key: key, Value: value, Time: chargestream.Millis(at)})
	}
	add("st-1", `{"session_id":"s-17"}`, 1)
	add("st-1", `{"session_id":17}`, 2)
	add("st-1", `{"session_id":"17","station_id":"st-1"}`, 3)
	add("", `{"session_id":"17","station_id":"st-1"}`, 4)
	add("st-2", `{"session_id":"17"}`, 5)
	add("st-1", `{"time":1700}`, 6)
	show := func(station chargestream.StationID, session chargestream.SessionID) string {
		var times []string
		for _, d := range l.Of(station, session) {
			times = append(times, fmt.Sprint(int64(d.Time), d.NamesSession))
		}
		return strings.Join(times, ", ")
	}
	for _, c := range []struct{ station, session, want string }{
		{"st-1", "17", "2 true, 3 true, 4 true, 1 false, 6 false"},
		{"", "17", "2 true, 3 true, 4 true, 5 true"},
		{"st-1", "", "1 false, 2 false, 3 false, 4 false, 6 false"},
		{"st", "", ""},
		{"", "s", ""},
	} {
		got := show(chargestream.StationID(c.station), chargestream.SessionID(c.session))
		if got != c.want {
			t.Errorf("station %q, session %q: %s, want %s", c.station, c.session, got, c.want)
		}
	}
	for i := range why.LettersMax + 5 {
		add("st-9", "", 100+i)
	}
	last := l.Of("st-9", "")
	if len(last) != 20 || last[19].Time != 100+why.LettersMax+4 || show("st-1", "17") != "" {
		t.Errorf("of a full ring: %d letters, the last %v", len(last), last[len(last)-1])
	}
}

func TestStation(t *testing.T) {
	w, err := why.Station(&why.StationFacts{ID: "st-1", Book: book, Now: noon,
		Letters: []chargestream.DeadLetter{{Reason: "malformed"}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(w.Missing) != 2 || !strings.Contains(w.Summary, "no event of the station was folded, "+
		"and 1 recent dead letter") {
		t.Errorf("%+v", w)
	}
	held := chargestream.Invoice{InvoiceID: "a", SessionID: "s", Status: chargestream.StatusHeld,
		Kind:        chargestream.KindInvoice,
		HoldReasons: []chargestream.HoldReason{chargestream.HoldNoTariff}}
	cancelled := held
	cancelled.InvoiceID, cancelled.HoldReasons = "b", []chargestream.HoldReason{
		chargestream.HoldCancelled}
	w, err = why.Station(&why.StationFacts{ID: "st-1", Book: book, Now: noon,
		Row: &tables.Station{ID: "st-1"}, Registry: entry(chargestream.StationInfo{
			TariffID: "city-ac"}), Documents: []chargestream.Invoice{held, cancelled}})
	if err != nil {
		t.Fatal(err)
	}
	if w.HeldCount != 1 || len(w.Held) != 1 || w.Held[0].InvoiceID != "a" ||
		w.Tariff.TariffID != "city-ac" || len(w.Missing) != 0 {
		t.Errorf("%+v", w)
	}
	if (&why.StationFacts{}).Known() {
		t.Error("a station of which nothing came is said to be known")
	}
}
