package scan

import (
	"cmp"
	"fmt"
	"go/token"
	"slices"
	"strings"
)

// A Diagnostic is something the user has to know or to mend.
type Diagnostic struct {
	Pos     token.Position
	Code    Code // which kind; docs/diagnostics.md has a section for each
	Message string
	Chain   []Step // how the culprit was reached, from the outside in
	Hint    string // what to do, or empty if the message says it
	Warning bool   // generation goes on
}

// A Step is a part of the way to a culprit.
type Step struct {
	Pos  token.Position // zero for what has no place in source
	Text string
}

// A Code names a kind of diagnostic.
type Code string

// report adds an error.
func (s *scanner) report(pos token.Position, code Code, hint, format string, args ...any) *Diagnostic {
	d := &Diagnostic{Pos: pos, Code: code, Message: fmt.Sprintf(format, args...), Hint: hint}
	s.diags = append(s.diags, d)
	return d
}

// warn adds a warning.
func (s *scanner) warn(pos token.Position, code Code, hint, format string, args ...any) {
	s.report(pos, code, hint, format, args...).Warning = true
}

// sorted returns the diagnostics by position, each once.
func sorted(diags []*Diagnostic) []*Diagnostic {
	slices.SortStableFunc(diags, func(a, b *Diagnostic) int {
		return cmp.Or(
			comparePos(a.Pos, b.Pos),
			strings.Compare(a.Message, b.Message),
		)
	})
	return slices.CompactFunc(diags, func(a, b *Diagnostic) bool {
		return a.Pos == b.Pos && a.Message == b.Message
	})
}

func comparePos(a, b token.Position) int {
	return cmp.Or(
		strings.Compare(a.Filename, b.Filename),
		cmp.Compare(a.Line, b.Line),
		cmp.Compare(a.Column, b.Column),
	)
}
