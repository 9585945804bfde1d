package tidy

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
)

// checkComments wants a comment on every package and on every exported name, and no notes to
// oneself in any comment.
func checkComments(t *tree) []Finding {
	findings := t.checkPackages()
	for _, s := range t.goSources() {
		if !s.test {
			findings = append(findings, t.checkExported(s)...)
		}
	}
	return append(findings, t.checkNotes()...)
}

// checkPackages wants a package comment in one file of each folder; where a folder has nothing
// but tests, a test has it.
func (t *tree) checkPackages() []Finding {
	commented, first, onlyTests := map[string]bool{}, map[string]*source{}, map[string]bool{}
	var folders []string
	for _, s := range t.goSources() {
		dir := path.Dir(s.path)
		if first[dir] == nil {
			first[dir], onlyTests[dir] = s, true
			folders = append(folders, dir)
		}
		onlyTests[dir] = onlyTests[dir] && s.test
	}
	for _, s := range t.goSources() {
		dir := path.Dir(s.path)
		if s.syntax.Doc != nil && (!s.test || onlyTests[dir]) && !directive(s.syntax.Doc) {
			commented[dir] = true
		}
	}
	var findings []Finding
	for _, dir := range folders {
		if !commented[dir] {
			s := first[dir]
			findings = append(findings, t.find(s, s.syntax.Name.Pos(), rulePackage,
				"package %s has no comment: write what it holds, what it refuses to know and how "+
					"it is used, above the package clause", s.syntax.Name.Name))
		}
	}
	return findings
}

// directive reports whether a comment is for tools only, as //go:build is.
func directive(group *ast.CommentGroup) bool { return strings.TrimSpace(group.Text()) == "" }

// documented reports whether a comment says something to a reader.
func documented(group *ast.CommentGroup) bool { return group != nil && !directive(group) }

// checkExported wants a comment on each exported declaration of a file.
func (t *tree) checkExported(s *source) []Finding {
	var findings []Finding
	for _, decl := range s.syntax.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			reachable := d.Recv == nil || len(d.Recv.List) == 0 ||
				ast.IsExported(receiverName(d.Recv.List[0].Type))
			if d.Name.IsExported() && reachable && !documented(d.Doc) {
				findings = append(findings, t.undocumented(s, d.Name))
			}
		case *ast.GenDecl:
			for _, name := range undocumentedSpecs(d) {
				findings = append(findings, t.undocumented(s, name))
			}
		}
	}
	return findings
}

// undocumentedSpecs are the exported names of a declaration that neither a comment of their own
// nor, for constants and variables, one above their group explains.
func undocumentedSpecs(d *ast.GenDecl) []*ast.Ident {
	var names []*ast.Ident
	for _, spec := range d.Specs {
		switch sp := spec.(type) {
		case *ast.TypeSpec:
			alone := !d.Lparen.IsValid() && documented(d.Doc)
			if sp.Name.IsExported() && !alone && !documented(sp.Doc) && !documented(sp.Comment) {
				names = append(names, sp.Name)
			}
		case *ast.ValueSpec:
			if documented(d.Doc) || documented(sp.Doc) || documented(sp.Comment) {
				continue
			}
			for _, name := range sp.Names {
				if name.IsExported() {
					names = append(names, name)
				}
			}
		}
	}
	return names
}

func (t *tree) undocumented(s *source, name *ast.Ident) Finding {
	return t.find(s, name.Pos(), ruleComment, "%s has no comment: write a sentence with its unit, "+
		"its bounds or its errors above it, or unexport it", name.Name)
}

// notes are the marks of work that was put off.
var notes = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)

// checkNotes finds marks of unfinished work: comments in Go, any text in scripts and pages.
func (t *tree) checkNotes() []Finding {
	var findings []Finding
	note := func(name string, line int, mark string) {
		findings = append(findings, Finding{Rule: ruleNote, Path: name, Line: line,
			Message: fmt.Sprintf("%s: do it now, or open an issue and say here only what holds",
				mark)})
	}
	scripts := []string{".js", ".mjs", ".css", ".html", ".sh", ".yml", ".yaml", ".java", ".mod"}
	for _, s := range t.sources {
		if s.vendored || s.testdata {
			continue
		}
		if s.syntax != nil {
			for _, group := range s.syntax.Comments {
				for _, c := range group.List {
					if mark := notes.FindString(c.Text); mark != "" {
						note(s.path, t.line(c.Pos()), mark)
					}
				}
			}
			continue
		}
		if !slices.Contains(scripts, path.Ext(s.path)) && path.Base(s.path) != "Makefile" {
			continue
		}
		number := 0
		for line := range strings.Lines(s.text) {
			number++
			if mark := notes.FindString(line); mark != "" {
				note(s.path, number, mark)
			}
		}
	}
	return findings
}

// commentOn is the text of the comments that end on the given line or on the one above it.
func commentOn(fset *token.FileSet, file *ast.File, line int) string {
	var text strings.Builder
	for _, group := range file.Comments {
		end := fset.Position(group.End()).Line
		if end == line || end == line-1 {
			text.WriteString(group.Text())
		}
	}
	return text.String()
}
