package tidy

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strconv"
	"strings"
)

// everyRoom stands in a plan for all rooms that may be imported at all.
const everyRoom = "*"

// room is one entry of the import plan.
type room struct {
	within  []string // the rooms that it may import; "." is the root package
	pure    bool     // left of the broker line: no broker, network, disk, clock, chance or log
	foreign []string // for a pure room, the modules of others that it may import nevertheless
}

// plan is the import plan: the data's way from left to right. A folder that is not in it is a
// finding, so that a new room is a decision.
func plan() map[string]room {
	return map[string]room{
		".": {pure: true, within: []string{"internal/rfc3339"}},
		// The reader of events is generated: the library's own costs four times as much.
		"codecs": {pure: true, within: []string{".", "internal/rfc3339"},
			foreign: []string{"github.com/mailru/easyjson"}},
		"pricing": {pure: true, within: []string{".", "codecs"},
			foreign: []string{"github.com/bojanz/currency"}},
		"ocmf":   {pure: true, within: []string{"."}},
		"topics": {pure: true, within: []string{".", "codecs"}},
		"tables": {pure: true, within: []string{".", "codecs", "topics", "internal/lattice"}},
		"billing": {pure: true,
			within:  []string{".", "codecs", "ocmf", "pricing", "tables", "internal/lattice"},
			foreign: []string{"github.com/bojanz/currency"}},
		// A PDF is a format of its own, which fpdf writes; the font's bytes are x/image's.
		"documents": {pure: true, within: []string{"."},
			foreign: []string{"codeberg.org/go-pdf/fpdf", "github.com/bojanz/currency",
				"golang.org/x/image"}},
		"reconcile": {pure: true, within: []string{"."}},
		"why":       {pure: true, within: []string{".", "tables", "billing", "documents"}},
		"reconcile/source": {within: []string{".", "topics", "tables", "processors", "engine",
			"reconcile", "internal/kafkaread"}},
		"replay": {within: []string{".", "codecs", "topics", "tables", "processors", "engine",
			"internal/kafkaread"}},
		"redrive": {within: []string{"topics", "internal/kafkaread"}},
		"ingest":  {within: []string{".", "codecs", "pricing", "topics"}},
		"processors": {within: []string{".", "codecs", "pricing", "topics", "tables", "billing",
			"engine", "internal/lattice"}},
		// views implement web.Source, so that web is tested without a broker.
		"views": {
			within: []string{".", "codecs", "topics", "tables", "billing", "why", "engine",
				"web"}},
		"web":        {within: []string{"."}},
		"cmd":        {within: []string{everyRoom}},
		"benchmarks": {within: []string{everyRoom}},
		// Each room of the engine is read without the next: task and stall are pure, and nothing
		// reaches through to what lies two rooms away.
		"engine": {within: []string{"engine/task", "engine/store", "engine/order", "engine/broker",
			"engine/hanging", "engine/stall", "internal/rfc3339"}},
		"engine/task":  {pure: true, within: []string{"internal/rfc3339"}},
		"engine/stall": {pure: true},
		// The tests of store hold its errors against the classes of broker.
		"engine/store":       {within: []string{"engine/task", "engine/broker"}},
		"engine/order":       {within: []string{"engine/task"}},
		"engine/broker":      {},
		"engine/hanging":     {},
		"internal/lattice":   {pure: true},
		"internal/rfc3339":   {pure: true},
		"internal/tabletest": {within: []string{".", "tables"}},
		"internal/sim":       {within: []string{"."}},
		"internal/oracle":    {},
		"internal/seeded":    {},
		"internal/kafkaread": {},
		"internal/kafkatest": {within: []string{"topics"}},
		"internal/tidy":      {},
		"internal/e2e":       {within: []string{everyRoom}},
		"tools":              {},
	}
}

// testRooms may be imported by the tests of every room besides what the plan allows.
func testRooms() []string {
	return []string{"internal/sim", "internal/oracle", "internal/kafkatest", "internal/seeded",
		"internal/tabletest"}
}

// endRooms are imported by no other room: what depends on them could not be built without them.
func endRooms() []string { return []string{"cmd", "benchmarks"} }

// impure are the packages that end purity, with what to do instead. A module of others stands for
// all its packages, a package of the standard library for itself.
func impure() map[string]string {
	return map[string]string{
		"github.com/lovoo/goka":          "move the graph to processors",
		"github.com/IBM/sarama":          "move the client to engine",
		"github.com/twmb/franz-go":       "move the client to engine",
		"github.com/syndtr/goleveldb":    "move the store to engine",
		"github.com/prometheus":          "return what is to be counted; the caller counts",
		"github.com/danielgtaylor/huma":  "move the handler to web",
		"github.com/spf13":               "move the flag to cmd",
		"github.com/eclipse/paho.golang": "move the client to ingest",
		"net":                            "move the connection to ingest or web",
		"net/http":                       "move the handler to web or ingest",
		"os":                             "take the bytes as an argument; cmd opens files",
		"os/exec":                        "move the call to cmd",
		"os/signal":                      "take a context; cmd knows signals",
		"math/rand":                      "take the value as an argument; internal/sim has a seed",
		"math/rand/v2":                   "take the value as an argument; internal/sim has a seed",
		"crypto/rand":                    "derive the id from the content's key",
		"log":                            "return an error; the caller logs it once",
		"log/slog":                       "return an error; the caller logs it once",
	}
}

// roomOf is the room of a folder: its own where the plan has it, else its first name, under
// internal its first two.
func roomOf(dir string) string {
	if _, ok := plan()[dir]; ok {
		return dir
	}
	names := strings.Split(dir, "/")
	if names[0] == "internal" && len(names) > 1 {
		return path.Join(names[:2]...)
	}
	return names[0]
}

// checkRooms holds the import plan.
func checkRooms(t *tree) []Finding {
	var findings []Finding
	rooms := plan()
	unplanned := map[string]bool{}
	for _, s := range t.sources {
		if s.syntax == nil {
			continue
		}
		if _, ok := rooms[s.room]; !ok && !unplanned[s.room] {
			unplanned[s.room] = true
			findings = append(findings, Finding{Rule: ruleRoom, Path: s.path, Message: fmt.Sprintf(
				"%s is no room of the import plan; move the code to the room it belongs to, "+
					"or add the room to internal/tidy/plan.go", s.room)})
		}
		for _, spec := range s.syntax.Imports {
			if message := t.refuse(s, rooms[s.room], importPath(spec)); message != "" {
				findings = append(findings, t.find(s, spec.Pos(), ruleImport, "%s", message))
			}
		}
	}
	return findings
}

// refuse says why a source may not import a package; empty where it may.
func (t *tree) refuse(s *source, r room, imported string) string {
	if rest, ok := t.inModule(imported); ok {
		return refuseRoom(s, r, roomOf(rest))
	}
	if !r.pure || s.test {
		return ""
	}
	under := func(name string) bool {
		return imported == name || foreign(name) && strings.HasPrefix(imported, name+"/")
	}
	for name, instead := range impure() {
		if under(name) {
			return fmt.Sprintf("%s must not import %s: %s", roomName(s.room), imported, instead)
		}
	}
	if foreign(imported) && !slices.ContainsFunc(r.foreign, under) {
		return fmt.Sprintf("%s must not import %s: write it with the standard library, or name "+
			"the module in internal/tidy/plan.go with the reason in the commit",
			roomName(s.room), imported)
	}
	return ""
}

// foreign reports whether a package is neither of this module nor of the standard library.
func foreign(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return strings.Contains(first, ".")
}

// refuseRoom says why one room may not import another.
func refuseRoom(s *source, r room, other string) string {
	switch {
	case other == s.room:
		return ""
	case slices.Contains(endRooms(), other):
		return fmt.Sprintf("no room imports %s: move what is shared to the room of its noun", other)
	case slices.Contains(r.within, other) || slices.Contains(r.within, everyRoom):
		return ""
	case s.test && slices.Contains(testRooms(), other):
		return ""
	case len(r.within) == 0:
		return fmt.Sprintf("%s imports nothing of the module, not %s: take the value as an "+
			"argument", roomName(s.room), roomName(other))
	}
	return fmt.Sprintf("%s must not import %s, only %s: pass the value through a topic, or an "+
		"interface that %s declares and cmd wires",
		roomName(s.room), roomName(other), strings.Join(r.within, ", "), roomName(s.room))
}

// roomName is how a message names a room.
func roomName(room string) string {
	if room == "." {
		return "the root package"
	}
	return room
}

// inModule is the folder of an imported package of this module.
func (t *tree) inModule(imported string) (string, bool) {
	if imported == t.module {
		return ".", true
	}
	return strings.CutPrefix(imported, t.module+"/")
}

// importPath is the path that an import names. The parser has checked the quotes.
func importPath(spec *ast.ImportSpec) string {
	name, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return spec.Path.Value
	}
	return name
}

// clockCalls are the functions of package time that read the wall clock.
func clockCalls() []string {
	return []string{"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"}
}

// checkClock keeps the wall clock out of the pure rooms, tests included: a result that depends on
// the moment it was computed at cannot be replayed.
func checkClock(t *tree) []Finding {
	var findings []Finding
	rooms := plan()
	for _, s := range t.goSources() {
		if !rooms[s.room].pure {
			continue
		}
		for node := range ast.Preorder(s.syntax) {
			sel, ok := node.(*ast.SelectorExpr)
			if ok && selects(s.syntax, sel, "time", clockCalls()...) {
				findings = append(findings, t.find(s, sel.Pos(), ruleClock,
					"time.%s reads the wall clock: take the event time or the arrival time as "+
						"an argument", sel.Sel.Name))
			}
		}
	}
	return findings
}

// selects reports whether an expression is one of the names of an imported package.
func selects(file *ast.File, sel *ast.SelectorExpr, pkg string, names ...string) bool {
	x, ok := sel.X.(*ast.Ident)
	if !ok || !slices.Contains(names, sel.Sel.Name) {
		return false
	}
	return packageOf(file, x.Name) == pkg
}

// packageOf is the path of the import that a file calls by this name; empty if there is none.
// The name of a package is taken to be the last part of its path.
func packageOf(file *ast.File, local string) string {
	for _, spec := range file.Imports {
		imported := importPath(spec)
		name := path.Base(imported)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if name == local {
			return imported
		}
	}
	return ""
}
