package ingest_test

import (
	"errors"
	"strings"
	"testing"

	"chargestream/ingest"
)

const history = `{"tariff_id": "day", "versions": [{"valid_from": "2024-01-01T00:00:00Z",
 "tariff": {"id": "x", "currency": "EUR", "elements": [{"price_components": [
 {"type": "ENERGY", "price": 0.45, "vat": 20}]}]}}]}`

func TestReadTariffs(t *testing.T) {
	night := strings.Replace(history, "day", "night", 1)
	for name, file := range map[string]string{
		"one":  history,
		"two":  history + "\n" + night,
		"list": "[" + history + "," + night + "]",
	} {
		got, err := ingest.ReadTariffs([]byte(file))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(got) != strings.Count(file, "tariff_id") || got[0].Key != "day" ||
			!strings.Contains(string(got[0].Value), `"id":"x","currency":"EUR"`) {
			t.Errorf("%s: %v", name, tell(got))
		}
	}
}

func TestBadTariffs(t *testing.T) {
	for name, file := range map[string]string{
		"it holds no tariff":     " ",
		"byte":                   history[:40],
		"comes twice":            history + history,
		"tariff_id":              strings.Replace(history, "day", "", 1),
		"versions: there are":    `{"tariff_id": "day"}`,
		"is in an unknown field": strings.Replace(history, "valid_from", "from", 1),
		"is not RFC 3339":        strings.Replace(history, "T00:00:00Z", "", 1),
		`"money" is no currency`: strings.Replace(history, "EUR", "money", 1),
		"parts: is not known":    strings.Replace(history, "elements", "parts", 1),
		"versions[0].tariff: tariff refused: elements[0].price_components[0].type": strings.Replace(
			history, "ENERGY", "WATER", 1),
		"7 is a number: a JSON object": "[7]",
		"at most": strings.Replace(history, `"x"`,
			`"`+strings.Repeat("x", 1<<17)+`"`, 1),
		"valid_from: 2024-01-01T00:00:00Z is there twice": strings.Replace(history, "]}]}}]}",
			"]}]}}, {\"valid_from\": \"2024-01-01T01:00:00+01:00\", "+
				"\"tariff\": {\"currency\": \"EUR\",\"elements\": [{}]}}]}", 1),
	} {
		_, err := ingest.ReadTariffs([]byte(file))
		if !errors.Is(err, ingest.ErrTariffs) || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %q", err, name)
		}
	}
}
