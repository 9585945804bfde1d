package tidy

import (
	"path"
	"slices"
	"strings"
)

// checkNames finds names that say nothing, and warns of a noun that has no room to the left.
func checkNames(t *tree) []Finding {
	var findings []Finding
	empty := []string{"util", "utils", "common", "helper", "helpers", "manager", "misc"}
	nouns := map[string]bool{}
	for _, s := range t.goSources() {
		if s.room == "." || s.room == "tables" {
			nouns[nounOf(s.path)] = true
		}
	}
	for _, s := range t.goSources() {
		parts := strings.Split(strings.TrimSuffix(s.path, ".go"), "/")
		for _, word := range strings.FieldsFunc(strings.Join(parts, "_"), isUnderscore) {
			if slices.Contains(empty, word) {
				findings = append(findings, Finding{Rule: ruleName, Path: s.path, Message: word +
					" says nothing: name the file or folder after the noun it holds"})
			}
		}
		paired := s.room == "processors" || s.room == "views"
		noun := nounOf(s.path)
		if paired && !s.test && noun != s.room && noun != "doc" && !nouns[noun] {
			findings = append(findings, Finding{Rule: ruleNoun, Path: s.path, Warning: true,
				Message: "no file in the root or in tables has the noun " + noun +
					": one noun keeps one file name in every room"})
		}
	}
	return findings
}

func isUnderscore(r rune) bool { return r == '_' }

// nounOf is what a file is named after: session for session_close.go.
func nounOf(name string) string {
	noun, _, _ := strings.Cut(strings.TrimSuffix(path.Base(name), ".go"), "_")
	return noun
}
