package documents

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
)

// Measures of a page of A4 in mm.
const (
	sheetLeft   = 18.0
	sheetWidth  = 174.0
	sheetTop    = 16.0
	sheetBottom = 278.0 // no line ends below
	sheetFoot   = 284.0
	sheetGap    = 1.5 // between two columns
	widthName   = 46.0
)

// Sizes of letters in points, and the height of a line as a share of them.
const (
	sizeTitle  = 18.0
	sizeHead   = 10.5
	sizeText   = 9.0
	sizeSmall  = 7.5
	lineHeight = 1.3
	mmPerPoint = 25.4 / 72
)

// family is the font of all sheets, in two weights; the fonts of Go have Latin, Greek and
// Cyrillic.
const family = "go"

// sheet is a PDF that is written from the top to the bottom.
type sheet struct {
	pdf *fpdf.Fpdf
	y   float64 // where the next line begins
	// head is written again where a table goes on on a new page; nil outside of tables.
	head func()
}

// newSheet begins a document with one page. The moment is the only time in its bytes.
func newSheet(title, author string, at time.Time) *sheet {
	p := fpdf.New("P", "mm", "A4", "")
	p.SetAutoPageBreak(false, 0)
	p.AddUTF8FontFromBytes(family, "", goregular.TTF)
	p.AddUTF8FontFromBytes(family, "B", gobold.TTF)
	p.SetCatalogSort(true) // else resources come in the order of a map
	p.SetCreationDate(at)
	p.SetModificationDate(at)
	p.SetTitle(title, true)
	p.SetAuthor(author, true)
	p.SetCreator("chargestream", true)
	p.SetProducer("chargestream", true)
	p.SetLang("en")
	p.SetLineWidth(0.2)
	s := &sheet{pdf: p}
	s.page()
	return s
}

func (s *sheet) page() {
	s.pdf.AddPage()
	s.y = sheetTop
	if s.head != nil {
		s.head()
	}
}

// write ends the document: each page gets its number, then the bytes go out.
func (s *sheet) write(w io.Writer, foot string) error {
	pages := s.pdf.PageCount()
	for i := 1; i <= pages; i++ {
		s.pdf.SetPage(i)
		s.font("", sizeSmall)
		number := fmt.Sprintf("page %d of %d", i, pages)
		s.put(sheetLeft, sheetFoot, s.cut(foot, sheetWidth-30))
		s.put(sheetLeft+sheetWidth-s.pdf.GetStringWidth(number), sheetFoot, number)
	}
	if err := s.pdf.Error(); err != nil {
		return fmt.Errorf("%w: PDF: %w", ErrDocument, err)
	}
	return s.pdf.Output(w)
}

func (s *sheet) font(weight string, points float64) { s.pdf.SetFont(family, weight, points) }

// height is that of one line of the letters that are set.
func (s *sheet) height() float64 {
	points, _ := s.pdf.GetFontSize()
	return points * mmPerPoint * lineHeight
}

// put writes one line; y is its upper edge.
func (s *sheet) put(x, y float64, line string) {
	points, _ := s.pdf.GetFontSize()
	s.pdf.Text(x, y+points*mmPerPoint, line)
}

// need begins a new page if less than this height is left on the page. What is higher than any
// page begins where it is.
func (s *sheet) need(height float64) {
	if s.y+height > sheetBottom && height < sheetBottom-sheetTop {
		s.page()
	}
}

func (s *sheet) gap(height float64) { s.y += height }

// rule draws a line over the whole width.
func (s *sheet) rule() {
	s.pdf.Line(sheetLeft, s.y, sheetLeft+sheetWidth, s.y)
	s.y += 0.8
}

// cell is a text in a column, which is wrapped to its width.
type cell struct {
	width float64 // mm, the gap to the next column included
	right bool    // flush right
	bold  bool
	text  string
}

// row writes cells side by side. It stays on one page if it fits on one; else it goes on on the
// next, line by line.
func (s *sheet) row(points float64, cells ...cell) {
	lines := make([][]string, len(cells))
	most := 1
	for i, c := range cells {
		s.weight(c.bold, points)
		lines[i] = s.wrap(c.text, c.width-sheetGap)
		most = max(most, len(lines[i]))
	}
	s.font("", points)
	s.need(s.height() * float64(most))
	for line := range most {
		if s.y+s.height() > sheetBottom {
			s.page()
		}
		x := sheetLeft
		for i, c := range cells {
			if line < len(lines[i]) {
				s.weight(c.bold, points)
				shown, at := lines[i][line], x
				if c.right {
					at += c.width - sheetGap - s.pdf.GetStringWidth(shown)
				}
				s.put(at, s.y, shown)
			}
			x += c.width
		}
		s.font("", points)
		s.y += s.height()
	}
}

func (s *sheet) weight(bold bool, points float64) {
	if bold {
		s.font("B", points)
		return
	}
	s.font("", points)
}

// title of a section, which stays with the line below it.
func (s *sheet) section(title string) {
	s.head = nil
	s.gap(4)
	s.need(14)
	s.row(sizeHead, cell{width: sheetWidth, bold: true, text: title})
	s.rule()
}

// fact writes a name and what it is; nothing where the text is empty.
func (s *sheet) fact(name, value string) {
	if value != "" {
		s.row(sizeText, cell{width: widthName, text: name},
			cell{width: sheetWidth - widthName, text: value})
	}
}

// wrap breaks a text into lines of a width, between words where there are any. Letters that the
// font does not have are shown by their number.
func (s *sheet) wrap(text string, width float64) []string {
	var lines []string
	for part := range strings.SplitSeq(glyphs(text), "\n") {
		lines = append(lines, s.wrapLine([]rune(part), width)...)
	}
	return lines
}

func (s *sheet) wrapLine(line []rune, width float64) []string {
	points, _ := s.pdf.GetFontSize()
	// The font counts in thousandths of its size.
	most := int(math.Floor(width * 1000 / (points * mmPerPoint)))
	var lines []string
	begin, space, used := 0, -1, 0
	for i := 0; i < len(line); i++ {
		used += s.pdf.GetStringSymbolWidth(string(line[i]))
		if unicode.IsSpace(line[i]) {
			space = i
		}
		if used <= most || i == begin {
			continue
		}
		end, next := i, i
		if space >= begin {
			end, next = space, space+1
		}
		lines = append(lines, string(line[begin:end]))
		begin, space, used, i = next, -1, 0, next-1
	}
	return append(lines, string(line[begin:]))
}

// cut is what of a text fits into one line of a width.
func (s *sheet) cut(text string, width float64) string {
	const more = "..."
	line := []rune(strings.ReplaceAll(glyphs(text), "\n", " "))
	if s.pdf.GetStringWidth(string(line)) <= width {
		return string(line)
	}
	width -= s.pdf.GetStringWidth(more)
	for i := range line {
		if width -= s.pdf.GetStringWidth(string(line[i])); width < 0 {
			return string(line[:i]) + more
		}
	}
	return string(line)
}

// glyphTable is the font, parsed once to ask it for its letters.
var glyphTable = sync.OnceValue(func() *sfnt.Font {
	font, err := sfnt.Parse(goregular.TTF)
	if err != nil {
		// It cannot be: the bytes are a constant.
		panic("parse font: " + err.Error())
	}
	return font
})

// glyphs shows every letter that the font does not have by its number, as [U+4E16], so that two
// identifiers never look the same for want of a letter.
func glyphs(text string) string {
	var b strings.Builder
	var buffer sfnt.Buffer
	for _, r := range text {
		switch index, err := glyphTable().GlyphIndex(&buffer, r); {
		case r == '\n', err == nil && index != 0 && unicode.IsPrint(r) || r == '\u00a0':
			b.WriteRune(r)
		case r == '\t':
			b.WriteByte(' ')
		default:
			b.WriteString("[U+" + fourHex(r) + "]")
		}
	}
	return b.String()
}

// fourHex is a code point in at least four hexadecimal digits.
func fourHex(r rune) string {
	hex := strings.ToUpper(strconv.FormatInt(int64(r), 16))
	return strings.Repeat("0", max(0, 4-len(hex))) + hex
}
