package tidy_test

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"chargestream/internal/tidy"
)

// files is a small tree: path to content.
type files map[string]string

// clean is a tree without a fault, in which each case plants its own.
func clean() files {
	return files{
		"go.mod":             "module chargestream\n",
		"doc.go":             "// Package chargestream is the vocabulary.\npackage chargestream\n",
		"codecs/codecs.go":   "// Package codecs is bytes.\npackage codecs\n",
		"topics/topics.go":   "// Package topics is names.\npackage topics\n",
		"tables/tables.go":   "// Package tables is folds.\npackage tables\n",
		"views/views.go":     "// Package views is answers.\npackage views\n",
		"web/web.go":         "// Package web is pages.\npackage web\n",
		"ingest/ingest.go":   "// Package ingest is the way in.\npackage ingest\n",
		"cmd/x/main.go":      "// Command x wires.\npackage main\n",
		"benchmarks/run.go":  "// Package benchmarks measures.\npackage benchmarks\n",
		"README.md":          "What it is.\n",
		"logo.png":           "\x89PNG\x00" + "/wo" + "rk/",
		".git/config":        "/wo" + "rk/",
		"tables/testdata/in": "TO" + "DO is data here\n",
		"engine/engine.go": "// Package engine holds parameters and workstations.\n" +
			"package engine\n",
		"processors/processors.go": "// Package processors is graphs.\npackage processors\n",
	}
}

func (f files) fs() fs.FS {
	tree := fstest.MapFS{}
	for name, text := range f {
		tree[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	return tree
}

func (f files) with(more files) files {
	for name, text := range more {
		f[name] = text
	}
	return f
}

// long is a function of n lines.
func long(name string, n int) string {
	return "func " + name + "() {\n" + strings.Repeat("\tprintln()\n", n-2) + "}\n"
}

// brief is the part of findings that a case names: path, line, rule.
func brief(findings []tidy.Finding) []string {
	var list []string
	for _, f := range findings {
		where := fmt.Sprintf("%s:%d %s", f.Path, f.Line, f.Rule)
		if f.Warning {
			where += " (warning)"
		}
		list = append(list, where)
	}
	return list
}

func TestCleanTree(t *testing.T) {
	if got := tidy.Check(clean().fs()); len(got) > 0 {
		t.Errorf("a tree without a fault has findings: %v", got)
	}
}

// fault is a tree with something planted, and where it must be found. Without want the planted
// text is allowed: the near miss that the rule must let pass.
type fault struct {
	name  string
	plant files
	want  []string
}

func check(t *testing.T, cases []fault) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			findings := tidy.Check(clean().with(c.plant).fs())
			if diff := cmp.Diff(c.want, brief(findings)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			for _, f := range findings {
				if len(strings.Fields(f.Message)) < 4 {
					t.Errorf("%v: the message does not say what to write instead", f)
				}
			}
		})
	}
}

// source is a package of a room with one import, which it uses by a blank name.
func source(pkg, imported string) string {
	return fmt.Sprintf("package %s\n\nimport _ %q\n", pkg, imported)
}

func planFaults() []fault {
	return []fault{
		{"root imports a room", files{"a.go": source("chargestream", "chargestream/codecs")},
			[]string{"a.go:3 import"}},
		{"codecs import topics", files{"codecs/a.go": source("codecs", "chargestream/topics")},
			[]string{"codecs/a.go:3 import"}},
		{"topics import codecs",
			files{"topics/a.go": source("topics", "chargestream/codecs")}, nil},
		{"tables import the engine",
			files{"tables/a.go": source("tables", "chargestream/engine")},
			[]string{"tables/a.go:3 import"}},
		{"tables import goka", files{"tables/a.go": source("tables", "github.com/lovoo/goka")},
			[]string{"tables/a.go:3 import"}},
		{"tables import part of a client",
			files{"tables/a.go": source("tables", "github.com/twmb/franz-go/pkg/kgo")},
			[]string{"tables/a.go:3 import"}},
		{"tables import chance", files{"tables/a.go": source("tables", "math/rand/v2")},
			[]string{"tables/a.go:3 import"}},
		{"tables import logs", files{"tables/a.go": source("tables", "log/slog")},
			[]string{"tables/a.go:3 import"}},
		{"tables import the machine", files{"tables/a.go": source("tables", "os")},
			[]string{"tables/a.go:3 import"}},
		{"tables import a module that nobody named",
			files{"tables/a.go": source("tables", "example.org/decimal")},
			[]string{"tables/a.go:3 import"}},
		{"tables import what billing may", files{"tables/a.go": source("tables",
			"github.com/bojanz/currency")}, []string{"tables/a.go:3 import"}},
		{"billing imports currency", files{"billing/a.go": "// Package billing bills.\n" +
			source("billing", "github.com/bojanz/currency")}, nil},
		{"billing imports the engine", files{"billing/a.go": "// Package billing bills.\n" +
			source("billing", "chargestream/engine")}, []string{"billing/a.go:4 import"}},
		{"tables import billing", files{"tables/a.go": source("tables", "chargestream/billing")},
			[]string{"tables/a.go:3 import"}},
		{"reconcile imports the engine", files{"reconcile/a.go": "// Package reconcile adds.\n" +
			source("reconcile", "chargestream/engine")}, []string{"reconcile/a.go:4 import"}},
		{"the room within reconcile does", files{"reconcile/source/a.go": "// Package source " +
			"reads.\n" + source("source", "chargestream/engine")}, nil},
		{"tests of tables open files", files{"tables/a_test.go": source("tables", "os")}, nil},
		{"tests of tables use the simulator",
			files{"tables/a_test.go": source("tables", "chargestream/internal/sim")}, nil},
		{"tables use the simulator",
			files{"tables/a.go": source("tables", "chargestream/internal/sim")},
			[]string{"tables/a.go:3 import"}},
		{"processors import views",
			files{"processors/a.go": source("processors", "chargestream/views")},
			[]string{"processors/a.go:0 noun (warning)", "processors/a.go:3 import"}},
		{"views import web", files{"views/views_a.go": source("views", "chargestream/web")}, nil},
		{"web imports views", files{"web/a.go": source("web", "chargestream/views")},
			[]string{"web/a.go:3 import"}},
		{"web imports tables in a test",
			files{"web/a_test.go": source("web", "chargestream/tables")},
			[]string{"web/a_test.go:3 import"}},
		{"ingest imports tables", files{"ingest/a.go": source("ingest", "chargestream/tables")},
			[]string{"ingest/a.go:3 import"}},
		{"cmd imports all", files{"cmd/x/a.go": source("main", "chargestream/internal/sim")}, nil},
		{"cmd imports benchmarks",
			files{"cmd/x/a.go": source("main", "chargestream/benchmarks")},
			[]string{"cmd/x/a.go:3 import"}},
		{"benchmarks import cmd",
			files{"benchmarks/a.go": source("benchmarks", "chargestream/cmd/x")},
			[]string{"benchmarks/a.go:3 import"}},
		{"engine imports topics",
			files{"engine/a.go": source("engine", "chargestream/topics")},
			[]string{"engine/a.go:3 import"}},
		{"a room within a pure room", files{"reconcile/source/a.go": "// Package source reads.\n" +
			source("source", "github.com/twmb/franz-go/pkg/kgo")}, nil},
		{"the pure room around it", files{"reconcile/a.go": "// Package reconcile compares.\n" +
			source("reconcile", "chargestream/reconcile/source")},
			[]string{"reconcile/a.go:4 import"}},
		{"oracle imports the root", files{"internal/oracle/a.go": "// Package oracle checks.\n" +
			source("oracle", "chargestream")}, []string{"internal/oracle/a.go:4 import"}},
		{"a room without a plan",
			files{"shared/a.go": "// Package shared is new.\npackage shared\n"},
			[]string{"shared/a.go:0 room"}},
		{"the wall clock", files{"tables/a.go": "package tables\n\nimport clock \"time\"\n\n" +
			"var at = clock.Now()\n"}, []string{"tables/a.go:5 clock"}},
		{"the wall clock in a test", files{"codecs/a_test.go": "package codecs\n\n" +
			"import \"time\"\n\nvar at = time.Since(time.Time{})\n"},
			[]string{"codecs/a_test.go:5 clock"}},
		{"the wall clock right of the broker line", files{"ingest/a.go": "package ingest\n\n" +
			"import \"time\"\n\nvar at = time.Now()\n"}, nil},
		{"charging words in the engine", files{"engine/a.go": "package engine\n\n" +
			"// The session of a consumer group has parameters.\nvar stationID int\n\n" +
			"// Meters count kWh.\nvar KWHTotal, sumKWh int\n"},
			[]string{"engine/a.go:4 vocabulary", "engine/a.go:6 vocabulary",
				"engine/a.go:6 vocabulary", "engine/a.go:7 vocabulary"}},
	}
}

func limitFaults() []fault {
	tabs := strings.Repeat("\t", 24)
	listed := func(lines string) files { return files{"internal/tidy/ratchet.txt": lines} }
	return []fault{
		{"a function at its limit", files{"a.go": "package chargestream\n\n" + long("f", 70)}, nil},
		{"a function over it", files{"a.go": "package chargestream\n\n" + long("f", 71)},
			[]string{"a.go:3 function-lines"}},
		{"a long function literal", files{"a.go": "package chargestream\n\nvar f = " +
			strings.Replace(long("", 71), " (", "(", 1)},
			[]string{"a.go:3 function-lines"}},
		{"a long function in a test",
			files{"a_test.go": "package chargestream\n\n" + long("f", 90)}, nil},
		{"a long function that is listed", listed("function-lines a.go:f 75\n").
			with(files{"a.go": "package chargestream\n\n" + long("f", 75)}), nil},
		{"a listed function that grew", listed("function-lines a.go:f 75\n").
			with(files{"a.go": "package chargestream\n\n" + long("f", 76)}),
			[]string{"a.go:3 function-lines"}},
		{"a listed function that shrank", listed("function-lines a.go:f 75\n").
			with(files{"a.go": "package chargestream\n\n" + long("f", 74)}),
			[]string{"internal/tidy/ratchet.txt:0 ratchet"}},
		{"a listed function that is gone", listed("# why\nfunction-lines a.go:f 75\n"),
			[]string{"internal/tidy/ratchet.txt:0 ratchet"}},
		{"a line that the ratchet cannot read", listed("\nfunction-lines a.go:f\n"),
			[]string{"internal/tidy/ratchet.txt:2 ratchet"}},
		{"a wide line", files{"a.go": "package chargestream\n\n//" + tabs + "123\n"},
			[]string{"a.go:3 line-columns"}},
		{"a line at its limit, in runes", files{"a.go": "package chargestream\n\n//" + tabs +
			"éé\n"}, nil},
		{"a wide line that is listed", listed("line-columns a.go 1\n").
			with(files{"a.go": "package chargestream\n\n//" + tabs + "123\n"}), nil},
		{"a wide line in a generated file", files{"a.go": "// Code generated by x. DO NOT " +
			"EDIT.\n\npackage chargestream\n\n//" + tabs + "123\n"}, nil},
		{"a file over its aim",
			files{"a_test.go": "package chargestream\n" + strings.Repeat("\n", 500)},
			[]string{"a_test.go:0 file-lines (warning)"}},
		{"a file over its wall",
			files{"a_test.go": "package chargestream\n" + strings.Repeat("\n", 800)},
			[]string{"a_test.go:0 file-lines"}},
		{"a page over its wall", files{"web/ui/map.js": strings.Repeat("\n", 801)},
			[]string{"web/ui/map.js:0 file-lines"}},
		{"a page of somebody else", files{"web/vendor/map.js": strings.Repeat("\n", 801)}, nil},
	}
}

func commentFaults() []fault {
	return []fault{
		{"a package without a comment", files{"internal/sim/a.go": "package sim\n"},
			[]string{"internal/sim/a.go:1 package-comment"}},
		{"a package whose comment is a directive",
			files{"internal/sim/a.go": "//go:build linux\npackage sim\n"},
			[]string{"internal/sim/a.go:2 package-comment"}},
		{"a package whose comment is in a test", files{"internal/sim/a.go": "package sim\n",
			"internal/sim/a_test.go": "// Package sim simulates.\npackage sim\n"},
			[]string{"internal/sim/a.go:1 package-comment"}},
		{"a package of tests with a comment",
			files{"internal/sim/a_test.go": "// Package sim simulates.\npackage sim\n"}, nil},
		{"exported names without a comment", files{"a.go": "package chargestream\n\n" +
			"type A int\n\nfunc B() {}\n\nfunc (A) C() {}\n\nconst D = 1\n\nvar E, f = 1, 2\n"},
			[]string{"a.go:3 comment", "a.go:5 comment", "a.go:7 comment", "a.go:9 comment",
				"a.go:11 comment"}},
		{"a type in a group that has a comment", files{"a.go": "package chargestream\n\n" +
			"// Some types.\ntype (\n\tA int\n)\n"}, []string{"a.go:5 comment"}},
		{"constants in a group that has one", files{"a.go": "package chargestream\n\n" +
			"// Some numbers.\nconst (\n\tA = 1\n\tB = 2\n)\n"}, nil},
		{"a method of a hidden type", files{"a.go": "package chargestream\n\n" +
			"type a[T any] int\n\nfunc (*a[T]) B() {}\n"}, nil},
		{"notes in comments", files{"a.go": "package chargestream\n\n// A TO" + "DO.\n\n/* XX" +
			"X */\n", "x.sh": "# FIX" + "ME\n"},
			[]string{"a.go:3 note", "a.go:5 note", "x.sh:1 note"}},
		{"a note that is data", files{"a.go": "package chargestream\n\nconst a = \"TO" + "DO\"\n"},
			nil},
	}
}

func habitFaults() []fault {
	body := func(pkg, imports, lines string) string {
		return "package " + pkg + "\n\nimport " + imports + "\n\nfunc f() {\n" + lines + "}\n"
	}
	return []fault{
		{"init", files{"a.go": "package chargestream\n\nfunc init() {}\n"},
			[]string{"a.go:3 init"}},
		{"a method init", files{"a.go": "package chargestream\n\ntype a int\n\n" +
			"func (a) init() {}\n"}, nil},
		{"exported maps and slices", files{"a.go": "package chargestream\n\n// Some lists.\n" +
			"var (\n\tA = []int{1}\n\tB map[int]int\n\tC = make([]int, 1)\n\tD = [...]int{1}\n" +
			"\te = []int{1}\n)\n"}, []string{"a.go:5 global", "a.go:6 global", "a.go:7 global"}},
		{"an error thrown away", files{"cmd/x/a.go": body("main", `"os"`,
			"\t_ = os.Remove(\"x\")\n\t_, _ = os.Open(\"x\")\n")},
			[]string{"cmd/x/a.go:6 swallowed", "cmd/x/a.go:7 swallowed"}},
		{"an error left out", files{"a.go": body("chargestream", `j "encoding/json"`,
			"\tx, _ := j.Marshal(1)\n\tprintln(x)\n")}, []string{"a.go:6 swallowed"}},
		{"a flag left out", files{"a.go": body("chargestream", `"strings"`,
			"\tx, _, _ := strings.Cut(\"a b\", \" \")\n\ty, _ := g()\n\t_ = x + y\n")}, nil},
		{"a sleeping test",
			files{"a_test.go": body("chargestream", `"time"`, "\ttime.Sleep(1)\n")},
			[]string{"a_test.go:6 sleep"}},
		{"a test in a bubble", files{"ingest/a_test.go": "package ingest\n\nimport (\n" +
			"\t\"testing\"\n\t\"testing/synctest\"\n\t\"time\"\n)\n\nfunc f(t *testing.T) {\n" +
			"\tsynctest.Test(t, func(t *testing.T) { time.Sleep(1) })\n}\n"}, nil},
		{"a test skipped in silence", files{"a_test.go": body("chargestream", `"testing"`,
			"\tvar t *testing.T\n\tt.Skip()\n\tt.SkipNow()\n\tt.Skip(\"needs java\")\n")},
			[]string{"a_test.go:7 skip", "a_test.go:8 skip"}},
		{"a float for energy",
			files{"codecs/a.go": "package codecs\n\ntype a struct{ e float64 }\n"},
			[]string{"codecs/a.go:3 float"}},
		{"a float for money", files{"billing/a.go": "// Package billing bills.\n" +
			"package billing\n\ntype a struct{ e float64 }\n"},
			[]string{"billing/a.go:4 float"}},
		{"a float read from text", files{"tables/a.go": body("tables", `"strconv"`,
			"\tprintln(strconv.ParseFloat(\"1\", 64))\n")}, []string{"tables/a.go:6 float"}},
		{"a float for a place", files{"station.go": "package chargestream\n\ntype a struct {\n" +
			"\tLatitude, Longitude float64\n\tPower float64\n}\n"}, []string{"station.go:5 float"}},
		{"a float right of the fold", files{"web/a.go": "package web\n\nvar a float64\n"}, nil},
		{"a panic", files{"codecs/a.go": "package codecs\n\nfunc f() {\n\tpanic(\"bad\")\n}\n"},
			[]string{"codecs/a.go:4 panic"}},
		{"a panic over a bill", files{"billing/a.go": "// Package billing bills.\n" +
			"package billing\n\nfunc f() {\n\tpanic(\"bad\")\n}\n"},
			[]string{"billing/a.go:5 panic"}},
		{"a panic that is explained", files{"codecs/a.go": "package codecs\n\nfunc f() {\n" +
			"\t// The caller has checked the length, so that this\n\t// cannot be.\n" +
			"\tpanic(\"bad\")\n}\n"}, nil},
		{"a file of nothing", files{"a_util.go": "package chargestream\n"},
			[]string{"a_util.go:0 name"}},
		{"a folder of nothing", files{"internal/sim/common/a.go": "// Package common is all.\n" +
			"package common\n"}, []string{"internal/sim/common/a.go:0 name"}},
		{"a noun of its own", files{"views/tax.go": "package views\n"},
			[]string{"views/tax.go:0 noun (warning)"}},
		{"a noun of the tables", files{"views/tax_close.go": "package views\n",
			"tables/tax.go": "package tables\n"}, nil},
	}
}

func wordFaults() []fault {
	return []fault{
		{"a folder of the machine", files{"README.md": "See\n/wo" + "rk/main.\n"},
			[]string{"README.md:2 word"}},
		{"a scratch folder", files{"a.sh": "cd /tm" + "p/w/x\n"}, []string{"a.sh:1 word"}},
		{"another scratch folder", files{"a.sh": "cd /tm" + "p/wide\n"}, nil},
		{"a registry's host", files{"Makefile": "GOPROXY=https://proxy.gol" + "ang.org\n"},
			[]string{"Makefile:1 word"}},
		{"how it was made", files{"a.txt": "by Cla" + "ude\n", "b.txt": "the Pro" + "mpt\n"},
			[]string{"a.txt:1 word", "b.txt:1 word"}},
		{"a word that is longer", files{"a.txt": "answers promptly\n"}, nil},
		{"a word in test data", files{"tables/testdata/a.txt": "\n/wo" + "rk/x\n"},
			[]string{"tables/testdata/a.txt:2 word"}},
		{"a word in what is not kept", files{".gitignore": "# built\nbin/\n/out.txt\n*.log\n",
			"bin/a": "/wo" + "rk/", "out.txt": "/wo" + "rk/", "x/y.log": "/wo" + "rk/",
			"x/out.txt": "/wo" + "rk/"}, []string{"x/out.txt:1 word"}},
		{"a file that is not Go", files{"a.go": "package\n"}, []string{"a.go:0 read"}},
		{"a pattern that is none", files{".gitignore": "[\n"}, []string{".gitignore:0 read"}},
	}
}

func TestPlan(t *testing.T)    { check(t, planFaults()) }
func TestLimit(t *testing.T)   { check(t, limitFaults()) }
func TestComment(t *testing.T) { check(t, commentFaults()) }
func TestHabit(t *testing.T)   { check(t, habitFaults()) }
func TestWord(t *testing.T)    { check(t, wordFaults()) }

// TestEveryRuleHasAFault plants a fault of every kind: a rule that finds nothing holds nothing.
func TestEveryRuleHasAFault(t *testing.T) {
	planted := map[string]bool{}
	all := slices.Concat(planFaults(), limitFaults(), commentFaults(), habitFaults(), wordFaults())
	for _, c := range all {
		for _, where := range c.want {
			planted[strings.Fields(where)[1]] = true
		}
	}
	for _, rule := range tidy.Rules() {
		if !planted[rule] {
			t.Errorf("no case plants a fault of rule %s", rule)
		}
		delete(planted, rule)
	}
	for rule := range planted {
		t.Errorf("rule %s is not in Rules", rule)
	}
}
