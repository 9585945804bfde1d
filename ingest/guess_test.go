package ingest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream/ingest"
)

// guessed is the map that is proposed for a file, which must be one.
func guessed(t *testing.T, file string) (string, *ingest.Sessions) {
	t.Helper()
	text, err := ingest.Guess(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return text, read(t, parse(t, text), file)
}

// TestGuessOfOddFiles proposes maps for files of four operators. Once the zone is set they read
// what the maps that were written by hand read.
func TestGuessOfOddFiles(t *testing.T) {
	edits := map[string][]string{
		"dundee-raw-odd.csv": {"time_zone: UTC", "time_zone: Europe/London"},
		"lugano-odd.csv": {"time_zone: UTC", "absent: [Sconosciuto]\ntime_zone: Europe/Zurich",
			`"Duration", unit: s`, `"Durata min"`},
		"norway-odd.csv": {"time_zone: UTC", "time_zone: Europe/Oslo", "  user_id:",
			"  connector_id: {column: user_id}\n  user_id:"},
	}
	for _, f := range oddFiles() {
		file := odd(t, f.name)
		text, first := guessed(t, file)
		if first.Rows != f.rows || first.Summary.EnergyWh != f.want.EnergyWh {
			t.Errorf("%s: %d rows, %d Wh by\n%s", f.name, first.Rows, first.Summary.EnergyWh, text)
		}
		f.columns = strings.NewReplacer(edits[f.name]...).Replace(text)
		f.check(t, file)
	}
}

func TestGuess(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"decimal points, day first": {"Session,Station,Start,End,kWh\n" +
			"1,A,25/12/2023 10:00,25/12/2023 11:00,7.5\n2,A,01/02/2023 10:00,01/02/2023 12:00,8\n" +
			"3,B,02/02/2023 10:00,02/02/2023 12:00,8\n4,B,03/02/2023 10:00,03/02/2023 12:00,8\n",
			`format: "2/1/2006 15:04"`},
		"month first": {"Session,Station,Start,End,kWh\n" +
			"1,A,12/25/2023 1:00 PM,12/25/2023 2:00 PM,7.5\n" +
			"2,A,01/02/2023 1:00 PM,01/02/2023 3:00 PM,8\n",
			`format: "1/2/2006 3:04 PM"`},
		"ambiguous": {"Session,Station,Start,End,kWh\n1,A,01/02/2023 10:00,01/02/2023 11:00,7.5\n",
			"# CHECK: day first and month first"},
		"milliseconds, tabs": {"transaction_id\tcp_id\tconnector\tid_tag\tstarted_at\t" +
			"stopped_at\tenergy_wh\n9\tA\t1\tT\t1700000000000\t1700003600000\t7500\n",
			`start_time: {column: "started_at", format: "epoch_ms"}`},
		"ratings": {"id,station,plug,start,end,rated power\n" +
			"9,A,1,2024-01-01T10:00:00Z,2024-01-01T11:00:00Z,22\n",
			`max_power_kw: {column: "rated power"}`},
		"RFC 3339": {"id,evse_id,start_time,end_time,total_energy\n" +
			"9,A,2024-01-01T10:00:00Z,2024-01-01T11:00:00Z,7.5\n", `format: "rfc3339"`},
		"German": {"Ladevorgang;Ladesäule;Anschluss;Karte;Beginn;Ende;Dauer;Verbrauch (kWh)\r\n" +
			"1;Nord;2;K-4;30.03.2026 08:03;30.03.2026 09:39;1:36:00;1.232,13\r\n" +
			"2;Nord;1;K-4;05.03.2026 08:03;05.03.2026 09:39;1:36:00;9,5\r\n",
			"  station_id: {column: \"Ladesäule\"}\n  connector_id: {column: \"Anschluss\"}\n" +
				"  user_id: {column: \"Karte\"}\n"},
		"two layouts": {"session_id,charger,started_at,ended_at,energy\n" +
			"1,A,2026-05-28 07:18:00,2026-05-28 18:39:00,26400 Wh\n" +
			"2,A,2026-05-27 22:31:00,2026-05-27 23:47:00,24260 Wh\n" +
			"3,A,15/05/2026 00:39,15/05/2026 12:16,24260 Wh\n",
			`formats: ["2006-1-2 15:04:05", "2/1/2006 15:04"]`},
		"two layouts, one ISO 8601": {"txn,charger,started_at,ended_at,kWh\n" +
			"1,A,2026-05-28T07:18:00Z,2026-05-28T18:39:00Z,26.4\n" +
			"2,A,5/27/2026 10:31 PM,5/27/2026 11:47 PM,24.26\n",
			`formats: ["1/2/2006 3:04 PM", "iso8601"]`},
		"a row twice": {"id,station,start,end,kWh\n" +
			"7,A,2026-05-28 07:18,2026-05-28 18:39,2\n8,A,2026-05-29 07:18,2026-05-29 18:39,3\n" +
			"7,B,2026-05-28 07:18,2026-05-28 18:39,2\n8,A,2026-05-29 07:18,2026-05-29 18:39,3\n",
			`session_id: {column: "id"}   # CHECK: 1 of 4 rows has that of an earlier row`},
		"no unique column": {"Station,Start,End,kWh\nA,2024-01-01 10:00,2024-01-01 11:00,7\n" +
			"A,2024-01-01 12:00,2024-01-01 13:00,7\nB,2024-01-01 12:00,2024-01-01 13:00,7\n" +
			"B,2024-01-01 14:00,2024-01-01 15:00,7\n",
			`session_id: {join: ["Station", "Start"], with: "_"}   # CHECK`},
	} {
		text, got := guessed(t, c.file)
		if !strings.Contains(text, c.want) || got.BadRows > 0 || got.Ends != got.Starts {
			t.Errorf("%s: want %s, %d bad rows, by\n%s", name, c.want, got.BadRows, text)
		}
	}
}

func TestGuessOfNoTable(t *testing.T) {
	for _, file := range []string{"", " \r\n", "a\n", "one\ntwo\n", "a,b\n", "\xff\xfe,\n"} {
		_, err := ingest.Guess(strings.NewReader(file))
		if !errors.Is(err, ingest.ErrFile) || !strings.Contains(err.Error(), "; ") {
			t.Errorf("%q: %v", file, err)
		}
	}
	for file, want := range map[string]string{"": "is empty", "a;b\r\n": "a header and no row",
		"a\nb\n": "no delimiter"} {
		_, err := ingest.Guess(strings.NewReader("\ufeff" + file))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", file, err, want)
		}
	}
	text, err := ingest.Guess(strings.NewReader("colour,size\nred,1\nblue,2\n"))
	if err != nil || !strings.Contains(text, "# It is not complete yet: column map: "+
		"sessions.session_id is missing") {
		t.Errorf("a table of other things: %v\n%s", err, text)
	}
	if diff := cmp.Diff(1, strings.Count(text, "\nsessions:")); diff != "" {
		t.Error(diff)
	}
}
