package tidy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// banned is a piece of text that belongs to the machine or the making of the project.
type banned struct {
	pattern *regexp.Regexp
	instead string
}

// bannedWords are written in two pieces, so that this file does not find itself.
func bannedWords() []banned {
	folder := "use a path relative to the root of the project, or t.TempDir"
	host := "name the package and its version; the client knows its registry"
	making := "say what the code does; how it came about is nobody's business here"
	return []banned{
		{regexp.MustCompile(`/wo` + `rk/`), folder},
		{regexp.MustCompile(`/tm` + `p/w\b`), folder},
		{regexp.MustCompile(`/ro` + `ot/`), folder},
		{regexp.MustCompile(`(proxy|sum)\.gol` + `ang\.org`), host},
		{regexp.MustCompile(`registry\.np` + `mjs\.org`), host},
		{regexp.MustCompile(`repo1?\.mav` + `en(\.apache)?\.org`), host},
		{regexp.MustCompile(`(?i)cla` + `ude|anthr` + `opic|chat` + `gpt`), making},
		{regexp.MustCompile(`(?i)\bpro` + `mpts?\b`), making},
		{regexp.MustCompile(`(?i)\b(language mod` + `el|A` + `I[- ]generated)\b`), making},
	}
}

// checkWords finds words that must not stand anywhere in the tree.
func checkWords(t *tree) []Finding {
	var findings []Finding
	list := bannedWords()
	for _, s := range t.sources {
		if s.vendored {
			continue
		}
		for _, ban := range list {
			for _, at := range ban.pattern.FindAllStringIndex(s.text, -1) {
				findings = append(findings, Finding{Rule: ruleWord, Path: s.path,
					Line: 1 + strings.Count(s.text[:at[0]], "\n"),
					Message: fmt.Sprintf("%q does not belong here: %s",
						strings.TrimSpace(s.text[at[0]:at[1]]), ban.instead)})
			}
		}
	}
	return findings
}

// chargingWords are what the engine does not know. Session is not among them: it is Kafka's word
// too.
func chargingWords() []string {
	return []string{"station", "charger", "charging", "connector", "tariff", "invoice", "meter",
		"kwh", "watt", "ocpp", "vehicle"}
}

// pieces cuts a text into words where letters end and where a capital begins: StationID gives
// Station and ID, parameter stays one word.
var pieces = regexp.MustCompile(`[A-Z]+[a-z]*|[a-z]+`)

// checkVocabulary keeps charging words out of the engine: its code, its comments and its tests.
func checkVocabulary(t *tree) []Finding {
	var findings []Finding
	words := chargingWords()
	for _, s := range t.sources {
		if s.room != "engine" {
			continue
		}
		number := 0
		for line := range strings.Lines(s.text) {
			number++
			for _, word := range splitWords(line) {
				if slices.Contains(words, strings.TrimSuffix(word, "s")) {
					findings = append(findings, Finding{Rule: ruleVocabulary, Path: s.path,
						Line: number, Message: fmt.Sprintf("the engine knows no charging word, "+
							"not %q: say key, row, record or table, or move the code to "+
							"processors", word)})
				}
			}
		}
	}
	return findings
}

// kwh is the one unit whose own spelling would be cut in two.
var kwh = regexp.MustCompile(`(?i)kwh`)

// splitWords are the words of a line in lower case. A run of capitals before a small letter ends
// one letter early: KWHMeter gives kwh and meter.
func splitWords(line string) []string {
	var words []string
	line = kwh.ReplaceAllString(line, " Kwh ")
	for _, piece := range pieces.FindAllString(line, -1) {
		small := strings.IndexFunc(piece, func(r rune) bool { return r >= 'a' })
		if small > 1 {
			words = append(words, strings.ToLower(piece[:small-1]))
			piece = piece[small-1:]
		}
		words = append(words, strings.ToLower(piece))
	}
	return words
}
