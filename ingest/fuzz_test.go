package ingest_test

import (
	"errors"
	"strings"
	"testing"

	"chargestream/ingest"
)

// FuzzGuess holds for any file that a guess is a map or says what it lacks, that what the map reads
// adds up, and that there is no panic.
func FuzzGuess(f *testing.F) {
	for _, file := range []string{
		"Session,Station,Start,End,kWh\n1,A,25/12/2023 10:00,25/12/2023 11:00,7.5\n",
		"a;b;zone\n1;2018/01/02 00:49:00;MST\n", "id\tplug\tdate\ttime\tend date\tend time\tWh\n" +
			"1\t2\t01.03.17\t10:30\t01.03.17\t10:32\t1.234,5\n", "a,b\n\"x\"y,1\n",
		"id,station,start,end,duration,energy\n1,A,1700000000,0,12:02:10 AM,17 kWh\n",
	} {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file string) {
		text, err := ingest.Guess(strings.NewReader(file))
		if err != nil {
			if !errors.Is(err, ingest.ErrFile) {
				t.Fatalf("error %v", err)
			}
			return
		}
		m, err := ingest.ParseMap([]byte(text))
		if err != nil {
			if !errors.Is(err, ingest.ErrMap) {
				t.Fatalf("error %v by\n%s", err, text)
			}
			return
		}
		got, err := ingest.ReadSessions(strings.NewReader(file), m)
		if err != nil {
			return
		}
		if len(got.Events) != got.Starts+got.Ends || got.Starts != got.Rows ||
			got.Summary.WithoutEnd != got.Starts-got.Ends || got.Summary.From > got.Summary.To {
			t.Fatalf("%d events, %+v by\n%s", len(got.Events), got.Summary, text)
		}
	})
}
