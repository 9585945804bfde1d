package rfc3339

import (
	"math/rand/v2"
	"testing"
	"time"
)

const layout = "2006-01-02T15:04:05.999Z07:00"

// TestAgainstTime holds reading and writing against package time, on every day of 300 years and at
// random moments.
func TestAgainstTime(t *testing.T) {
	check := func(ms int64) {
		t.Helper()
		want := time.UnixMilli(ms).UTC().Format(layout)
		if got := string(Append(nil, ms)); got != want {
			t.Fatalf("%d is written %s, not %s", ms, got, want)
		}
		if got, ok := Parse(want); !ok || got != ms {
			t.Fatalf("%s is read as %d, %v, not %d", want, got, ok, ms)
		}
	}
	for day := int64(-40_000); day < 80_000; day++ {
		check(day * dayMs)
	}
	const seed = 7
	r := rand.New(rand.NewPCG(seed, 1))
	for range 50_000 {
		check(r.Int64N(250_000_000_000_000))
		check(-r.Int64N(60_000_000_000_000))
	}
}

// FuzzParse reads what package time reads, and nothing else.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"2026-03-02T10:00:00Z", "2026-03-02T10:00:00.5Z",
		"2026-02-29T10:00:00Z", "2024-02-29T24:00:00Z", "2026-03-02T10:00:00.123+02:00",
		"0000-01-01T00:00:00Z", "2026-03-02t10:00:00z", "2026-03-02T10:00:60Z", "",
		"2026-03-02T10:00:00.Z", "2026-03-02T10:00:00.1234Z", "2026-03-02T10:00:0:Z"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want, err := time.Parse(time.RFC3339Nano, text)
		got, ok := Parse(text)
		if ok != (err == nil) || ok && got != want.UnixMilli() {
			t.Errorf("%q: %d, %v; package time: %v, %v", text, got, ok, want, err)
		}
		if bytes, same := Parse([]byte(text)); bytes != got || same != ok {
			t.Errorf("%q differs as bytes", text)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := Parse("2026-03-02T10:00:00.123Z"); !ok {
			b.Fatal("not read")
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	b.ReportAllocs()
	buf := make([]byte, 0, 32)
	for b.Loop() {
		buf = Append(buf[:0], 1_772_438_400_123)
	}
}
