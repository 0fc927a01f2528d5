package directive

import (
	"fmt"
	"go/token"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An argument is one key=value of a directive.
type argument struct {
	key, value string
	pos        token.Pos // of the key
	valuePos   token.Pos
}

// An argumentError says where a line stops being arguments.
type argumentError struct {
	pos           token.Pos
	message, hint string
}

// parseArguments splits the arguments of a directive: key=value, where the
// value is a word, or quoted as in Go. It returns those before the first
// error.
func parseArguments(line string, pos token.Pos) ([]argument, *argumentError) {
	var args []argument
	for rest := line; ; {
		trimmed := strings.TrimLeftFunc(rest, unicode.IsSpace)
		if trimmed == "" {
			return args, nil
		}
		a, after, err := parseArgument(trimmed, pos+token.Pos(len(line)-len(trimmed)))
		if err != nil {
			return args, err
		}
		args = append(args, a)
		rest = after
	}
}

// parseArgument splits the first argument of a line, which begins with it, from
// what follows.
func parseArgument(line string, pos token.Pos) (a argument, rest string, _ *argumentError) {
	fail := func(hint, format string, args ...any) (argument, string, *argumentError) {
		return argument{}, "", &argumentError{pos, fmt.Sprintf(format, args...), hint}
	}
	if strings.HasPrefix(line, "//") {
		return fail("put it on a line of its own", "a comment behind a directive")
	}
	end := strings.IndexFunc(line, func(r rune) bool { return r == '=' || unicode.IsSpace(r) })
	switch {
	case end < 0:
		return fail("options are written key=value", "%q is no option", line)
	case line[end] != '=' && strings.HasPrefix(strings.TrimLeftFunc(line[end:], unicode.IsSpace), "="):
		return fail(fmt.Sprintf("write %s=VALUE", line[:end]), "a space before = in option %s", line[:end])
	case line[end] != '=':
		return fail("options are written key=value", "%q is no option", line[:end])
	case end == 0:
		return fail("options are written key=value", "an option without a name")
	}
	a = argument{key: line[:end], pos: pos, valuePos: pos + token.Pos(end+1)}
	value, rest, err := parseValue(a.key, line[end+1:], a.valuePos)
	a.value = value
	return a, rest, err
}

// parseValue splits the value from what follows it.
func parseValue(key, s string, pos token.Pos) (value, rest string, _ *argumentError) {
	fail := func(hint, format string) (string, string, *argumentError) {
		return "", "", &argumentError{pos, fmt.Sprintf(format, key), hint}
	}
	if s == "" || startsWithSpace(s) {
		return fail(fmt.Sprintf("write %s=VALUE, without spaces", key), "option %s has no value")
	}
	if s[0] != '"' && s[0] != '`' {
		end := strings.IndexFunc(s, unicode.IsSpace)
		if end < 0 {
			end = len(s)
		}
		return s[:end], s[end:], nil
	}
	quoted, err := strconv.QuotedPrefix(s)
	if err != nil {
		return fail("close the quote", "the quoted value of option %s does not end")
	}
	value, err = strconv.Unquote(quoted)
	rest = s[len(quoted):]
	if err != nil || rest != "" && !startsWithSpace(rest) {
		return fail("put a space after the quote", "the quoted value of option %s runs into what follows")
	}
	if value == "" {
		return fail("leave the option out for its default", "option %s has an empty value")
	}
	return value, rest, nil
}

func startsWithSpace(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsSpace(r)
}
