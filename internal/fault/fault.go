// Package fault tells which errors are the same fault: those that differ only in what is
// of one message or one moment, such as ids, numbers and addresses of mail.
package fault

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ID returns the name of a fault: the errors of a task that are of one kind and have one
// pattern. It says nothing of their text.
func ID(task, kind, text string) string {
	sum := sha256.Sum256([]byte(task + "\x00" + kind + "\x00" + Pattern(text)))
	return hex.EncodeToString(sum[:8])
}

// rest stands for what is left out.
const rest = "…"

// Pattern returns the text of an error with an ellipsis for what differs between errors
// of one fault:
//
//   - what is in quotes, or between < and >;
//   - addresses of mail;
//   - words with digits: numbers, ids, times, hexadecimal ones.
//
// It keeps a host with its port, unless it is the near end of a connection, a line of a
// source file, and a status such as 404 or 550.
func Pattern(text string) string {
	if !strings.ContainsAny(text, "0123456789@\"'`<") {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	before := "" // the word before, as it is in the text
	for text != "" {
		n := 0
		switch quoted := quotedPrefix(text, before); {
		case quoted > 0:
			b.WriteString(text[:1] + rest + closing(text[0]))
			n, before = quoted, ""
		case isWord(firstRune(text)):
			n = wordLength(text)
			word := text[:n]
			b.WriteString(pattern(word, before, text[n:]))
			before = word
		default:
			_, n = utf8.DecodeRuneInString(text)
			b.WriteString(text[:n])
			if c := text[0]; c != ' ' {
				before = string(c)
			}
		}
		text = text[n:]
	}
	return joined(b.String())
}

// pattern returns what stays of a word.
func pattern(word, before, after string) string {
	switch {
	case strings.Contains(word, "@"):
		return rest
	case !strings.ContainsFunc(word, unicode.IsDigit):
		return word
	case isPlace(word, before) && !strings.HasPrefix(after, ">"):
		return word
	case isStatus(word, before):
		return word
	}
	return withoutNumbers(word)
}

// isPlace reports whether a word is a host and a port, or a file and a line: a colon and a
// number behind a name with a dot in it, or localhost, or what package net calls an address.
func isPlace(word, before string) bool {
	name, number, ok := strings.Cut(strings.TrimRight(word, ".:-"), ":")
	return ok && number != "" && len(number) <= 5 && strings.Trim(number, "0123456789") == "" &&
		(strings.Contains(name, ".") || name == "localhost" || strings.HasPrefix(before, "tcp") || strings.HasPrefix(before, "udp"))
}

// isStatus reports whether a word is a status: three digits at the beginning of a text or
// behind a colon or the word for it, or what follows such digits in an answer of SMTP.
func isStatus(word, before string) bool {
	word = strings.TrimRight(word, ".:-")
	if strings.Trim(word, "0123456789.") != "" {
		return false
	}
	switch before := strings.ToLower(before); {
	case len(before) == 3 && isStatus(before, ""):
		return strings.Count(word, ".") == 2 && len(word) <= 7
	case before == "", strings.HasSuffix(before, ":"), before == "status", before == "code", strings.HasPrefix(before, "http"):
		return len(word) == 3 && word[0] >= '1' && word[0] <= '5' && !strings.Contains(word, ".")
	}
	return false
}

// withoutNumbers leaves out the parts of a word that have digits.
func withoutNumbers(word string) string {
	var b strings.Builder
	for word != "" {
		n := strings.IndexFunc(word, separates)
		if n < 0 {
			n = len(word)
		}
		if part := word[:n]; strings.ContainsFunc(part, unicode.IsDigit) {
			b.WriteString(rest)
		} else {
			b.WriteString(part)
		}
		if n < len(word) {
			b.WriteByte(word[n]) // what separates is one byte
			n++
		}
		word = word[n:]
	}
	return b.String()
}

// joined returns a text with one ellipsis for several that only punctuation parts: lists
// of ids differ in their lengths.
func joined(text string) string {
	first, others, found := strings.Cut(text, rest)
	if !found {
		return text
	}
	out := first + rest
	for {
		between, after, more := strings.Cut(others, rest)
		if !more {
			return out + others
		}
		if strings.Trim(between, " ,;.:/-+") != "" {
			out += between + rest
		}
		others = after
	}
}

// quotedPrefix returns the length of what is in quotes at the beginning of a text, or 0.
// An apostrophe inside a word quotes nothing.
func quotedPrefix(text, before string) int {
	switch text[0] {
	case '\'', '"', '`':
	case '<':
		if strings.HasSuffix(before, "-") || strings.ContainsAny(text[:max(1, strings.IndexByte(text, '>')+1)], " \n") {
			return 0
		}
	default:
		return 0
	}
	end := closing(text[0])[0]
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case end:
			if end != '\'' || i+1 == len(text) || !isWord(firstRune(text[i+1:])) {
				return i + 1
			}
		}
	}
	return 0
}

// closing returns the quote that ends what a quote begins.
func closing(quote byte) string {
	if quote == '<' {
		return ">"
	}
	return string(quote)
}

// wordLength returns the length of the word at the beginning of a text. An apostrophe is
// part of it.
func wordLength(text string) int {
	for i, r := range text {
		if !isWord(r) && !separates(r) && r != '\'' {
			return i
		}
	}
	return len(text)
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' }

// separates reports whether a character parts a word into parts.
func separates(r rune) bool { return strings.ContainsRune(".:-@/+%", r) && r != 0 }

func firstRune(text string) rune {
	r, _ := utf8.DecodeRuneInString(text)
	return r
}
