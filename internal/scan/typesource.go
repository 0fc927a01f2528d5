package scan

import (
	"go/types"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// typeSource returns a type as source for a file of the package, with aliases
// as the user wrote them: what an alias stands for may be out of reach.
func (p *packageScan) typeSource(t types.Type) Type {
	// Package names are marked, as types.TypeString writes them in front of a
	// dot, and then cut out.
	const mark = "\x00"
	text := types.TypeString(t, func(pkg *types.Package) string {
		if pkg != p.loaded.Types {
			p.pkg.Imports[pkg.Path()] = pkg.Name()
		}
		return mark + pkg.Path() + mark
	})
	text = stringLiteral.ReplaceAllStringFunc(text, backquote)
	var words Type
	for {
		before, rest, found := strings.Cut(text, mark)
		if before != "" {
			words = append(words, Word{Text: before})
		}
		if !found {
			return words
		}
		path, name, _ := strings.Cut(rest, mark+".")
		end := strings.IndexFunc(name, func(r rune) bool {
			return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
		})
		if end < 0 {
			end = len(name)
		}
		words = append(words, Word{Pkg: path, Text: name[:end]})
		text = name[end:]
	}
}

// stringLiteral matches the tags in a type: nothing else is quoted there.
var stringLiteral = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// backquote writes a tag as people do.
func backquote(literal string) string {
	s, err := strconv.Unquote(literal)
	if err != nil || !strconv.CanBackquote(s) {
		return literal
	}
	return "`" + s + "`"
}
