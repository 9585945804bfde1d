package main

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"chargestream/topics"
)

// TestTablesFitTheTerminal: no line is wider than the terminal, and of an error its end is left,
// which says what was wrong. Without a terminal nothing is cut.
func TestTablesFitTheTerminal(t *testing.T) {
	b, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "", "")
	const why = "not an event: field start_time of a session that is long to name: time " +
		`"yesterday" is not RFC 3339`
	dead(t, b, "station-of-a-name-that-is-long", strings.Repeat("{", 300), "malformed",
		topics.ChargingSessions, topics.HeaderError, why)
	whole := run(t, nil, "dead-letters", "list", brokers)
	whole.want(t, exitOK, why, "")
	for _, columns := range []string{"80", "100", "132"} {
		got := run(t, map[string]string{"COLUMNS": columns}, "dead-letters", "list", brokers)
		got.want(t, exitOK, "malformed", "")
		for line := range strings.Lines(got.stdout) {
			n := utf8.RuneCountInString(strings.TrimRight(line, " \n"))
			if most := map[string]int{"80": 80, "100": 100, "132": 132}[columns]; n > most {
				t.Errorf("%d characters in %d columns: %s", n, most, line)
			}
		}
		if columns != "80" && !strings.Contains(got.stdout, "RFC 3339") {
			t.Errorf("in %s columns the end of the error is cut:\n%s", columns, got.stdout)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text string
		most int
		end  bool
		want string
	}{{"abcdef", 6, false, "abcdef"}, {"abcdef", 4, false, "abc…"}, {"abcdef", 4, true, "…def"},
		{"äöüß", 3, true, "…üß"}, {"", 3, true, ""}} {
		if got := cut(c.text, c.most, c.end); got != c.want {
			t.Errorf("%q to %d: %q, want %q", c.text, c.most, got, c.want)
		}
	}
}

// TestListsOfNothing say so, and what may have been meant.
func TestListsOfNothing(t *testing.T) {
	b, brokers := billed(t, billedHistory()...)
	run(t, nil, "dead-letters", "list", brokers).want(t, exitOK, "no dead letters\n", "")
	run(t, nil, "dead-letters", "list", brokers, "--reason", "late").
		want(t, exitOK, "no dead letters with the reason late\n", "")
	run(t, nil, "dead-letters", "list", brokers, "--reason", "foo").
		want(t, exitUsage, "", "hint: the reasons are bound, future, key_mismatch")
	dead(t, b, "k", "{}", "of_old", topics.Heartbeats)
	run(t, nil, "dead-letters", "list", brokers, "--reason", "foo").
		want(t, exitUsage, "", "there are letters with of_old")
	run(t, nil, "dead-letters", "list", brokers, "--reason", "of_old").want(t, exitOK, "of_old", "")
	run(t, nil, "invoices", "list", brokers, "--user", "none").want(t, exitOK, "no documents", "")
	statements := func(key string) result {
		return run(t, nil, "statements", brokers, "--by=user", "--month=2026-03", "--format=csv",
			"--out", filepath.Join(t.TempDir(), "s"), "--key", key)
	}
	statements("8").want(t, exitNotFound, "", `--key "8": the user has no documents in `+
		"2026-03\nhint: there are 2 of this month, such as card-8, card-7")
	statements("card-8").want(t, exitOK, "1 document as csv in ", "")
}

// TestCompletionOfWhatThereIs: sessions that are held and tariffs are offered, and nothing where no
// broker answers.
func TestCompletionOfWhatThereIs(t *testing.T) {
	brokers := doubts(t)
	run(t, nil, "tariffs", "put", ocpi, brokers).want(t, exitOK, "", "")
	env := map[string]string{"CHARGESTREAM_BROKERS": strings.TrimPrefix(brokers, "--brokers=")}
	for args, want := range map[string]string{
		"tariffs show ":                  "city-ac\n:4\n",
		"tariffs show x":                 ":4\n",
		"invoices release ":              "s-1\n:4\n",
		"invoices correct s-1 --tariff ": "city-ac\n:4\n",
		"invoices cancel s-":             "s-1\n:4\n",
		"invoices cancel s-1 ":           ":4\n",
		"why ":                           "s-1\n:4\n",
	} {
		words := append([]string{"__completeNoDesc"}, strings.Split(args, " ")...)
		if got := run(t, env, words...); got.stdout != want {
			t.Errorf("%q: %q, want %q", args, got.stdout, want)
		}
		env := map[string]string{"CHARGESTREAM_BROKERS": "127.0.0.1:1"}
		if got := run(t, env, words...); got.stdout != ":4\n" || got.code != exitOK {
			t.Errorf("%q without a broker: %+v", args, got)
		}
	}
}

func TestCompletion(t *testing.T) {
	for args, want := range map[string]string{
		"invoices list --status ":      "issued\nheld\n:",
		"invoices export --format ":    "json\ncsv\npdf\nubl\n:",
		"invoices list --reason ":      "\nno_tariff\n",
		"dead-letters list --reason ":  "\nlate\n",
		"statements --format ":         "pdf\ncsv\njson\n:",
		"statements --by ":             "user\nsite\n:",
		"send x --topic ":              "\nheartbeats\n",
		"invoices release s-1 --hold ": "\nclock_skew\n",
	} {
		words := strings.Split(args, " ")
		got := run(t, nil, append([]string{"__completeNoDesc"}, words...)...)
		if !strings.Contains("\n"+got.stdout, want) {
			t.Errorf("%q: %q, want %q in it", args, got.stdout, want)
		}
	}
}
