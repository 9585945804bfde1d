package documents

import (
	"bytes"
	"cmp"
	"compress/zlib"
	"crypto/sha256"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/sfnt"
	"pgregory.net/rapid"

	"chargestream"
)

// The parts of a PDF by fpdf that the reader below looks for.
var (
	pdfStream = regexp.MustCompile(`(?s)/Length (\d+)[^>]*>>\nstream\n`)
	pdfShown  = regexp.MustCompile(`(?s)BT ([\d.]+) ([\d.]+) Td \((.*?)\) Tj ET`)
	pdfTable  = regexp.MustCompile(`(?s)\nxref\n.*`)
)

// shown is one text on a page, with its place in points from the lower left.
type shown struct {
	x, y float64
	text string
}

// failer is a test, drawn or not.
type failer interface {
	Helper()
	Fatal(...any)
}

// readSheet is what each page of a PDF shows, from the top to the bottom, and the SHA-256 of all
// that it holds, uncompressed: how well that is compressed depends on the Go release.
func readSheet(t failer, pdf []byte) (pages [][]shown, sum []byte) {
	t.Helper()
	hash := sha256.New()
	rest := pdfTable.ReplaceAll(pdf, nil)
	for {
		at := pdfStream.FindSubmatchIndex(rest)
		if at == nil {
			break
		}
		end := at[1] + int(readNumber(t, rest[at[2]:at[3]]))
		hash.Write(rest[:at[2]])
		stream := rest[at[1]:end]
		if bytes.Contains(rest[max(0, at[0]-24):at[1]], []byte("/FlateDecode")) {
			stream = inflate(t, stream)
		}
		hash.Write(stream)
		if texts := readPage(t, stream); len(texts) > 0 {
			pages = append(pages, texts)
		}
		rest = rest[end:]
	}
	hash.Write(rest)
	return pages, hash.Sum(nil)
}

func inflate(t failer, stream []byte) []byte {
	t.Helper()
	r, err := zlib.NewReader(bytes.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func readNumber(t failer, text []byte) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func readPage(t failer, content []byte) []shown {
	t.Helper()
	var texts []shown
	for _, m := range pdfShown.FindAllSubmatch(content, -1) {
		texts = append(texts, shown{readNumber(t, m[1]), readNumber(t, m[2]),
			utf16Text(string(m[3]))})
	}
	slices.SortStableFunc(texts, func(a, b shown) int {
		return cmp.Or(cmp.Compare(b.y, a.y), cmp.Compare(a.x, b.x))
	})
	return texts
}

// sheetText is what a PDF shows: a page after a line of dashes, texts of one height on one line,
// the hash in the end.
func sheetText(t testing.TB, pdf []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	pages, sum := readSheet(t, pdf)
	for _, texts := range pages {
		out.WriteString("---\n")
		for i, s := range texts {
			switch {
			case i > 0 && texts[i-1].y == s.y:
				out.WriteString(" | ")
			case i > 0:
				out.WriteString("\n")
			}
			out.WriteString(s.text)
		}
		out.WriteString("\n")
	}
	fmt.Fprintf(&out, "%x\n", sum)
	return out.Bytes()
}

// utf16Text reads a literal string of a PDF, which holds UTF-16 with escaped bytes.
func utf16Text(literal string) string {
	raw := []byte(strings.NewReplacer(`\\`, `\`, `\(`, "(", `\)`, ")", `\r`, "\r").Replace(literal))
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = binary.BigEndian.Uint16(raw[2*i:])
	}
	return string(utf16.Decode(units))
}

// TestPDFSameBytes writes each example often: an order taken from a map would show.
func TestPDFSameBytes(t *testing.T) {
	for _, e := range examples() {
		write := func(w io.Writer) error { return PDF(w, e.v, seller()) }
		first := written(t, write)
		for range 5 {
			if !bytes.Equal(first, written(t, write)) {
				t.Fatalf("%s: the same record gave two PDFs", e.name)
			}
		}
	}
}

// checkInside wants every text within the margins of its page.
func checkInside(t *testing.T, name string, pages [][]shown) {
	t.Helper()
	const height = 297
	for i, texts := range pages {
		for _, s := range texts {
			x, y := s.x*mmPerPoint, s.y*mmPerPoint
			if x < sheetLeft-0.1 || x > sheetLeft+sheetWidth ||
				y < height-sheetFoot-10 || y > height-sheetTop {
				t.Errorf("%s: page %d has %q at %.1f mm, %.1f mm", name, i+1, s.text, x, y)
			}
		}
	}
}

// TestPDFInside holds the examples against the margins, and wants the head of a table again where
// it goes on.
func TestPDFInside(t *testing.T) {
	for _, e := range examples() {
		pages, _ := readSheet(t,
			written(t, func(w io.Writer) error { return PDF(w, e.v, seller()) }))
		checkInside(t, e.name, pages)
		if many := e.name == "many-lines"; len(pages) == 0 || (len(pages) > 2) != many {
			t.Errorf("%s has %d pages", e.name, len(pages))
		}
		for i := range pages {
			if e.name == "many-lines" && i > 0 && pages[i][0].text != "What" {
				t.Errorf("page %d begins with %q", i+1, pages[i][0].text)
			}
		}
	}
}

// TestPDFTallRow wants all lines of a text that is higher than two pages, in their order.
func TestPDFTallRow(t *testing.T) {
	const lines = 200
	var reason strings.Builder
	for i := range lines {
		fmt.Fprintf(&reason, "%d\n", i)
	}
	v := facts()
	v.Decisions = []chargestream.AppliedDecision{{By: "Bo", Reason: reason.String()}}
	pages, _ := readSheet(t, written(t, func(w io.Writer) error { return PDF(w, v, nil) }))
	checkInside(t, "tall row", pages)
	next := 1 // the first stands behind the name
	for _, texts := range pages {
		for _, s := range texts {
			if s.text == strconv.Itoa(next) && s.x*mmPerPoint > sheetLeft+widthName-1 {
				next++
			}
		}
	}
	if next != lines {
		t.Errorf("line %d is missing", next)
	}
}

// TestAnyText draws whatever an identifier, a name or a reason may be: no text breaks a document.
func TestAnyText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := func(what string) string { return rapid.StringN(0, -1, 255).Draw(t, what) }
		v := *billed(item{dimension: "ENERGY", quantity: "1", price: "1", percent: "19"})
		v.InvoiceID = text("invoice") + "-0"
		v.SessionID = chargestream.SessionID(text("session"))
		v.StationID = chargestream.StationID(text("station"))
		v.UserID = chargestream.UserID(text("user") + "u")
		v.Lines[0].Description = text("description")
		v.Decisions = []chargestream.AppliedDecision{{By: text("by"), Reason: text("reason")}}
		v.TimeZone = text("zone")
		name := *seller()
		name.Name += text("seller")
		pages, _ := readSheet(t, buffer(t, func(w io.Writer) error {
			return PDF(w, &v, &name)
		}).Bytes())
		if len(pages) == 0 {
			t.Fatal("no page")
		}
		var doc struct{ Line []string }
		if err := xml.NewDecoder(buffer(t, func(w io.Writer) error {
			return UBL(w, &v, &name)
		})).Decode(&doc); err != nil {
			t.Fatal(err)
		}
	})
}

// TestWrap holds lines against the width, and wants every letter back.
func TestWrap(t *testing.T) {
	p := newSheet("", "", chargestream.Millis(0).Time())
	p.font("", sizeText)
	tests := []struct {
		text  string
		width float64
		lines int
	}{
		{"", 50, 1},
		{"one line", 50, 1},
		{"two\nlines", 50, 2},
		{strings.Repeat("word ", 40), 50, 7},
		{strings.Repeat("w", 255), 50, 0},
		{"W", 0.1, 1},
		{"WW", 0.1, 2},
		{strings.Repeat("wide ", 9) + strings.Repeat("w", 99), 30, 0},
	}
	for _, test := range tests {
		lines := p.wrap(test.text, test.width)
		if test.lines > 0 && len(lines) != test.lines {
			t.Errorf("%.20q: %d lines instead of %d", test.text, len(lines), test.lines)
		}
		for _, line := range lines {
			if w := p.pdf.GetStringWidth(line); w > test.width && len([]rune(line)) > 1 {
				t.Errorf("%q is %.1f mm wide, not %.1f", line, w, test.width)
			}
		}
		strip := func(s string) string {
			return strings.NewReplacer(" ", "", "\n", "").Replace(s)
		}
		if got := strip(strings.Join(lines, "")); got != strip(test.text) {
			t.Errorf("%.20q became %.40q", test.text, got)
		}
	}
}

// TestGlyphs wants letters that the font lacks as numbers, and both weights to have the rest.
func TestGlyphs(t *testing.T) {
	const text = "Aé€×—ЖΩ\u00a0\ta\n世😀\u200e\x07\x7f\u00ad"
	const want = "Aé€×—ЖΩ\u00a0 a\n[U+4E16][U+1F600][U+200E][U+0007][U+007F][U+00AD]"
	if got := glyphs(text); got != want {
		t.Errorf("glyphs(%q) = %q instead of %q", text, got, want)
	}
	bold, err := sfnt.Parse(gobold.TTF)
	if err != nil {
		t.Fatal(err)
	}
	var buffer sfnt.Buffer
	for r := rune(0x20); r < 0x20000; r++ {
		regular, _ := glyphTable().GlyphIndex(&buffer, r)
		if index, _ := bold.GlyphIndex(&buffer, r); (index == 0) != (regular == 0) {
			t.Errorf("one weight has no U+%04X", r)
		}
	}
}
