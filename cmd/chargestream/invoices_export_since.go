package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"chargestream"
)

// sinceLast is the word of --since that goes on where the last export into the folder ended.
const sinceLast = "last"

// markFile is the file of a folder that says how far its exports have come.
const markFile = ".chargestream-export.json"

// exportMark is how far exports of one kind have come: each format and filter has its own.
type exportMark struct {
	// Offsets are those of the invoices topic, by partition, behind what was exported.
	Offsets map[int32]int64 `json:"offsets"`
	Runs    int             `json:"runs"` // that wrote something
}

// marks are those of a folder.
type marks map[string]exportMark

// readMarks reads those of a folder; there are none where nothing was exported yet.
func readMarks(dir string) (marks, error) {
	path := filepath.Join(dir, markFile)
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return marks{}, nil
	case err != nil:
		return nil, fileError(err)
	}
	m := marks{}
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, &exitError{code: exitInvalid, what: path + " is not what an export wrote",
			err: err, hint: "delete it: --since last then exports everything once more"}
	}
	return m, nil
}

func (m marks) write(dir string) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(dir, markFile), append(text, '\n')); err != nil {
		return fileError(err)
	}
	return nil
}

// markKey names what an export is of: another filter has seen other documents.
func markKey(format string, f *invoiceFilter) string {
	parts := []string{"format=" + format}
	for _, p := range [][2]string{{"user", f.user}, {"site", f.site}, {"station", f.station},
		{"session", f.session}, {"status", f.status}, {"reason", f.reason}, {"month", f.month}} {
		if p[1] != "" {
			parts = append(parts, p[0]+"="+p[1])
		}
	}
	return strings.Join(parts, " ")
}

// since is which documents are new.
type since struct {
	text string
	from chargestream.Millis // issued at or after; zero for any
	last bool
	mark exportMark // of last
}

// newSince reads the flag; an empty one is everything.
func newSince(text string) (*since, error) {
	s := &since{text: text, last: text == sinceLast}
	if text == "" || s.last {
		return s, nil
	}
	if err := s.from.UnmarshalText([]byte(text)); err != nil {
		return nil, usageError(fmt.Sprintf("--since %q is neither %q nor a time (%v)", text,
			sinceLast, err), "write --since last, or --since 2026-03-02T00:00:00Z")
	}
	return s, nil
}

// has reports whether a document is new.
func (s *since) has(v *chargestream.Invoice, at place) bool {
	if s.last {
		return at.offset >= s.mark.Offsets[at.partition]
	}
	return v.IssuedAt >= s.from
}

// name is that of a file with all new documents: it must not replace the one before.
func (s *since) name(month, ending string) string {
	base := strings.TrimSuffix(listName(month, ending), ending)
	switch {
	case s.last:
		return fmt.Sprintf("%s-%04d%s", base, s.mark.Runs+1, ending)
	case s.from != 0:
		return base + "-since-" + strings.ReplaceAll(s.from.String(), ":", "") + ending
	}
	return base + ending
}
