package directive

import (
	"bytes"
	"slices"
	"strings"
)

const flawBeginning = "a directive begins with //dtask:"

// A misspelling is what a line of prose was probably meant as.
type misspelling struct {
	name  string // of the directive, or empty
	flaw  string // other than the start of the line and capital letters
	doubt bool   // it may be prose as well: there is neither a colon nor an argument
}

// misspelt tells misspelt directives from prose about dtask. After a colon the
// name may be misspelt. Without one it must be right, and nothing but an argument
// may follow.
func misspelt(line string) misspelling {
	if len(line) < len(tool) || !strings.EqualFold(line[:len(tool)], tool) {
		return misspelling{}
	}
	rest := line[len(tool):]
	if word, ok := strings.CutPrefix(rest, ":"); ok {
		word, _, _ = strings.Cut(word, " ")
		if near := nearest(strings.ToLower(word), names()); near != "" {
			return misspelling{name: near}
		}
	}
	word, args, _ := strings.Cut(strings.TrimLeft(rest, ":.-_ \t"), " ")
	key, _, assigned := strings.Cut(word, "=")
	isOption := assigned && optionOf(Task, key) != nil
	switch {
	case rest == "" || rest == ":" || isOption:
		return misspelling{Task, "a directive has a name behind //dtask:", !isOption}
	case !slices.Contains(names(), word) || !mayBeArguments(args):
		return misspelling{}
	case strings.HasPrefix(rest, ": "):
		return misspelling{word, "a directive has no space after the colon", false}
	}
	return misspelling{word, flawBeginning, args == "" && !strings.HasPrefix(rest, ":")}
}

// mayBeArguments reports whether a line is empty, or begins as an option, a
// schedule or a pattern of packages does.
func mayBeArguments(line string) bool {
	first, _, _ := strings.Cut(strings.TrimLeft(line, " "), " ")
	return first == "" || strings.ContainsAny(first, "=@*/") || '0' <= first[0] && first[0] <= '9'
}

// Mentions reports whether a source file may hold a directive, or what was meant
// as one. It is much faster than parsing the file.
func Mentions(src []byte) bool {
	for _, k := range []byte("kK") { // the rarest letter of the tool's name, and its last
		for i := 0; ; i++ {
			next := bytes.IndexByte(src[i:], k)
			if next < 0 {
				break
			}
			i += next
			start := i + 1 - len(tool)
			if start < 0 || !bytes.EqualFold(src[start:i], []byte(tool[:len(tool)-1])) {
				continue
			}
			line, _, _ := bytes.Cut(src[start:], []byte("\n"))
			if bytes.HasPrefix(line[len(tool):], []byte(":")) || misspelt(string(bytes.TrimRight(line, "*/ \t\r"))).name != "" {
				return true
			}
		}
	}
	return false
}
