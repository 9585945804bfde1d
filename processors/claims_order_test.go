package processors_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream"
	"chargestream/internal/seeded"
	"chargestream/processors"
	"chargestream/topics"
)

// manyClaims are more starts and ends of one session than its row keeps.
func manyClaims(r *rand.Rand) []record {
	var list []record
	wh := func() *chargestream.WattHours {
		v := chargestream.WattHours(r.IntN(20000))
		return &v
	}
	for i := range 4 + r.IntN(5) {
		at := begin + chargestream.Millis(r.IntN(180))*chargestream.Minute
		list = append(list, record{topics.ChargingSessions, &chargestream.SessionStart{
			StationID: "st-0", ConnectorID: chargestream.ConnectorID(fmt.Sprint(1 + r.IntN(3))),
			SessionID: "s", UserID: chargestream.UserID(fmt.Sprint("u", r.IntN(2))), Time: at,
			Meter: wh()}, at + chargestream.Millis(r.IntN(7_200_000)) + chargestream.Millis(i)})
	}
	for i := range r.IntN(8) {
		at := begin + chargestream.Millis(60+r.IntN(300))*chargestream.Minute
		e := &chargestream.SessionEnd{StationID: "st-0", SessionID: "s", Time: at, Energy: wh()}
		if r.IntN(2) == 0 {
			e.ConnectorID = chargestream.ConnectorID(fmt.Sprint(1 + r.IntN(3)))
		}
		list = append(list, record{topics.ChargingSessions, e,
			at + chargestream.Millis(r.IntN(7_200_000)) + chargestream.Millis(i)})
	}
	for range r.IntN(4) { // some come again, at another time
		again := list[r.IntN(len(list))]
		again.arrival += chargestream.Millis(r.IntN(14_400_000) - 7_200_000)
		list = append(list, again)
	}
	return list
}

// TestManyClaimsInAnyOrder: beyond its bound a session keeps the claims that arrived first, so its
// bill and its facts do not depend on the order of reading. Hours and connectors that only a claim
// named which was cut may have a row (DESIGN.md, Non-obvious).
func TestManyClaimsInAnyOrder(t *testing.T) {
	s := seeded.Seed(t)
	for round := range uint64(40) {
		r := rand.New(rand.NewPCG(s, round))
		list := manyClaims(r)
		end := begin + 30*chargestream.Day
		want := run(t, list, end)
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		got := run(t, list, end)
		if diff := cmp.Diff(want.live, got.live); diff != "" {
			t.Fatalf("round %d: %s", round, diff)
		}
		if a, b := sessionFacts(t, want), sessionFacts(t, got); !bytes.Equal(a, b) || len(a) == 0 {
			t.Fatalf("round %d: %s\n%s", round, sessionOf(want, "s"), sessionOf(got, "s"))
		}
	}
}

func sessionFacts(t *testing.T, o *outcome) []byte {
	t.Helper()
	key := processors.SessionKey("st-0", "s")
	return factsOf(t, topics.TableSessions, o.Rows(topics.TableSessions)[key])
}
