// Package printable makes text of others fit to be shown: names, arguments and errors
// come from producers, and URLs have passwords in them. So it does with times.
package printable

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text returns s as it can be shown on a terminal and in one line: what would move
// the cursor, break the line or turn the direction of writing is escaped, but for the
// characters of keep, and so is what is not UTF-8.
func Text(s, keep string) string {
	var b strings.Builder
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				fmt.Fprintf(&b, `\x%02x`, s[i])
				continue
			}
		}
		if unicode.IsPrint(r) || strings.ContainsRune(keep, r) {
			b.WriteRune(r)
		} else {
			q := strconv.QuoteRune(r)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return b.String()
}

// Cut returns the first characters of s, at most n, with an ellipsis for the rest.
func Cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	count := 0
	for i := range s {
		if count++; count > n {
			return s[:i] + "…"
		}
	}
	return s
}

// credentials matches what may be the user and the password of a URL: all between
// a scheme, or the beginning of a word, and the last '@' of the word.
var credentials = regexp.MustCompile(`(://)?[^\s/"'=][^\s"']*@`)

// location matches a URL that a message has cut off, before the '@' maybe.
var location = regexp.MustCompile(`(?i)([a-z][a-z0-9+.-]*:/+|amqps?:)[^\s"']*`)

// secret matches a parameter that holds a secret.
var secret = regexp.MustCompile(`(?i)((?:password|passwd|pwd|secret|token)=)[^\s&"']+`)

// Masked returns s without what may be a password.
func Masked(s string) string {
	s = location.ReplaceAllString(s, "$1…")
	s = credentials.ReplaceAllString(s, "$1…@")
	return secret.ReplaceAllString(s, "$1…")
}

// MaySecret reports whether s may have a password in it.
func MaySecret(s string) bool {
	return strings.Contains(s, "@") || location.MatchString(s) || secret.MatchString(s)
}
