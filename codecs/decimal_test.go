package codecs_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/cockroachdb/apd/v3"
	"pgregory.net/rapid"

	"chargestream/codecs"
)

func TestParseScaled(t *testing.T) {
	for _, c := range []struct {
		text   string
		digits int
		want   int64
	}{
		{"0", 0, 0},
		{"-0", 3, 0},
		{"1.5", 3, 1500},
		{"-1.5", 3, -1500},
		{"0.4", 0, 0},
		{"0.5", 0, 1},
		{"-0.5", 0, -1},
		{"0.49999999999999999999999999999999", 0, 0},
		{"1.0005", 3, 1001},
		{"1.00049", 3, 1000},
		{"12.5e3", 0, 12500},
		{"12.5E+3", 1, 125000},
		{"125e-2", 0, 1},
		{"5e-1", 0, 1},
		{"9e-2", 0, 0},
		{"1e-15", 6, 0},
		{"1e15", 3, 1e18},
		{"0e15", 6, 0},
		{"000000000000000000000000000000007", 0, 7},
		{"0.00000000000000000000000000000001e15", 0, 0},
		{"9223372036854775799", 0, 9223372036854775799},
		{"-9223372036854775799", 0, -9223372036854775799},
		{"9223372036854775.799", 3, 9223372036854775799},
	} {
		if got, err := codecs.ParseScaled(c.text, c.digits); err != nil || got != c.want {
			t.Errorf("ParseScaled(%q, %d) = %d, %v, want %d", c.text, c.digits, got, err, c.want)
		}
	}
}

func TestParseScaledRefuses(t *testing.T) {
	for _, text := range []string{"", "-", ".", "-.", "e", "e3", "1e", "1e+", "1e-", "+1", "--1",
		"1-", "1 ", " 1", "1,5", "1.2.3", "1.-5", "1e1e1", "1e1.0", "1ex", "0x10", "1_000", "NaN",
		"Infinity", "-inf", "١", "1\x00", "1e19", "1e100", "9223372036854775808",
		"-9223372036854775809", "10000000000000000000", strings.Repeat("9", 400), "0.1.", "a.5",
		"5.a", "0.00000a"} {
		got, err := codecs.ParseScaled(text, 0)
		if !errors.Is(err, codecs.ErrNumber) || got != 0 {
			t.Errorf("ParseScaled(%q) = %d, %v, want ErrNumber", text, got, err)
		}
	}
}

// drawNumber draws the text of a JSON number.
func drawNumber(t *rapid.T) string {
	text := rapid.StringMatching(`-?(0|[1-9][0-9]{0,22})(\.[0-9]{1,22})?`).Draw(t, "mantissa")
	if rapid.Bool().Draw(t, "has exponent") {
		e := rapid.SampledFrom([]string{"e", "E", "e+", "e-", "E-"}).Draw(t, "e")
		text += e + fmt.Sprint(rapid.IntRange(0, 15).Draw(t, "exponent"))
	}
	return text
}

// TestParseScaledAgrees holds ParseScaled against a decimal library, on random JSON numbers.
func TestParseScaledAgrees(t *testing.T) {
	exact := apd.BaseContext.WithPrecision(200)
	exact.Rounding = apd.RoundHalfUp // of its magnitude: away from zero
	limit, edge := apd.New(math.MaxInt64, 0), apd.New(math.MaxInt64-8, 0)
	rapid.Check(t, func(t *rapid.T) {
		text, digits := drawNumber(t), rapid.IntRange(0, 6).Draw(t, "digits")
		number, _, err := apd.NewFromString(text)
		if err != nil {
			t.Fatal(err)
		}
		number.Exponent += int32(digits)
		var want, size apd.Decimal
		if _, err := exact.Quantize(&want, number, 0); err != nil {
			t.Fatal(err)
		}
		got, err := codecs.ParseScaled(text, digits)
		switch size.Abs(&want); {
		case size.Cmp(limit) > 0:
			if !errors.Is(err, codecs.ErrNumber) {
				t.Fatalf("ParseScaled(%q, %d) = %d, %v, want ErrNumber", text, digits, got, err)
			}
		case size.Cmp(edge) < 0:
			n, failed := want.Int64()
			if failed != nil || err != nil || got != n {
				t.Fatalf("ParseScaled(%q, %d) = %d, %v, want %s", text, digits, got, err, &want)
			}
		}
	})
}

func TestFormatScaled(t *testing.T) {
	for _, c := range []struct {
		n      int64
		digits int
		want   string
	}{
		{0, 0, "0"}, {0, 2, "0.00"}, {5, 2, "0.05"}, {-5, 2, "-0.05"}, {1500, 3, "1.500"},
		{-1500, 0, "-1500"}, {123, 6, "0.000123"},
		{math.MaxInt64, 3, "9223372036854775.807"}, {math.MinInt64, 3, "-9223372036854775.808"},
		{math.MinInt64, 0, "-9223372036854775808"},
	} {
		if got := codecs.FormatScaled(c.n, c.digits); got != c.want {
			t.Errorf("FormatScaled(%d, %d) = %q, want %q", c.n, c.digits, got, c.want)
		}
	}
}

// TestFormatScaledIsRead holds that every number that is written is read as what it was.
func TestFormatScaledIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(-integerMax, integerMax).Draw(t, "n")
		digits := rapid.IntRange(0, 18).Draw(t, "digits")
		text := codecs.FormatScaled(n, digits)
		if got, err := codecs.ParseScaled(text, digits); err != nil || got != n {
			t.Fatalf("%d with %d digits is %q, and read as %d, %v", n, digits, text, got, err)
		}
	})
}
