package chargestream

import "testing"

func TestRatingOf(t *testing.T) {
	for name, want := range map[string]Watts{
		"IEC_62196_T2": 43_000, "iec 62196 t2": 43_000, "Type 2": 43_000, "cType2": 43_000,
		"sType2": 43_000, "Typ2": 43_000,
		"IEC_62196_T2_COMBO": 500_000, "CCS": 500_000, "cCCS2": 500_000, "Combo (CCS)": 500_000,
		"CHADEMO": 100_000, "CHAdeMO": 100_000, "cG105": 100_000,
		"DOMESTIC_F": 7_400, "Schuko": 7_400, "sCEE-7-7": 7_400, "sBS1361": 7_400,
		"s309-3P-32A": 22_000, "IEC_60309_2_three_64": 44_000, "Other1PhMax16A": 3_700,
		"MCS": 3_750_000, "cMCS": 3_750_000, "cChaoJi": 900_000, "CHAOJI": 900_000,
		"NEMA_14_50": 12_000, "TESLA_S": 250_000, "SAE_J3400": 500_000,
		"": UnknownRating, "s": UnknownRating, "wireless": UnknownRating,
	} {
		if got := RatingOf(name); got != want {
			t.Errorf("%q: %d W, want %d W", name, got, want)
		}
	}
}
