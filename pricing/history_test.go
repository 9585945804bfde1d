package pricing_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream"
	"chargestream/pricing"
)

const historyText = `{"tariff_id": "day", "note": 1, "Versions": [
	{"valid_from": "2026-01-02T01:00:00+01:00", "tariff": {"currency": "EUR",
		"elements": [{"price_components": [{"type": "FLAT", "price": 2}]}]}},
	{"validFrom": "2026-01-01T00:00:00Z", "tariff": {"currency": "EUR",
		"elements": [{"price_components": [{"type": "FLAT", "price": 1}]}]}}]}`

func TestParseHistory(t *testing.T) {
	got, err := pricing.ParseHistory([]byte(historyText))
	if err != nil {
		t.Fatal(err)
	}
	flat := func(price string) []byte {
		return []byte(`{"currency":"EUR","elements":[{"price_components":[` +
			`{"type":"FLAT","price":` + price + `}]}]}`)
	}
	const first = 1767225600000 // 2026-01-01T00:00:00Z
	want := &chargestream.TariffHistory{TariffID: "day", Versions: []chargestream.TariffVersion{
		{ValidFrom: first + chargestream.Day, Tariff: flat("2")},
		{ValidFrom: first, Tariff: flat("1")}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

func TestParseHistoryRefuses(t *testing.T) {
	change := func(from, to string) string {
		text := strings.Replace(historyText, from, to, 1)
		if text == historyText {
			t.Fatalf("%q is not there", from)
		}
		return text
	}
	for want, text := range map[string]string{
		"invalid character":               "x",
		"[1] is a list: a JSON":           "[1]",
		"tariff_id is missing":            change("day", ""),
		"versions: there are none":        `{"tariff_id":"day","versions":[]}`,
		"versions[0].from: \"2026-01-02T": change("valid_from", "from"),
		"versions[1].valid_from: is miss": change(`"validFrom": "2026-01-01T00:00:00Z", `, ""),
		"did you mean valid_from?":        change(`"tariff"`, `"valid_to": 1, "tariff"`),
		"did you mean tariff_id?":         change(`"note"`, `"tarif_id"`),
		"is not RFC 3339":                 change("+01:00", ""),
		"versions[1].valid_from: 2026-01-02T00:00:00Z is there twice": change(
			"01-01T00", "01-02T00"),
		"versions[0].tariff: tariff refused: elements[0].price_components[0].type": change(
			"FLAT", "WATER"),
		"versions[0].tariff: tariff refused: currency": change("EUR", "money"),
		"versions[0].price: {\"currency\"":             change(`"tariff"`, `"price"`),
	} {
		_, err := pricing.ParseHistory([]byte(text))
		if !errors.Is(err, pricing.ErrTariff) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestParseBareTariff(t *testing.T) {
	const tariff = `{"country_code":"FR","party_id":"TST","id":" T-1 ","currency":"EUR",` +
		`"elements":[{"price_components":[{"type":"ENERGY","price":"0.40","step_size":1}]}],` +
		`"last_updated":"2026-01-01T00:00:00Z"%s}`
	for more, from := range map[string]chargestream.Millis{
		"": 946684800000, // 2000: before all sessions
		`,"start_date_time":"2026-02-01T00:00:00Z"`: 1769904000000,
	} {
		text := strings.Replace(tariff, "%s", more, 1)
		got, err := pricing.ParseHistory([]byte("\ufeff" + text))
		if err != nil {
			t.Fatal(err)
		}
		want := &chargestream.TariffHistory{TariffID: "T-1", Bare: true,
			LastUpdated: 1767225600000, Versions: []chargestream.TariffVersion{
				{ValidFrom: from, Tariff: []byte(text)}}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
	}
	text := strings.Replace(tariff, `"id":" T-1 ",`, "", 1)
	_, err := pricing.ParseHistory([]byte(strings.Replace(text, "%s", "", 1)))
	if err == nil || !strings.Contains(err.Error(), "id: is missing") {
		t.Errorf("error %v", err)
	}
}
