//go:build linux

package main

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestDecodersAgree(t *testing.T) {
	rng := rand.New(rand.NewPCG(seed, 0))
	std, err := decoderOf(decoderStd)
	if err != nil {
		t.Fatal(err)
	}
	for seq := range int64(1000) {
		want := newEvent(rng, seq, keyOf(int(seq)))
		value := want.append(nil)
		var a, b event
		if err := decodeLexer(value, &a); err != nil {
			t.Fatal(err)
		}
		if err := std(value, &b); err != nil {
			t.Fatal(err)
		}
		if a != want || b != want {
			t.Fatalf("%s: got %+v and %+v", value, a, b)
		}
		if seq == 0 {
			t.Logf("%d bytes: %s", len(value), value)
		}
	}
}

func TestRow(t *testing.T) {
	rng := rand.New(rand.NewPCG(seed, 0))
	var r row
	sum := int64(0)
	for seq := range int64(10) {
		e := newEvent(rng, seq, "k")
		r.fold(&e)
		sum += e.EnergyWh
		var again row
		if err := decodeRow(r.append(nil), &again); err != nil || again != r {
			t.Fatalf("got %v, %v, want %v", again, err, r)
		}
	}
	if r[rowCount] != 10 || r[rowEnergySum] != sum {
		t.Errorf("row %v, want 10 events and %d Wh", r, sum)
	}
	if err := decodeRow(make([]byte, rowBytes-1), &r); err == nil {
		t.Error("a short row was taken")
	}
}

func BenchmarkDecode(b *testing.B) {
	e := newEvent(rand.New(rand.NewPCG(seed, 0)), 1, keyOf(1))
	value := e.append(nil)
	for _, name := range []string{decoderLexer, decoderStd} {
		read, err := decoderOf(name)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var e event
				if err := read(value, &e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestGaps(t *testing.T) {
	const ms = time.Millisecond
	list := []arrival{{100 * ms, 'A'}, {200 * ms, 'A'}, {700 * ms, 'B'}, {800 * ms, 'B'}}
	for _, c := range []struct {
		from, to    time.Duration
		in, since   time.Duration
		stayed      bool
		first, last byte
	}{
		{100 * ms, 200 * ms, 100 * ms, 100 * ms, true, 'A', 'A'},
		{250 * ms, 300 * ms, 500 * ms, 450 * ms, true, 'A', 'A'},
		{250 * ms, 750 * ms, 500 * ms, 450 * ms, false, 'A', 'B'},
		{700 * ms, 1000 * ms, 200 * ms, 200 * ms, true, 'B', 'B'},
		{900 * ms, 1000 * ms, 200 * ms, 100 * ms, true, 'B', 'B'},
		{150 * ms, 250 * ms, 500 * ms, 500 * ms, true, 'A', 'A'},
	} {
		first, last, stayed := ownersIn(list, c.from, c.to)
		if in := gapIn(list, c.from, c.to); in != c.in {
			t.Errorf("%v to %v: gap %v, want %v", c.from, c.to, in, c.in)
		}
		if since := gapSince(list, c.from, c.to); since != c.since {
			t.Errorf("%v to %v: gap since %v, want %v", c.from, c.to, since, c.since)
		}
		if first != c.first || last != c.last || stayed != c.stayed {
			t.Errorf("%v to %v: owners %c, %c, %v", c.from, c.to, first, last, stayed)
		}
	}
}

func TestOutput(t *testing.T) {
	want := output{Partition: 7, Owner: 'B', Seq: 1 << 40}
	if got, err := decodeOutput(want.append(nil)); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if _, err := decodeOutput(nil); err == nil {
		t.Error("an empty output was taken")
	}
}
