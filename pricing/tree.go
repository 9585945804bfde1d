package pricing

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"chargestream/codecs"
)

// node is one value of a JSON text, with its place. The standard decoder into structs would take
// names in any case, the last of two, and what it does not know without a word.
type node struct {
	path    string
	kind    kind
	text    string // of a number or string
	names   []string
	members []node // of an object by names, of an array in order
}

// kind is the type of a JSON value.
type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindString
	kindArray
	kindObject
)

// refuse is an error of Parse.
func refuse(path, format string, args ...any) error {
	if path == "" {
		path = "tariff"
	}
	return fmt.Errorf("%w: %s: %s", ErrTariff, path, fmt.Sprintf(format, args...))
}

// readTree reads a whole JSON text.
func readTree(raw []byte) (node, error) {
	if len(raw) > BytesMax {
		return node{}, refuse("", "%d bytes, of which there may be %d", len(raw), BytesMax)
	}
	// The decoder forgives more than the grammar does when it is read token by token.
	if !json.Valid(raw) {
		var whole json.RawMessage
		err := json.Unmarshal(raw, &whole)
		return node{}, refuse("", "no JSON: %v", err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return readNode(d, "", 0)
}

func readNode(d *json.Decoder, path string, depth int) (node, error) {
	if depth > DepthMax {
		return node{}, refuse(path, "nested deeper than %d", DepthMax)
	}
	token, err := d.Token()
	if err != nil {
		return node{}, refuse(path, "no JSON: %v", err)
	}
	n := node{path: path}
	switch v := token.(type) {
	case bool:
		n.kind = kindBool
	case json.Number:
		n.kind, n.text = kindNumber, v.String()
	case string:
		n.kind, n.text = kindString, v
	case json.Delim:
		if v == '[' {
			n.kind = kindArray
			return n, n.readArray(d, depth)
		}
		n.kind = kindObject
		return n, n.readObject(d, depth)
	}
	return n, nil
}

func (n *node) readArray(d *json.Decoder, depth int) error {
	for d.More() {
		member, err := readNode(d, n.path+"["+strconv.Itoa(len(n.members))+"]", depth+1)
		if err != nil {
			return err
		}
		n.members = append(n.members, member)
	}
	return closeNode(d, n.path)
}

func (n *node) readObject(d *json.Decoder, depth int) error {
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return refuse(n.path, "no JSON: %v", err)
		}
		path := name
		if n.path != "" {
			path = n.path + "." + name
		}
		if slices.Contains(n.names, name) {
			return refuse(path, "is there twice: one value is taken; take one of them out")
		}
		member, err := readNode(d, path, depth+1)
		if err != nil {
			return err
		}
		n.names, n.members = append(n.names, name), append(n.members, member)
	}
	return closeNode(d, n.path)
}

func closeNode(d *json.Decoder, path string) error {
	if _, err := d.Token(); err != nil {
		return refuse(path, "no JSON: %v", err)
	}
	return nil
}

// field is a member of an object; nil where it is absent or null.
func (n *node) field(name string) *node {
	i := slices.Index(n.names, name)
	if i < 0 || n.members[i].kind == kindNull {
		return nil
	}
	return &n.members[i]
}

// quoted is the value of a number or a text, for a message; empty for any other.
func (n *node) quoted() string {
	if n.text == "" {
		return ""
	}
	return ", " + codecs.Quoted(n.text)
}
