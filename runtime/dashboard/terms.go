package dashboard

import (
	"net/url"
	"strconv"
	"strings"
	"unicode"
)

// term writes a term of a selection.
func term(field, value string) string {
	if value == "" || strings.ContainsFunc(value, func(r rune) bool { return unicode.IsSpace(r) || r == '"' || !unicode.IsPrint(r) }) {
		value = strconv.Quote(value)
	}
	return field + ":" + value
}

// queryTerm is term for the query of a URL.
func queryTerm(field, value string) string { return url.QueryEscape(term(field, value)) }
