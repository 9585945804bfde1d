//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// restoreRows measures restores of one table by the program marks, which has a broker of its own,
// and keeps what it gave.
func (b *bench) restoreRows(ctx context.Context) error {
	if b.marks == "" {
		return errors.New("the program marks is not given: run `make bench-peers`")
	}
	name := filepath.Join(b.dir, "marks.jsonl")
	cmd := exec.CommandContext(ctx, b.marks, "-run", loadRestore, "-rows", fmt.Sprint(b.rows),
		"-results", name, "-scratch", b.dir)
	fmt.Fprintf(b.out, "\n%v\n", cmd.Args)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%v: %w: %s", cmd.Args, err, out.Bytes())
	}
	rows, err := readMarks(name)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if !r.Right {
			b.wrong = errors.Join(b.wrong, fmt.Errorf("%s, %s: rows are wrong", r.Name, r.Keys))
		}
		if err := b.keep(Line{Rows: r}); err != nil {
			return err
		}
		fmt.Fprintf(b.out, "  %s, keys %s: %.0f rows/s\n", r.Name, r.Keys, r.rate())
	}
	return nil
}

// rate is rows a second.
func (r *RestoredRows) rate() float64 { return float64(r.Rows) / r.Ready.Seconds() }

// readMarks reads the restores out of raw results of marks.
func readMarks(name string) ([]*RestoredRows, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read results of marks: %w", err)
	}
	var rows []*RestoredRows
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, lineBytesMax)
	for lines.Scan() {
		var line struct {
			Part   string          `json:"part"`
			Result json.RawMessage `json:"result"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("read results of marks: %w", err)
		}
		if line.Part != loadRestore {
			continue
		}
		r := &RestoredRows{}
		if err := json.Unmarshal(line.Result, r); err != nil {
			return nil, fmt.Errorf("read results of marks: %w", err)
		}
		rows = append(rows, r)
	}
	if len(rows) == 0 {
		return nil, errors.Join(lines.Err(), errors.New("marks measured no restore"))
	}
	return rows, lines.Err()
}
