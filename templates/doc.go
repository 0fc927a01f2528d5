package templates

import (
	"strings"

	. "github.com/dave/jennifer/jen"
)

// doc returns a documentation comment: a line comment for each line of text.
func doc(text string) *Statement {
	s := new(Statement)
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		if line != "" && line[0] != '\t' {
			line = " " + line
		}
		s.Comment("//" + line).Line() // with its slashes, jennifer leaves the line as it is
	}
	return s
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
