// Package tidy is the layout and the style of this project as a test over the whole tree: which
// room may import which, how long a function, a line and a file may be, what must be documented
// and what is not written here.
//
// It refuses to know what the code does: it reads sources as text and as syntax, with nothing
// but the standard library, and judges no types. Each finding says what to write instead. What
// cannot be mended at once is listed with its count in ratchet.txt, which may only shrink.
package tidy

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Finding is one place that breaks a rule.
type Finding struct {
	Rule    string // the name of the rule, as ratchet.txt writes it
	Path    string // slash-separated, from the root of the tree
	Line    int    // counted from 1; zero where the whole file or package is meant
	Message string // what is wrong and what to write instead
	Warning bool   // an aim that was missed; the wall behind it still stands
}

// String is the finding in the form that editors jump to.
func (f Finding) String() string {
	if f.Line == 0 {
		return fmt.Sprintf("%s: %s: %s", f.Path, f.Rule, f.Message)
	}
	return fmt.Sprintf("%s:%d: %s: %s", f.Path, f.Line, f.Rule, f.Message)
}

// sourceBytesMax bounds a file that is read: no text that people write is larger, and a
// recording or a build product must not be read as one.
const sourceBytesMax = 4 << 20

// source is one text file of the tree.
type source struct {
	path      string
	room      string
	text      string
	syntax    *ast.File // nil for anything but Go
	test      bool      // a _test.go file
	generated bool
	vendored  bool // somebody else's text, kept as it came
	testdata  bool
}

// tree is what the rules look at.
type tree struct {
	module  string
	fset    *token.FileSet
	sources []*source
	ratchet map[string]int // rule and subject to the count that is tolerated
}

// Check reads the tree under root and returns what breaks a rule, ordered by path and line. Of
// the files it reads those that the .gitignore at the root does not name. A file that cannot be
// read or parsed is a finding, as nothing could be said of it otherwise.
func Check(root fs.FS) []Finding {
	t, findings := load(root)
	rules := []func(*tree) []Finding{
		checkRooms, checkVocabulary, checkClock,
		checkLimits,
		checkComments,
		checkHabits, checkFloats, checkPanics,
		checkWords, checkNames,
	}
	for _, rule := range rules {
		findings = append(findings, rule(t)...)
	}
	slices.SortFunc(findings, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(a.Path, b.Path),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Rule, b.Rule),
			cmp.Compare(a.Message, b.Message),
		)
	})
	return slices.Compact(findings)
}

// load reads and parses the tree.
func load(root fs.FS) (*tree, []Finding) {
	t := &tree{fset: token.NewFileSet(), ratchet: map[string]int{}}
	var findings []Finding
	fail := func(name string, err error) {
		findings = append(findings, Finding{Rule: ruleRead, Path: name, Message: err.Error()})
	}
	module, err := moduleOf(root)
	if err != nil {
		fail("go.mod", err)
	}
	t.module = module
	skip, err := ignoredBy(root)
	if err != nil {
		fail(".gitignore", err)
	}
	err = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			fail(name, err)
			return nil
		}
		if name != "." && skip.ignores(name, entry.IsDir()) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		found, err := t.add(root, name)
		if err != nil {
			fail(name, err)
		}
		findings = append(findings, found...)
		return nil
	})
	if err != nil {
		fail(".", err)
	}
	return t, findings
}

// add reads one file; anything that is not text is left out.
func (t *tree) add(root fs.FS, name string) ([]Finding, error) {
	info, err := fs.Stat(root, name)
	if err != nil {
		return nil, err
	}
	if info.Size() > sourceBytesMax {
		return nil, nil
	}
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return nil, err
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return nil, nil
	}
	s := &source{
		path:     name,
		room:     roomOf(path.Dir(name)),
		text:     string(text),
		test:     strings.HasSuffix(name, "_test.go"),
		vendored: within(name, "vendor") || strings.Contains(path.Base(name), ".min."),
		testdata: within(name, "testdata"),
	}
	if name == ratchetPath {
		return t.readRatchet(s.text), nil
	}
	if path.Ext(name) == ".go" && !s.testdata && !s.vendored {
		mode := parser.ParseComments | parser.SkipObjectResolution
		syntax, err := parser.ParseFile(t.fset, name, text, mode)
		if err != nil {
			return nil, fmt.Errorf("parse: %w", err)
		}
		s.syntax, s.generated = syntax, ast.IsGenerated(syntax)
	}
	t.sources = append(t.sources, s)
	return nil, nil
}

// goSources are the Go files that people wrote and that are compiled.
func (t *tree) goSources() []*source {
	var written []*source
	for _, s := range t.sources {
		if s.syntax != nil && !s.generated {
			written = append(written, s)
		}
	}
	return written
}

// line is the line of a position.
func (t *tree) line(pos token.Pos) int { return t.fset.Position(pos).Line }

// find makes a finding at a position of a source.
func (t *tree) find(s *source, pos token.Pos, rule, format string, args ...any) Finding {
	return Finding{Rule: rule, Path: s.path, Line: t.line(pos),
		Message: fmt.Sprintf(format, args...)}
}

// moduleOf reads the module's path from go.mod.
func moduleOf(root fs.FS) (string, error) {
	text, err := fs.ReadFile(root, "go.mod")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "module "); ok {
			return strings.TrimSpace(rest), nil
		}
	}
	return "", errors.New("go.mod names no module")
}

// ignores is the list of names that are not part of the tree.
type ignores []string

// ignoredBy reads the .gitignore at the root. Of its language the plain part is understood: a
// name, a path from the root and the wildcards of path.Match. A tree without the file has the
// standing list only.
func ignoredBy(root fs.FS) (ignores, error) {
	list := ignores{".git", ".cache", "node_modules"}
	text, err := fs.ReadFile(root, ".gitignore")
	if errors.Is(err, fs.ErrNotExist) {
		return list, nil
	}
	if err != nil {
		return list, err
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		if _, err := path.Match(line, ""); err != nil {
			return list, fmt.Errorf("pattern %q: %w", line, err)
		}
		list = append(list, line)
	}
	return list, nil
}

// ignores reports whether one of the patterns names the file or folder.
func (list ignores) ignores(name string, dir bool) bool {
	for _, pattern := range list {
		bare := strings.TrimSuffix(pattern, "/")
		if bare != pattern && !dir {
			continue
		}
		subject := path.Base(name)
		if strings.Contains(bare, "/") {
			subject, bare = name, strings.TrimPrefix(bare, "/")
		}
		// The pattern was tried when it was read, so that an error cannot be.
		if ok, err := path.Match(bare, subject); err == nil && ok {
			return true
		}
	}
	return false
}

// within reports whether one of the folders on the way to a file has that name.
func within(name, folder string) bool {
	return slices.Contains(strings.Split(path.Dir(name), "/"), folder)
}
