package tidy

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// checkHabits finds what is not written here, wherever it stands: hidden starts, shared mutable
// state, swallowed errors, and tests that sleep or are skipped without a word.
func checkHabits(t *tree) []Finding {
	var findings []Finding
	for _, s := range t.goSources() {
		for _, decl := range s.syntax.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					findings = append(findings, t.find(s, d.Pos(), ruleInit,
						"init runs behind the reader's back: make it a function that cmd calls"))
				}
			case *ast.GenDecl:
				findings = append(findings, t.checkGlobals(s, d)...)
			}
		}
		for node := range ast.Preorder(s.syntax) {
			if assign, ok := node.(*ast.AssignStmt); ok {
				findings = append(findings, t.checkSwallowed(s, assign)...)
			}
		}
		if s.test {
			findings = append(findings, t.checkTests(s)...)
		}
	}
	return findings
}

// checkGlobals finds exported variables of a kind that every importer could change.
func (t *tree) checkGlobals(s *source, d *ast.GenDecl) []Finding {
	if d.Tok != token.VAR {
		return nil
	}
	var findings []Finding
	for _, spec := range d.Specs {
		values, ok := spec.(*ast.ValueSpec)
		if !ok {
			continue
		}
		for i, name := range values.Names {
			var value ast.Expr
			if i < len(values.Values) {
				value = values.Values[i]
			}
			if name.IsExported() && (shares(values.Type) || shares(value)) {
				findings = append(findings, t.find(s, name.Pos(), ruleGlobal,
					"every importer can change %s: make it a function that returns a new value, "+
						"or unexport it", name.Name))
			}
		}
	}
	return findings
}

// shares reports whether a type, or the value of a literal or of make, is a map or a slice.
func shares(expr ast.Expr) bool {
	switch x := expr.(type) {
	case *ast.MapType:
		return true
	case *ast.ArrayType:
		return x.Len == nil
	case *ast.CompositeLit:
		return shares(x.Type)
	case *ast.CallExpr:
		fn, ok := x.Fun.(*ast.Ident)
		return ok && fn.Name == "make" && len(x.Args) > 0 && shares(x.Args[0])
	}
	return false
}

// failing are the packages whose functions return an error last, so that a blank there is a
// swallowed error and not a flag.
func failing() []string {
	return []string{"bufio", "encoding/hex", "encoding/json", "io", "net/url", "os", "strconv",
		"time"}
}

// checkSwallowed finds errors that an assignment throws away.
func (t *tree) checkSwallowed(s *source, assign *ast.AssignStmt) []Finding {
	if len(assign.Rhs) != 1 {
		return nil
	}
	call, ok := assign.Rhs[0].(*ast.CallExpr)
	if !ok {
		return nil
	}
	all := true
	for _, left := range assign.Lhs {
		all = all && blank(left)
	}
	if all {
		return []Finding{t.find(s, assign.Pos(), ruleSwallowed,
			"an assignment to _ swallows the error: return it, or join it with errors.Join")}
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !blank(assign.Lhs[len(assign.Lhs)-1]) {
		return nil
	}
	x, ok := sel.X.(*ast.Ident)
	if !ok || !slices.Contains(failing(), packageOf(s.syntax, x.Name)) {
		return nil
	}
	if x.Name == "os" && sel.Sel.Name == "LookupEnv" {
		return nil
	}
	return []Finding{t.find(s, assign.Pos(), ruleSwallowed,
		"the error of %s.%s is swallowed: return it wrapped with what was tried",
		x.Name, sel.Sel.Name)}
}

func blank(expr ast.Expr) bool {
	name, ok := expr.(*ast.Ident)
	return ok && name.Name == "_"
}

// checkTests finds sleeping tests and tests that are skipped without saying why. Inside a
// synctest bubble time is virtual and sleeping is how it passes.
func (t *tree) checkTests(s *source) []Finding {
	var findings []Finding
	ast.Inspect(s.syntax, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if selects(s.syntax, sel, "testing/synctest", "Test") {
			return false
		}
		if selects(s.syntax, sel, "time", "Sleep") {
			findings = append(findings, t.find(s, call.Pos(), ruleSleep,
				"a sleeping test is slow or wrong: wait for the event on a channel, or run the "+
					"test in a synctest bubble"))
		}
		silent := sel.Sel.Name == "SkipNow" || sel.Sel.Name == "Skip" && len(call.Args) == 0
		x, ok := sel.X.(*ast.Ident)
		if ok && silent && slices.Contains([]string{"t", "b", "f", "tb"}, x.Name) {
			findings = append(findings, t.find(s, call.Pos(), ruleSkip,
				"%s.%s hides that nothing was tested: say what is missing and how to get it",
				x.Name, sel.Sel.Name))
		}
		return true
	})
	return findings
}

// exactRooms count in integers only.
func exactRooms() []string {
	return []string{".", "tables", "codecs", "billing", "processors"}
}

// checkFloats keeps binary fractions away from energy and money. A place on the map is the one
// thing that is measured in them.
func checkFloats(t *tree) []Finding {
	var findings []Finding
	floats := []string{"float32", "float64", "ParseFloat", "FormatFloat", "AppendFloat"}
	for _, s := range t.goSources() {
		if s.test || !slices.Contains(exactRooms(), s.room) {
			continue
		}
		ast.Inspect(s.syntax, func(node ast.Node) bool {
			if field, ok := node.(*ast.Field); ok && s.path == "station.go" {
				return !coordinate(field)
			}
			if name, ok := node.(*ast.Ident); ok && slices.Contains(floats, name.Name) {
				findings = append(findings, t.find(s, name.Pos(), ruleFloat,
					"%s cannot hold energy or money exactly: use an integer unit of the root "+
						"package, or decimal text", name.Name))
			}
			return true
		})
	}
	return findings
}

// coordinate reports whether a field is a place on the map.
func coordinate(field *ast.Field) bool {
	for _, name := range field.Names {
		if name.Name != "Latitude" && name.Name != "Longitude" {
			return false
		}
	}
	return len(field.Names) > 0
}

// checkPanics keeps panics out of what meets bad input. What cannot be may panic, if a comment
// there says why it cannot be.
func checkPanics(t *tree) []Finding {
	var findings []Finding
	for _, s := range t.goSources() {
		if s.test || !slices.Contains([]string{"tables", "codecs", "billing"}, s.room) {
			continue
		}
		for node := range ast.Preorder(s.syntax) {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				continue
			}
			fn, ok := call.Fun.(*ast.Ident)
			if !ok || fn.Name != "panic" {
				continue
			}
			reason := commentOn(t.fset, s.syntax, t.line(call.Pos()))
			if !strings.Contains(strings.Join(strings.Fields(reason), " "), "cannot be") {
				findings = append(findings, t.find(s, call.Pos(), rulePanic,
					"bad input is an answer, never a panic: return an error; for what cannot be, "+
						"say so in a comment on this line or above it"))
			}
		}
	}
	return findings
}
