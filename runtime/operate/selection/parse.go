package selection

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dtaskhq/dtask/internal/spelling"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// fields are the operators of each field.
var fields = map[string]string{
	"id":      ":",
	"task":    ":~",
	"queue":   ":~",
	"schema":  ":",
	"state":   ":",
	"error":   ":~",
	"kind":    ":",
	"fault":   ":",
	"attempt": ":><",
	"age":     "><",
	"for":     "><",
}

// argument is what the fields that are arguments begin with.
const argument = "args."

const ofArgument = ":~><"

// A parser reads terms.
type parser struct {
	text  string
	at    int
	start int // of the term
}

func (p *parser) done() bool { return p.at >= len(p.text) }

func (p *parser) skipSpace() {
	for _, r := range p.text[p.at:] {
		if !unicode.IsSpace(r) {
			return
		}
		p.at += utf8.RuneLen(r)
	}
}

// term reads one term.
func (p *parser) term() (t term, err error) {
	p.start = p.at
	if !utf8.ValidString(p.text) {
		return t, errors.New("the text is not UTF-8")
	}
	if p.text[p.at] == '-' {
		t.not = true
		p.at++
	}
	n := strings.IndexFunc(p.text[p.at:], func(r rune) bool { return strings.ContainsRune(ofArgument, r) || unicode.IsSpace(r) })
	if n <= 0 || !strings.ContainsRune(ofArgument, rune(p.text[p.at+n])) {
		word := p.word()
		return t, fmt.Errorf("%s has no operator; write a field, an operator and a value, as state:dead or error~timeout", quoted(word))
	}
	t.field, t.op = p.text[p.at:p.at+n], p.text[p.at+n]
	p.at += n + 1
	t.value, err = p.value()
	return t, err
}

// word reads until the next space.
func (p *parser) word() string {
	n := strings.IndexFunc(p.text[p.at:], unicode.IsSpace)
	if n < 0 {
		n = len(p.text) - p.at
	}
	word := p.text[p.at : p.at+n]
	p.at += n
	return word
}

// value reads a word, or a text in quotes.
func (p *parser) value() (string, error) {
	if p.done() || p.text[p.at] != '"' {
		word := p.word()
		if word == "" {
			return "", errors.New(`the value is missing; write "" for an empty one`)
		}
		if strings.Contains(word, `"`) {
			return "", fmt.Errorf(`%s has quotes inside; put all of the value into quotes, as "a \"b\""`, quoted(word))
		}
		return word, nil
	}
	prefix, err := strconv.QuotedPrefix(p.text[p.at:])
	if err != nil {
		return "", errors.New(`the quotes do not end, or have an unknown \ in them; write \" and \\ for these characters`)
	}
	p.at += len(prefix)
	if !p.done() && p.word() != "" {
		return "", errors.New("something follows the quotes; put a space there")
	}
	text, err := strconv.Unquote(prefix)
	if err == nil && !utf8.ValidString(text) {
		err = errors.New("the value is not UTF-8")
	}
	return text, err
}

// check reports what is wrong with a term, and reads its value.
func (t *term) check() (err error) {
	ops, ok := fields[t.field]
	if path, isArgument := strings.CutPrefix(t.field, argument); isArgument {
		ops, ok = ofArgument, path != "" && !strings.HasPrefix(path, ".") && !strings.HasSuffix(path, ".") && !strings.Contains(path, "..")
	}
	if !ok {
		return unknownField(t.field)
	}
	if strings.IndexByte(ops, t.op) < 0 {
		return fmt.Errorf("%s takes no %c; use %s", t.field, t.op, strings.Join(strings.Split(ops, ""), " or "))
	}
	switch t.field {
	case "age", "for":
		t.age, err = ParseAge(t.value)
	case "attempt":
		if _, err = strconv.ParseUint(t.value, 10, 31); err != nil {
			err = fmt.Errorf("attempt %s is not a number", quoted(t.value))
		}
	case "state":
		for _, s := range strings.Split(t.value, ",") {
			if err = checkState(s); err != nil {
				break
			}
		}
	}
	if err == nil && strings.HasPrefix(t.field, argument) && (t.op == '<' || t.op == '>') {
		if _, err = strconv.ParseFloat(t.value, 64); err != nil {
			err = fmt.Errorf("%s is compared to %s, which is not a number", t.field, quoted(t.value))
		}
	}
	return err
}

func unknownField(field string) error {
	var names []string
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	if near := spelling.Nearest(field, names); near != "" {
		return fmt.Errorf("unknown field %s; did you mean %s?", quoted(field), near)
	}
	return fmt.Errorf("unknown field %s; known are %s and args.NAME", quoted(field), strings.Join(names, ", "))
}

func checkState(name string) error {
	var names []string
	for _, s := range broker.States {
		names = append(names, string(s))
	}
	if slices.Contains(names, name) {
		return nil
	}
	if near := spelling.Nearest(name, names); near != "" {
		return fmt.Errorf("unknown state %s; did you mean %s?", quoted(name), near)
	}
	return fmt.Errorf("unknown state %s; use %s", quoted(name), strings.Join(names, ", "))
}

// maxAge is beyond what anybody means.
const maxAge = 100 * 365 * 24 * time.Hour

// ParseAge reads a duration as people write it: 90s, 15m, 36h or 7d.
func ParseAge(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d < 0 || d > maxAge {
		return 0, fmt.Errorf("%s is no time; write it as 90s, 15m, 36h or 7d", quoted(text))
	}
	return d, nil
}

// quoted returns what was typed, cut and in quotes.
func quoted(s string) string { return fmt.Sprintf("%.60q", s) }

// String returns the text of the term.
func (t term) String() string {
	value := t.value
	if value == "" || strings.ContainsFunc(value, func(r rune) bool { return unicode.IsSpace(r) || r == '"' || !unicode.IsPrint(r) }) {
		value = strconv.Quote(value)
	}
	text := t.field + string(t.op) + value
	if t.not {
		return "-" + text
	}
	return text
}
