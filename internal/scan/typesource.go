package scan

import (
	"go/types"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// typeSource returns a type as source for a file of the package. It keeps the
// aliases that the user wrote, as the package may have no access to what they
// stand for.
func (p *packageScan) typeSource(t types.Type) Type {
	// types.TypeString writes the path of a package, then a dot and a name. The
	// marks tell where the path begins and ends.
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

// backquote puts a tag into backquotes, as people write it, if they can hold it.
func backquote(literal string) string {
	s, err := strconv.Unquote(literal)
	if err != nil || !strconv.CanBackquote(s) {
		return literal
	}
	return "`" + s + "`"
}
