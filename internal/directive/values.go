package directive

import (
	"fmt"
	"go/token"
	"strconv"
	"strings"
	"time"
)

// The values of options are strings, ints, bools, time.Durations, and those of
// the types below.

// A Choice is one of several words, with the value that it stands for, or nil
// for nothing.
type Choice struct {
	Word  string
	Value any
}

func (c Choice) String() string { return c.Word }

// A Constant is the name of a constant of package dtask.
type Constant string

// Names are names of parameters.
type Names []string

func (n Names) String() string { return strings.Join(n, ",") }

// parameters parses names that are separated by commas.
func parameters(s string) (any, string) {
	list := strings.Split(s, ",")
	for _, name := range list {
		if !token.IsIdentifier(name) {
			return nil, "use names of parameters, with commas and no spaces between them"
		}
	}
	return Names(list), ""
}

// text parses a string that a rule of package limit allows.
func text(rule func(string) (remedy string, ok bool)) func(string) (any, string) {
	return func(s string) (any, string) {
		if remedy, ok := rule(s); !ok {
			return nil, remedy
		}
		return s, ""
	}
}

// number parses an int from 0 to most.
func number(most int) func(string) (any, string) {
	return func(s string) (any, string) {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 || n > most {
			return nil, fmt.Sprintf("use a number from 0 to %d", most)
		}
		return n, ""
	}
}

// duration parses a duration that is not negative, and at most most unless that
// is 0.
func duration(most time.Duration, remedy string) func(string) (any, string) {
	if most > 0 {
		remedy = fmt.Sprintf("%s, at most %v", remedy, most)
	}
	return func(s string) (any, string) {
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 || most > 0 && d > most {
			return nil, remedy
		}
		return d, ""
	}
}

// orNone parses a duration, or the word none for 0.
func orNone(parse func(string) (any, string)) func(string) (any, string) {
	return func(s string) (any, string) {
		if s == "none" {
			s = "0"
		}
		return parse(s)
	}
}

// choice parses one of several words.
func choice(remedy string, choices []Choice) func(string) (any, string) {
	return func(s string) (any, string) {
		for _, c := range choices {
			if c.Word == s {
				return c, ""
			}
		}
		return nil, remedy
	}
}
