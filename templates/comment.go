package templates

import (
	"go/build/constraint"
	"slices"
	"strings"

	. "github.com/dave/jennifer/jen"
)

// doc returns a documentation comment: a line comment for each line of text.
func doc(text string) *Statement {
	s := new(Statement)
	for line := range strings.SplitSeq(strings.TrimRight(withoutConstraints(text), "\n"), "\n") {
		if line != "" && line[0] != '\t' {
			line = " " + line
		}
		s.Comment("//" + line).Line() // with its slashes, jennifer leaves the line as it is
	}
	return s
}

// withoutConstraints leaves out lines that would be build constraints in a
// comment: gofmt would move them to the top of the file.
func withoutConstraints(text string) string {
	lines := slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool {
		return constraint.IsPlusBuild("//" + line)
	})
	return strings.Join(lines, "\n")
}

// wrap breaks words into lines of at most 77 bytes, where it can.
func wrap(text string) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case column+1+len(word) > 77:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}
