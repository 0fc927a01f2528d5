package directive

import (
	"go/ast"
	"go/token"
	"strings"
)

// A Directive is a comment that is a directive of dtask, or looks as if it was
// meant as one.
type Directive struct {
	Name    string // what follows "dtask:"
	Pos     token.Pos
	Args    string // the rest of the line
	ArgsPos token.Pos

	namePos token.Pos
	flaw    string // why it is not a directive, or empty
	doubt   bool   // it has a flaw, and is prose unless it ends the comment of a function
}

// Recognise returns the directive in a comment, or what was meant as one. Go's
// own rule (go/ast.ParseDirective) is strict: a comment with a space or a
// capital in it, or in a block, is just prose.
func Recognise(c *ast.Comment) (Directive, bool) {
	if d, ok := ast.ParseDirective(c.Slash, c.Text); ok {
		return Directive{
			Name:    d.Name,
			Pos:     c.Slash,
			Args:    d.Args,
			ArgsPos: d.ArgsPos,
			namePos: c.Slash + token.Pos(len("//"+tool+":")),
		}, d.Tool == tool
	}
	d := Directive{Pos: c.Slash, namePos: c.Slash}
	if block, ok := strings.CutPrefix(c.Text, "/*"); ok {
		for line := range strings.Lines(strings.TrimSuffix(block, "*/")) {
			if m := misspelt(strings.Trim(line, "* \t\n")); m.name != "" {
				d.Name, d.flaw, d.doubt = m.name, "a directive is a line comment", m.doubt
				return d, true
			}
		}
		return d, false
	}
	text := strings.TrimPrefix(c.Text, "//")
	line := strings.TrimLeft(strings.TrimPrefix(text, "/"), "+@ ") // ///dtask:task, // +dtask:task
	spaced := strings.HasPrefix(text, " ")
	m := misspelt(line)
	d.Name, d.flaw, d.doubt = m.name, m.flaw, m.doubt && spaced
	switch {
	case d.flaw != "":
	case spaced:
		d.flaw = "a directive has no space after //"
	case line != text:
		d.flaw = flawBeginning
	default:
		d.flaw = "a directive is written in lower case"
	}
	return d, d.Name != ""
}
