package schema

import (
	"fmt"
	"strconv"
	"strings"
)

// Parse reads the lines of a schema. The error says which line is none.
func Parse(lines []string) (*Schema, error) {
	s := new(Schema)
	at := make(map[string]int)
	for i, line := range lines {
		owner, f, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("line %d (%s): %w", i+1, line, err)
		}
		fields := &s.Fields
		if owner != "" {
			n, known := at[owner]
			if !known {
				n = len(s.Structs)
				at[owner] = n
				s.Structs = append(s.Structs, Struct{Name: owner})
			}
			fields = &s.Structs[n].Fields
		}
		if *fields, err = with(*fields, f); err != nil {
			return nil, fmt.Errorf("line %d (%s): %w", i+1, line, err)
		}
	}
	return s, nil
}

// with adds a field to others.
func with(fields []Field, f Field) ([]Field, error) {
	if _, taken := find(fields, f.Name); taken {
		return nil, fmt.Errorf("field %s is there twice", fieldName(f.Name))
	}
	return append(fields, f), nil
}

// parseLine reads a field, and the name of the struct that it belongs to.
func parseLine(line string) (owner string, f Field, err error) {
	p := &parser{text: line}
	if !p.at('"') {
		name := p.word()
		if i := lastDot(name); i >= 0 {
			owner, name = name[:i], name[i+1:]
		}
		if name != "" {
			f.Name = name
		} else if f.Name, err = p.quoted(); err != nil { // User."first name"
			return "", f, err
		}
	} else if f.Name, err = p.quoted(); err != nil {
		return "", f, err
	}
	f, err = p.typed(f.Name)
	if err == nil && p.text != "" {
		err = fmt.Errorf("%q follows the type", p.text)
	}
	return owner, f, err
}

// lastDot returns where the last dot is that is in no brackets.
func lastDot(s string) int {
	depth, last := 0, -1
	for i, r := range s {
		switch r {
		case '[', '{', '(':
			depth++
		case ']', '}', ')':
			depth--
		case '.':
			if depth == 0 {
				last = i
			}
		}
	}
	return last
}

// A parser reads text from its beginning.
type parser struct {
	text  string
	depth int
}

// maxDepth bounds how deep types are nested. Go types in use have less than ten.
const maxDepth = 1000

func (p *parser) at(c byte) bool { return p.text != "" && p.text[0] == c }

// skip skips a text, and reports whether it was there.
func (p *parser) skip(text string) bool {
	rest, ok := strings.CutPrefix(p.text, text)
	p.text = rest
	return ok
}

// typed reads a space, a type and the options of a field.
func (p *parser) typed(name string) (f Field, err error) {
	f.Name = name
	if !p.skip(" ") {
		return f, fmt.Errorf("no type follows %q", name)
	}
	if f.Type, err = p.typ(); err != nil {
		return f, err
	}
	f.Quoted = p.skip(", as string")
	f.Optional = p.skip(", may be absent")
	f.Secret = p.skip(", secret")
	for p.skip(", was ") {
		was, err := p.name()
		if err != nil {
			return f, err
		}
		f.Was = append(f.Was, was)
	}
	return f, nil
}

func (p *parser) typ() (t *Type, err error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fmt.Errorf("types are nested deeper than %d", maxDepth)
	}
	defer func() { p.depth-- }()
	t = new(Type)
	switch {
	case p.skip("*"):
		t.Kind = Pointer
		t.Elem, err = p.typ()
	case p.skip("[]"):
		t.Kind = List
		t.Elem, err = p.typ()
	case p.skip("["):
		t.Kind = Array
		if t.Len, err = p.number(); err == nil && !p.skip("]") {
			err = fmt.Errorf("no ] follows the length of an array")
		}
		if err == nil {
			t.Elem, err = p.typ()
		}
	case p.skip("map["):
		t.Kind = Map
		if t.Key, err = p.typ(); err == nil && !p.skip("]") {
			err = fmt.Errorf("no ] follows the key of a map")
		}
		if err == nil {
			t.Elem, err = p.typ()
		}
	case p.skip("{"):
		t.Kind = Inline
		t.Fields, err = p.inline()
	case p.skip("^"):
		t.Kind = Outer
		t.Len, err = p.number()
	case p.skip("JSON of "):
		t.Kind, t.Name = JSON, p.word()
	case p.skip("text of "):
		t.Kind, t.Name = Text, p.word()
	default:
		t.Name = p.word()
		t.Kind = kindOf(t.Name)
	}
	if err == nil && t.Name == "" && (t.Kind == JSON || t.Kind == Text || t.Kind == Ref) {
		err = fmt.Errorf("a type is missing before %q", p.text)
	}
	return t, err
}

// kindOf returns the kind of a type that is written as a name.
func kindOf(name string) Kind {
	switch name {
	case "time.Time":
		return Time
	case "time.Duration":
		return Duration
	case "base64":
		return Bytes
	}
	if name == "string" || name == "bool" || numbers[name].bits > 0 {
		return Basic
	}
	return Ref
}

// inline reads the fields of a struct without a name.
func (p *parser) inline() (fields []Field, err error) {
	if p.skip("}") {
		return nil, nil
	}
	for {
		name, err := p.name()
		if err != nil {
			return nil, err
		}
		f, err := p.typed(name)
		if err != nil {
			return nil, err
		}
		if fields, err = with(fields, f); err != nil {
			return nil, err
		}
		switch {
		case p.skip("; "):
		case p.skip("}"):
			return fields, nil
		default:
			return nil, fmt.Errorf("no } follows the fields of a struct")
		}
	}
}

// word reads up to what ends a name: a space, a comma, or a bracket that was not
// opened in it, as those of Pair[int, string] are.
func (p *parser) word() string {
	depth := 0
	end := len(p.text)
scan:
	for i, r := range p.text {
		switch r {
		case '[', '{', '(':
			depth++
		case ']', '}', ')':
			if depth == 0 {
				end = i
				break scan
			}
			depth--
		case ' ', ',', ';', '"':
			if depth == 0 {
				end = i
				break scan
			}
		}
	}
	word := p.text[:end]
	p.text = p.text[end:]
	return word
}

// name reads the name of a field.
func (p *parser) name() (string, error) {
	if p.at('"') {
		return p.quoted()
	}
	return p.word(), nil
}

func (p *parser) number() (int, error) {
	end := 0
	for end < len(p.text) && '0' <= p.text[end] && p.text[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(p.text[:end])
	if err != nil {
		return 0, fmt.Errorf("a number is missing before %q", p.text)
	}
	p.text = p.text[end:]
	return n, nil
}

func (p *parser) quoted() (string, error) {
	quoted, err := strconv.QuotedPrefix(p.text)
	if err != nil {
		return "", fmt.Errorf("a name in quotes does not end")
	}
	p.text = p.text[len(quoted):]
	return strconv.Unquote(quoted)
}
