package worker

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// printable returns s as it can be shown on a terminal and in one line: what
// would move the cursor, break the line or turn the direction of writing is
// escaped. Names and errors of tasks come from producers.
func printable(s string) string { return escaped(s, "") }

// escaped escapes what is not printable, except for the characters of keep.
func escaped(s, keep string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) || strings.ContainsRune(keep, r) {
			b.WriteRune(r)
		} else {
			q := strconv.QuoteRune(r)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return b.String()
}

// credentials matches what may be the user and the password of a URL: all between
// a scheme, or the beginning of a word, and the last '@' of the word.
var credentials = regexp.MustCompile(`(://)?[^\s/"'=][^\s"']*@`)

// location matches a URL that a message has cut off, before the '@' maybe.
var location = regexp.MustCompile(`(?i)([a-z][a-z0-9+.-]*:/+|amqps?:)[^\s"']*`)

// secret matches a parameter that holds a secret.
var secret = regexp.MustCompile(`(?i)((?:password|passwd|pwd|secret|token)=)[^\s&"']+`)

// shown returns an error as it can be printed: printable, in lines of its own, and
// without what may be a password.
func shown(err error) string { return masked(escaped(err.Error(), "\n\t")) }

func masked(s string) string {
	s = location.ReplaceAllString(s, "$1…")
	s = credentials.ReplaceAllString(s, "$1…@")
	return secret.ReplaceAllString(s, "$1…")
}

// typed returns what was typed, unless it may hold a password.
func typed(s string) string {
	if strings.Contains(s, "@") || location.MatchString(s) || secret.MatchString(s) {
		return "(not shown, for it may hold a password)"
	}
	return printable(s)
}

// quotedPart is quoted for a part of what was typed.
func quotedPart(whole, part string) string {
	if q := quoted(whole); q != strconv.Quote(whole) {
		return q
	}
	return strconv.Quote(part)
}

// quoted is typed in quotes.
func quoted(s string) string {
	if t := typed(s); t != printable(s) {
		return t
	}
	return strconv.Quote(s)
}
