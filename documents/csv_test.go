package documents

import (
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"chargestream"
)

// TestCSVFormula wants no cell that a spreadsheet computes, and every text back.
func TestCSVFormula(t *testing.T) {
	for _, text := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "＝1", "\r=1"} {
		if got := textCell(text); got != "'"+text {
			t.Errorf("%q became %q", text, got)
		}
	}
	for _, text := range []string{"", "a=1", "s-1", "'=1", "世"} {
		if got := textCell(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
	if numberCell("-1.50") != "-1.50" || numberCell("-1.5.0") != "'-1.5.0" {
		t.Error("a number is a text, or a text a number")
	}
	rapid.Check(t, func(t *rapid.T) {
		id := func(what string) string {
			return rapid.StringMatching(`[=+\-@ 'a\t",;\n世]{0,9}`).Draw(t, what)
		}
		v := *plain(id("session"))
		v.UserID = chargestream.UserID(id("user"))
		v.StationID = chargestream.StationID(id("station"))
		v.TotalInclVAT = id("total")
		rows, err := csv.NewReader(buffer(t, func(w io.Writer) error {
			return CSV(w, []chargestream.Invoice{v}, nil)
		})).ReadAll()
		if err != nil || len(rows) != 2 || len(rows[0]) != len(rows[1]) {
			t.Fatal(rows, err)
		}
		for i, cell := range rows[1] {
			trimmed := strings.TrimLeft(cell, " ")
			if trimmed != "" && strings.ContainsRune(formulaLetters, []rune(trimmed)[0]) &&
				!decimal(cell) {
				t.Fatalf("%s: %q", rows[0][i], cell)
			}
			if rows[0][i] == "user_id" && strings.TrimPrefix(cell, "'") !=
				strings.TrimPrefix(string(v.UserID), "'") {
				t.Fatalf("%q became %q", v.UserID, cell)
			}
		}
	})
}

// full is a disk without room.
type full struct{}

var errFull = errors.New("no room")

func (full) Write([]byte) (int, error) { return 0, errFull }

// TestWriterError wants what the writer says, from every format.
func TestWriterError(t *testing.T) {
	list := month()
	statements, err := Statements(list, ByUser, "")
	if err != nil {
		t.Fatal(err)
	}
	s := &statements[0]
	for name, err := range map[string]error{
		"PDF":            PDF(full{}, &list[0], seller()),
		"UBL":            UBL(full{}, &list[0], seller()),
		"CSV":            CSV(full{}, list, nil),
		"JSON":           JSON(full{}, list),
		"statement PDF":  s.PDF(full{}, seller()),
		"statement CSV":  s.CSV(full{}),
		"statement JSON": s.JSON(full{}),
	} {
		if !errors.Is(err, errFull) || errors.Is(err, ErrDocument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
