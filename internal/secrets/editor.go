package secrets

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// A Drawer keeps the secrets of a message while people edit the rest of it. Each of
// them has a mark of its own, so that it comes back to the right place when elements
// of a list are moved or removed.
type Drawer struct {
	prefix string
	values [][]byte
}

// NewDrawer returns an empty drawer for the secrets of a message.
func NewDrawer(body []byte) *Drawer {
	d := &Drawer{prefix: "***"}
	for bytes.Contains(body, []byte(d.prefix)) { // the marks are to be of this drawer alone
		d.prefix += "*"
	}
	return d
}

// Empty reports whether there is nothing in the drawer.
func (d *Drawer) Empty() bool { return len(d.values) == 0 }

// First returns the mark of the first value, for an explanation.
func (d *Drawer) First() string { return d.prefix + "1" }

// Put is a [Mask] that keeps the value.
func (d *Drawer) Put(value []byte) []byte {
	if bytes.HasPrefix(value, []byte(`"`+d.prefix)) {
		return value // another schema has called it secret before
	}
	d.values = append(d.values, value)
	return []byte(strconv.Quote(d.prefix + strconv.Itoa(len(d.values))))
}

// Restore returns JSON with the values in place of their marks.
func (d *Drawer) Restore(text []byte) ([]byte, error) {
	if d.Empty() {
		return text, nil
	}
	in := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	var out bytes.Buffer
	copied := int64(0) // bytes of text
	for {
		token, err := in.ReadToken()
		if err != nil {
			break // at the end, or where it is no JSON: the operator is told by whoever reads it
		}
		if kind, n := in.StackIndex(in.StackDepth()); kind == '{' && n%2 == 1 {
			continue // the name of a field
		}
		if token.Kind() != '"' || !strings.HasPrefix(token.String(), d.prefix) {
			continue
		}
		n, err := strconv.Atoi(token.String()[len(d.prefix):])
		if err != nil || n < 1 || n > len(d.values) {
			return nil, fmt.Errorf("%.40q stands for no secret of this message; the marks are %s1 to %s%d", token.String(), d.prefix, d.prefix, len(d.values))
		}
		end := in.InputOffset()
		begin := end - int64(len(quotedBefore(text[:end])))
		out.Write(text[copied:begin])
		out.Write(d.values[n-1])
		copied = end
	}
	out.Write(text[copied:])
	return out.Bytes(), nil
}

// quotedBefore returns the string that ends a text. The marks have no escapes.
func quotedBefore(text []byte) []byte {
	begin := bytes.LastIndexByte(text[:len(text)-1], '"')
	return text[begin:]
}
