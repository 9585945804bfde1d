package tidy

import (
	"fmt"
	"go/ast"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The limits. They hold from the first day, as it is the small function that is worth keeping
// small.
const (
	functionLinesMax = 70
	lineColumnsMax   = 100
	tabColumns       = 4
	fileLinesAim     = 500
	fileLinesWall    = 800
)

// ratchetPath is the list of what is over a limit and is tolerated until it is mended.
const ratchetPath = "internal/tidy/ratchet.txt"

// readRatchet reads lines of rule, subject and count. The subject is a path; for functions it is
// the path, a colon and the function.
func (t *tree) readRatchet(text string) []Finding {
	var findings []Finding
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Fields(line)
		count := 0
		err := fmt.Errorf("%d fields instead of 3", len(fields))
		if len(fields) == 3 {
			count, err = strconv.Atoi(fields[2])
		}
		if err != nil {
			findings = append(findings, Finding{Rule: ruleRatchet, Path: ratchetPath, Line: number,
				Message: fmt.Sprintf("write rule, subject and count: %v", err)})
			continue
		}
		t.ratchet[fields[0]+" "+fields[1]] = count
	}
	return findings
}

// excess is something over a limit: how much is counted, and what to say of it.
type excess struct {
	rule    string
	subject string
	count   int
	found   []Finding
}

// checkLimits measures functions, lines and files and holds the result against the ratchet.
func checkLimits(t *tree) []Finding {
	var over []excess
	var findings []Finding
	for _, s := range t.sources {
		if s.generated || s.testdata || s.vendored {
			continue
		}
		if s.syntax != nil {
			if !s.test {
				over = append(over, t.longFunctions(s)...)
			}
			over = append(over, longLines(s)...)
		}
		if !counted(s.path) {
			continue
		}
		lines := strings.Count(s.text, "\n")
		if lines > fileLinesWall {
			over = append(over, excess{ruleFile, s.path, lines, []Finding{{Rule: ruleFile,
				Path: s.path, Message: fmt.Sprintf("%d lines, the wall is %d: split the noun by "+
					"verb, as in session_close.go", lines, fileLinesWall)}}})
		} else if lines > fileLinesAim {
			findings = append(findings, Finding{Rule: ruleFile, Path: s.path, Warning: true,
				Message: fmt.Sprintf("%d lines, the aim is %d: split the noun by verb before it "+
					"reaches %d", lines, fileLinesAim, fileLinesWall)})
		}
	}
	return append(findings, t.hold(over)...)
}

// counted reports whether the length of a file counts: programs and pages, not tables of data.
func counted(name string) bool {
	switch path.Ext(name) {
	case ".go", ".js", ".mjs", ".css", ".html", ".sh", ".java":
		return true
	}
	return false
}

// hold lets pass what the ratchet lists, and tells where the list can shrink.
func (t *tree) hold(over []excess) []Finding {
	var findings []Finding
	seen := map[string]bool{}
	for _, e := range over {
		key := e.rule + " " + e.subject
		seen[key] = true
		listed, ok := t.ratchet[key]
		switch {
		case !ok || e.count > listed:
			findings = append(findings, e.found...)
		case e.count < listed:
			findings = append(findings, Finding{Rule: ruleRatchet, Path: ratchetPath,
				Message: fmt.Sprintf("%s is down to %d: lower its line from %d",
					key, e.count, listed)})
		}
	}
	for key := range t.ratchet {
		if !seen[key] {
			findings = append(findings, Finding{Rule: ruleRatchet, Path: ratchetPath,
				Message: fmt.Sprintf("%s is within its limit or gone: remove its line", key)})
		}
	}
	return findings
}

// longFunctions are the functions of a file with too many lines, from the word func to the
// closing brace.
func (t *tree) longFunctions(s *source) []excess {
	var over []excess
	for _, decl := range s.syntax.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			over = append(over, t.longLiterals(s, decl)...)
			continue
		}
		name := functionName(fn)
		if lines := t.line(fn.End()) - t.line(fn.Pos()) + 1; lines > functionLinesMax {
			over = append(over, excess{ruleFunction, s.path + ":" + name, lines,
				[]Finding{t.find(s, fn.Pos(), ruleFunction, "%s has %d lines, the limit is %d: "+
					"keep the decisions here and move each step to a function of its own",
					name, lines, functionLinesMax)}})
		}
	}
	return over
}

// longLiterals are the function literals outside any function with too many lines.
func (t *tree) longLiterals(s *source, decl ast.Decl) []excess {
	var over []excess
	for node := range ast.Preorder(decl) {
		fn, ok := node.(*ast.FuncLit)
		if !ok {
			continue
		}
		if lines := t.line(fn.End()) - t.line(fn.Pos()) + 1; lines > functionLinesMax {
			over = append(over, excess{ruleFunction, s.path + ":func", lines,
				[]Finding{t.find(s, fn.Pos(), ruleFunction, "the function literal has %d lines, "+
					"the limit is %d: give it a name and split it", lines, functionLinesMax)}})
		}
	}
	return over
}

// functionName is Name for a function and Type.Name for a method.
func functionName(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return fn.Name.Name
	}
	return receiverName(fn.Recv.List[0].Type) + "." + fn.Name.Name
}

// receiverName is the type of a receiver without its star and its parameters.
func receiverName(expr ast.Expr) string {
	switch x := expr.(type) {
	case *ast.StarExpr:
		return receiverName(x.X)
	case *ast.IndexExpr:
		return receiverName(x.X)
	case *ast.IndexListExpr:
		return receiverName(x.X)
	case *ast.ParenExpr:
		return receiverName(x.X)
	case *ast.Ident:
		return x.Name
	}
	return ""
}

// longLines are the lines of a file with too many columns. For the ratchet their number counts.
func longLines(s *source) []excess {
	var found []Finding
	number := 0
	for line := range strings.Lines(s.text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		columns := utf8.RuneCountInString(line) + strings.Count(line, "\t")*(tabColumns-1)
		if columns > lineColumnsMax {
			found = append(found, Finding{Rule: ruleColumns, Path: s.path, Line: number,
				Message: fmt.Sprintf("%d columns, the limit is %d with tabs as %d: break the line "+
					"after a comma or an operator", columns, lineColumnsMax, tabColumns)})
		}
	}
	if len(found) == 0 {
		return nil
	}
	return []excess{{ruleColumns, s.path, len(found), found}}
}
