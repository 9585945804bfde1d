package engine_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
)

// TestExamplesAreShort: what a processor costs to declare is what its examples have before they run
// it: a word count 25 lines, a windowed count 40 with its row.
func TestExamplesAreShort(t *testing.T) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "example_test.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	line := func(pos token.Pos) int { return files.Position(pos).Line }
	lines := map[string]int{}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			for _, statement := range d.Body.List {
				if declares(statement, "driver") {
					break
				}
				lines[d.Name.Name] += line(statement.End()) - line(statement.Pos()) + 1
			}
		case *ast.GenDecl:
			if d.Tok == token.TYPE {
				lines["Example_windowedCount"] += line(d.End()) - line(d.Pos()) + 1
			}
		}
	}
	for name, most := range map[string]int{"Example_wordCount": 25, "Example_windowedCount": 40} {
		if n := lines[name]; n == 0 || n > most {
			t.Errorf("%s declares its processor in %d lines, at most %d", name, n, most)
		}
	}
}

// declares reports whether a statement declares a variable.
func declares(statement ast.Stmt, name string) bool {
	assign, ok := statement.(*ast.AssignStmt)
	if !ok {
		return false
	}
	id, ok := assign.Lhs[0].(*ast.Ident)
	return ok && id.Name == name
}
