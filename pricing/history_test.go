package pricing_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream"
	"chargestream/pricing"
)

const historyText = `{"tariff_id": "day", "note": 1, "versions": [
	{"valid_from": "2026-01-02T01:00:00+01:00", "tariff": {"currency": "EUR",
		"elements": [{"price_components": [{"type": "FLAT", "price": 2}]}]}},
	{"valid_from": "2026-01-01T00:00:00Z", "tariff": {"currency": "EUR",
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
		"cannot unmarshal":                "[1]",
		"tariff_id: identifier":           change("day", ""),
		"versions: there are none":        `{"tariff_id":"day","versions":[]}`,
		"versions[0].valid_from: is miss": change("valid_from", "from"),
		"is not RFC 3339":                 change("+01:00", ""),
		"versions[1].valid_from: 2026-01-02T00:00:00Z is there twice": change(
			"01-01T00", "01-02T00"),
		"versions[0].tariff: tariff refused: elements[0].price_components[0].type": change(
			"FLAT", "WATER"),
		"versions[0].tariff: tariff refused: currency": change("EUR", "money"),
		"versions[0].tariff: tariff refused":           change(`"tariff"`, `"price"`),
	} {
		_, err := pricing.ParseHistory([]byte(text))
		if !errors.Is(err, pricing.ErrTariff) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
