package documents

import (
	"testing"

	"chargestream"
)

// TestSpan holds times against the clocks of a zone, over both changes of the clock.
func TestSpan(t *testing.T) {
	ms := func(text string) (m chargestream.Millis) {
		if err := m.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		return m
	}
	tests := []struct{ zone, start, end, want string }{
		{"Europe/Berlin", "2026-03-02T10:00:00Z", "2026-03-02T11:30:00Z",
			"2026-03-02 11:00:00 to 12:30:00 +01:00"},
		{"Europe/Berlin", "2026-03-02T22:00:00Z", "2026-03-02T23:30:00Z",
			"2026-03-02 23:00:00 +01:00 to 2026-03-03 00:30:00 +01:00"},
		{"Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z",
			"2026-10-25 02:30:00 +02:00 to 2026-10-25 02:30:00 +01:00"},
		{"Asia/Kathmandu", "2026-03-02T10:00:00Z", "", "2026-03-02 15:45:00 +05:45 to no end"},
		{"", "", "2026-03-02T10:00:00Z", "no start to 2026-03-02 10:00:00 +00:00"},
		{"Nowhere/None", "", "", "no start to no end"},
	}
	for _, test := range tests {
		z := zoneOf(&chargestream.Invoice{TimeZone: test.zone})
		if got := z.span(ms(test.start), ms(test.end)); got != test.want {
			t.Errorf("%s: %q instead of %q", test.zone, got, test.want)
		}
	}
}

// TestAmounts reads and writes decimal text in minor units.
func TestAmounts(t *testing.T) {
	tests := []struct {
		text   string
		digits int
		want   string // empty for an error
	}{
		{"1.50", 2, "1.50"}, {"-0.05", 2, "-0.05"}, {"-0.00", 2, "0.00"}, {"7", 0, "7"},
		{"7", 3, "7.000"}, {"1.5000", 2, "1.50"}, {"", 2, "0.00"},
		{"123456789012345678901234567890.12", 2, "123456789012345678901234567890.12"},
		{"1.505", 2, ""}, {"1.5", 0, ""}, {"1,50", 2, ""}, {"+1", 2, ""}, {"--1", 2, ""},
		{".5", 2, ""}, {"5.", 2, ""}, {"1e3", 2, ""}, {"-", 2, ""}, {"٣", 2, ""},
	}
	for _, test := range tests {
		n, err := minor(test.text, test.digits)
		if err != nil || test.want == "" {
			if (err == nil) != (test.want != "") {
				t.Errorf("%q: %v", test.text, err)
			}
			continue
		}
		if got := fixed(n, test.digits); got != test.want {
			t.Errorf("%q became %q", test.text, got)
		}
	}
	for text, want := range map[string]string{"1.5": "-1.5", "-1.5": "1.5", "0.00": "0.00",
		"": "", "x": "x"} {
		if got := negated(text); got != want {
			t.Errorf("%q negated is %q", text, got)
		}
	}
	for text, want := range map[string]string{"19.00": "19", "5.50": "5.5", "20": "20",
		"0.0": "0", "": ""} {
		if got := rate(text); got != want {
			t.Errorf("rate %q became %q", text, got)
		}
	}
}
