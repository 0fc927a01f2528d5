package scan

import (
	"fmt"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// defaults are the options of a task whose directive states none.
var defaults = Options{
	Queue:    "default",
	Retries:  5,
	Timeout:  20 * time.Minute,
	Backoff:  time.Second,
	Priority: "default",
}

// What the runtime accepts: see the bounds in its message.go.
const (
	maxQueueName = 100
	maxTaskName  = 200
	maxRetries   = 1_000_000
	maxBackoff   = time.Hour
)

var optionNames = []string{"name", "queue", "retries", "timeout", "backoff", "priority", "keep"}

var priorities = []string{"low", "default", "high"}

// An argument is one key=value of a directive.
type argument struct {
	key, value string
	pos        token.Pos // of the key
	valuePos   token.Pos
}

// options returns the options that the directive of a task states, and the
// name if it pins one. It reports all that is wrong with them.
func (p *packageScan) options(d *directive) (o Options, name string, ok bool) {
	o, ok = defaults, true
	seen := make(map[string]bool)
	args, err := parseArguments(d.args, d.argsPos)
	if err != nil {
		p.report(p.pos(err.pos), CodeOption, err.hint, "%s", err.message)
		ok = false
	}
	for _, a := range args {
		if seen[a.key] {
			p.report(p.pos(a.pos), CodeOption, "state it once", "option %s is repeated", a.key)
			ok = false
			continue
		}
		seen[a.key] = true
		if message, hint := o.set(a.key, a.value, &name); message != "" {
			pos := a.valuePos
			if !slices.Contains(optionNames, a.key) {
				pos = a.pos
			}
			p.report(p.pos(pos), CodeOption, hint, "%s", message)
			ok = false
		}
	}
	return o, name, ok
}

// set sets one option. If it cannot, it returns what is wrong and what to do.
func (o *Options) set(key, value string, name *string) (message, hint string) {
	switch key {
	case "name":
		if !validTaskName(value) {
			return fmt.Sprintf("invalid name %q", value), fmt.Sprintf("use 1 to %d bytes of printable text without spaces", maxTaskName)
		}
		*name = value
	case "queue":
		if !validQueue(value) {
			return fmt.Sprintf("invalid queue %q", value), fmt.Sprintf("use 1 to %d letters, digits, '-', '_' or '.'", maxQueueName)
		}
		o.Queue = value
	case "retries":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > maxRetries {
			return fmt.Sprintf("invalid retries %q", value), fmt.Sprintf("use a number from 0 to %d", maxRetries)
		}
		o.Retries = n
	case "timeout":
		d, err := time.ParseDuration(value)
		if value == "none" {
			d, err = 0, nil
		}
		if err != nil || d < 0 {
			return fmt.Sprintf("invalid timeout %q", value), "use a duration such as 30s or 5m, or none"
		}
		o.Timeout = d
	case "backoff":
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 || d > maxBackoff {
			return fmt.Sprintf("invalid backoff %q", value), fmt.Sprintf("use a duration such as 500ms or 10s, at most %v", maxBackoff)
		}
		o.Backoff = d
	case "priority":
		if !slices.Contains(priorities, value) {
			return fmt.Sprintf("invalid priority %q", value), "use low, default or high"
		}
		o.Priority = value
	case "keep":
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 {
			return fmt.Sprintf("invalid keep %q", value), "use a duration such as 10m or 24h"
		}
		o.Keep = d
	case directiveCron:
		return "the schedule is not an option", "write a line //dtask:cron SCHEDULE"
	default:
		hint := "the options are " + strings.Join(optionNames, ", ")
		if near := nearest(strings.ToLower(key), optionNames); near != "" {
			hint = fmt.Sprintf("did you mean %s?", near)
		}
		return fmt.Sprintf("unknown option %q", key), hint
	}
	return "", ""
}

func validTaskName(s string) bool {
	return s != "" && len(s) <= maxTaskName && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' })
}

func validQueue(s string) bool {
	return s != "" && len(s) <= maxQueueName && !strings.ContainsFunc(s, func(r rune) bool {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_', r == '.':
			return false
		}
		return true
	})
}

// An argumentError says where a line of arguments ceases to be one.
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
		at := pos + token.Pos(len(line)-len(trimmed))
		if trimmed == "" {
			return args, nil
		}
		if strings.HasPrefix(trimmed, "//") {
			return args, &argumentError{at, "a comment behind a directive", "put it on a line of its own"}
		}
		end := strings.IndexFunc(trimmed, func(r rune) bool { return r == '=' || unicode.IsSpace(r) })
		if end < 0 || trimmed[end] != '=' {
			word := trimmed
			if end >= 0 {
				word = trimmed[:end]
				if strings.HasPrefix(strings.TrimLeftFunc(trimmed[end:], unicode.IsSpace), "=") {
					return args, &argumentError{at, fmt.Sprintf("a space before = in option %s", word), fmt.Sprintf("write %s=VALUE", word)}
				}
			}
			return args, &argumentError{at, fmt.Sprintf("%q is no option", word), "options are written key=value"}
		}
		if end == 0 {
			return args, &argumentError{at, "an option without a name", "options are written key=value"}
		}
		a := argument{key: trimmed[:end], pos: at, valuePos: at + token.Pos(end+1)}
		value := trimmed[end+1:]
		var err *argumentError
		if a.value, rest, err = parseValue(a.key, value, a.valuePos); err != nil {
			return args, err
		}
		args = append(args, a)
	}
}

// parseValue splits the value from what follows it.
func parseValue(key, s string, pos token.Pos) (value, rest string, _ *argumentError) {
	if s == "" || startsWithSpace(s) {
		return "", "", &argumentError{pos, fmt.Sprintf("option %s has no value", key), fmt.Sprintf("write %s=VALUE, without spaces", key)}
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
		return "", "", &argumentError{pos, fmt.Sprintf("the quoted value of option %s does not end", key), "close the quote"}
	}
	value, err = strconv.Unquote(quoted)
	rest = s[len(quoted):]
	if err != nil || rest != "" && !startsWithSpace(rest) {
		return "", "", &argumentError{pos, fmt.Sprintf("the quoted value of option %s runs into what follows", key), "put a space after the quote"}
	}
	if value == "" {
		return "", "", &argumentError{pos, fmt.Sprintf("option %s has an empty value", key), "leave the option out for its default"}
	}
	return value, rest, nil
}

func startsWithSpace(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsSpace(r)
}
