package tabletest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Block is one fenced block of a page: the words behind the fence, and the lines in it.
type Block struct{ Info, Text string }

// Page is a page of docs/format, read from the folder of a package at the root of the project.
func Page(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "format", name+".md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var fence = regexp.MustCompile("(?ms)^```([^\n]*)\n(.*?)^```$")

// Blocks are the blocks of a page of which the words behind the fence begin with a word.
func Blocks(t testing.TB, page, word string) []Block {
	t.Helper()
	var list []Block
	for _, m := range fence.FindAllStringSubmatch(Page(t, page), -1) {
		if info, ok := strings.CutPrefix(m[1], word); ok {
			list = append(list, Block{strings.TrimSpace(info), m[2]})
		}
	}
	if len(list) == 0 {
		t.Fatalf("%s.md has no block of %s", page, word)
	}
	return list
}
