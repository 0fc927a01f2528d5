package diagnostic

import (
	"cmp"
	"fmt"
	"go/token"
	"slices"
	"strings"
)

// A List collects diagnostics.
type List struct {
	all []*Diagnostic
}

// Report adds an error.
func (l *List) Report(pos token.Position, code Code, hint, format string, args ...any) *Diagnostic {
	d := &Diagnostic{Pos: pos, Code: code, Message: fmt.Sprintf(format, args...), Hint: hint}
	l.all = append(l.all, d)
	return d
}

// Warn adds a warning.
func (l *List) Warn(pos token.Position, code Code, hint, format string, args ...any) {
	l.Report(pos, code, hint, format, args...).Warning = true
}

// Len returns how many diagnostics were added.
func (l *List) Len() int { return len(l.all) }

// Sorted returns the diagnostics by position, each once.
func (l *List) Sorted() []*Diagnostic { return Sorted(l.all) }

// Sorted returns diagnostics by position, each once.
func Sorted(all []*Diagnostic) []*Diagnostic {
	sorted := slices.SortedStableFunc(slices.Values(all), func(a, b *Diagnostic) int {
		return cmp.Or(ComparePos(a.Pos, b.Pos), strings.Compare(a.Message, b.Message))
	})
	return slices.CompactFunc(sorted, func(a, b *Diagnostic) bool {
		return a.Pos == b.Pos && a.Message == b.Message
	})
}

// ComparePos compares positions by file, line and column.
func ComparePos(a, b token.Position) int {
	return cmp.Or(
		strings.Compare(a.Filename, b.Filename),
		cmp.Compare(a.Line, b.Line),
		cmp.Compare(a.Column, b.Column),
	)
}

// A Reporter adds diagnostics about files of one file set to a list.
type Reporter struct {
	*List
	Fset *token.FileSet
}

// ReportAt adds an error at a place in the files.
func (r Reporter) ReportAt(pos token.Pos, code Code, hint, format string, args ...any) *Diagnostic {
	return r.Report(r.Fset.Position(pos), code, hint, format, args...)
}
