package tables_test

import (
	"bytes"
	"errors"
	"testing"

	"chargestream/codecs"
	"chargestream/tables"
)

// appender is a row that can write itself.
type appender interface{ Append(buf []byte) []byte }

// fuzzRow holds for any bytes that they are a row or an error, and that a row is written as bytes
// that are read, and written, as the same.
func fuzzRow(f *testing.F, kind string, decode func([]byte) (appender, error)) {
	for _, g := range goldens() {
		f.Add(g.bytes())
		if g.name == kind {
			f.Add(g.bytes()[:len(g.bytes())/2])
		}
	}
	f.Fuzz(func(t *testing.T, row []byte) {
		first, err := decode(row)
		if err != nil {
			if !errors.Is(err, codecs.ErrCorrupt) && !errors.Is(err, codecs.ErrVersion) {
				t.Fatalf("error %v", err)
			}
			return
		}
		written := first.Append(nil)
		second, err := decode(written)
		if err != nil {
			t.Fatalf("%x is written as %x: %v", row, written, err)
		}
		if again := second.Append(nil); !bytes.Equal(written, again) {
			t.Fatalf("%x is written as %x, then as %x", row, written, again)
		}
	})
}

func FuzzDecodeStation(f *testing.F) {
	fuzzRow(f, "station_v4",
		func(b []byte) (appender, error) { return tables.DecodeStation("st-1", b) })
}

func FuzzDecodeSession(f *testing.F) {
	fuzzRow(f, "session_v3", func(b []byte) (appender, error) { return tables.DecodeSession(b) })
}

func FuzzDecodeHour(f *testing.F) {
	fuzzRow(f, "hour_v3", func(b []byte) (appender, error) { return tables.DecodeHour(b) })
}

func FuzzDecodeRegistry(f *testing.F) {
	fuzzRow(f, "registry_v1",
		func(b []byte) (appender, error) { return tables.DecodeRegistry(b) })
}

func FuzzDecodeTariff(f *testing.F) {
	fuzzRow(f, "tariff_v1", func(b []byte) (appender, error) { return tables.DecodeTariff(b) })
}

// FuzzParseHourKey holds that a key that is read is written as one that is read as the same.
func FuzzParseHourKey(f *testing.F) {
	f.Add("st/1/2026-03-02T12:00:00Z")
	f.Add("a/b/c/2026-03-02T12:00:00.5+01:00")
	f.Add("//")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := tables.ParseHourKey(text)
		if err != nil {
			if !errors.Is(err, tables.ErrKey) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if year := key.Start.Time().Year(); year < 1 || year > 9999 {
			return // an offset can carry a time beyond the years that can be written
		}
		if again, err := tables.ParseHourKey(key.String()); err != nil || again != key {
			t.Fatalf("%q is written as %q, and read as %+v, %v", text, key, again, err)
		}
	})
}
