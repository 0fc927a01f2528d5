package worker

import (
	"strconv"

	text "github.com/dtaskhq/dtask/internal/printable"
)

// printable returns s as it can be shown on a terminal and in one line. Names and
// errors of tasks come from producers.
func printable(s string) string { return text.Text(s, "") }

// escaped escapes what is not printable, except for the characters of keep.
func escaped(s, keep string) string { return text.Text(s, keep) }

// shown returns an error as it can be printed: printable, in lines of its own, and
// without what may be a password.
func shown(err error) string { return masked(escaped(err.Error(), "\n\t")) }

func masked(s string) string { return text.Masked(s) }

// typed returns what was typed, unless it may hold a password.
func typed(s string) string {
	if text.MaySecret(s) {
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
