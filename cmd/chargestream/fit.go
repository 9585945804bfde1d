package main

import (
	"cmp"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"golang.org/x/term"
)

// The widths of tables.
const (
	// widthMin is below what a table is not fitted: a column must show something.
	widthMin = 40
	// cellMin is what is left of a column at least.
	cellMin = 8
)

// column is how a column is cut where the table is wider than the terminal.
type column struct {
	title string
	// give is how soon the column gives way: those with the highest first; zero is never.
	give  int
	least int // characters that are left of it; cellMin by default
	// end: its end is what matters, as the reason at the end of a chain of errors.
	end bool
}

// width is how many characters a line of stdout has; zero where nothing says so, as in a file or
// a pipe: there every cell is whole.
func (a *app) width() int {
	if text, ok := a.env("COLUMNS"); ok {
		if n, err := strconv.Atoi(text); err == nil && n >= widthMin {
			return n
		}
	}
	out, ok := a.stdout.(*os.File)
	if !ok {
		return 0
	}
	if n, _, err := term.GetSize(int(out.Fd())); err == nil && n >= widthMin {
		return n
	}
	return 0
}

// printTable writes a table that fits the terminal.
func (a *app) printTable(columns []column, rows [][]string) error {
	fitRows(columns, rows, a.width())
	return writeTable(a.stdout, columns, rows)
}

func writeTable(w io.Writer, columns []column, rows [][]string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var titles []string
	for _, c := range columns {
		titles = append(titles, c.title)
	}
	io.WriteString(table, strings.Join(titles, "\t")+"\n")
	for _, row := range rows {
		io.WriteString(table, strings.Join(row, "\t")+"\n")
	}
	return table.Flush() // it has what the writes had
}

// fitRows cuts cells until each row is at most so wide; zero is any width.
func fitRows(columns []column, rows [][]string, width int) {
	if width == 0 {
		return
	}
	widths := make([]int, len(columns))
	over := -width
	for i, c := range columns {
		widths[i] = utf8.RuneCountInString(c.title)
		for _, row := range rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
		over += widths[i]
		if i > 0 {
			over += 2 // between two columns
		}
	}
	most := 0
	for _, c := range columns {
		most = max(most, c.give)
	}
	for give := most; give > 0 && over > 0; give-- {
		for i, c := range columns {
			if c.give != give || over <= 0 {
				continue
			}
			least := max(cmp.Or(c.least, cellMin), utf8.RuneCountInString(c.title))
			less := min(over, widths[i]-least)
			if less <= 0 {
				continue
			}
			widths[i] -= less
			over -= less
			for _, row := range rows {
				row[i] = cut(row[i], widths[i], c.end)
			}
		}
	}
}

// cut shortens a text to so many characters, from its begin or from its end.
func cut(text string, most int, end bool) string {
	runes := []rune(text)
	switch {
	case len(runes) <= most:
		return text
	case end:
		return "…" + string(runes[len(runes)-most+1:])
	}
	return string(runes[:most-1]) + "…"
}
