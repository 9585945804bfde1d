package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// exportDir is a folder into which documents are written.
type exportDir struct {
	path                         string
	written, replaced, unchanged int
	superseded                   int // moved to supersededDir
}

// openExport makes the folder where it is not there.
func openExport(path string) (*exportDir, error) {
	if path == "" {
		return nil, usageError("no folder is given to write to", "set --out")
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, fileError(err)
	}
	return &exportDir{path: path}, nil
}

// write makes a file of these bytes, or leaves the one that is there already and equal. Whoever
// reads the folder sees all of a file or none of it.
func (d *exportDir) write(name string, content []byte) error {
	path := filepath.Join(d.path, name)
	old, err := os.ReadFile(path)
	switch {
	case err == nil && bytes.Equal(old, content):
		d.unchanged++
		return nil
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return fileError(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fileError(err)
	}
	if err := replaceFile(path, content); err != nil {
		return fileError(err)
	}
	if old == nil {
		d.written++
	} else {
		d.replaced++
	}
	return nil
}

// supersededDir is the folder, within that of an export, of documents that do not count any more.
const supersededDir = "superseded"

// supersede moves a file that an earlier export wrote to the superseded ones, if it is there.
func (d *exportDir) supersede(name string) error {
	old := filepath.Join(d.path, name)
	if _, err := os.Stat(old); errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return fileError(err)
	}
	if err := os.MkdirAll(filepath.Join(d.path, supersededDir), 0o755); err != nil {
		return fileError(err)
	}
	if err := os.Rename(old, filepath.Join(d.path, supersededDir, name)); err != nil {
		return fileError(err)
	}
	d.superseded++
	return nil
}

// replaceFile writes beside the file and moves that to its place.
func replaceFile(path string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(content)
	// On the disk before the name is: else a power cut leaves an empty file of that name.
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// The bounds of the names of files.
const (
	// fileNameMax is below the 255 bytes that file systems allow, with room for an ending.
	fileNameMax = 200
	// fileDigest is how many bytes of a SHA-256 stand for what is cut off.
	fileDigest = 16
)

// fileName is a name for what has this id: letters, digits, dot, dash and underscore stay, every
// other byte is written as % and two digits, a dot at the begin as well. So different ids have
// different names, and none leaves the folder or hides in it.
func fileName(id string) string {
	var name strings.Builder
	for i := range len(id) {
		c := id[i]
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			c == '-' || c == '_' || c == '.' && i > 0
		if plain {
			name.WriteByte(c)
		} else {
			fmt.Fprintf(&name, "%%%02X", c)
		}
	}
	if name.Len() <= fileNameMax {
		return name.String()
	}
	sum := sha256.Sum256([]byte(id))
	digest := hex.EncodeToString(sum[:fileDigest])
	return name.String()[:fileNameMax-len(digest)-1] + "-" + digest
}
