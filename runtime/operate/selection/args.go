package selection

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// ofArgument reports whether the operator holds for what is at a path in the
// arguments. It does not for what is not there.
func (t term) ofArgument(body []byte, path []string) bool {
	v, ok := at(body, path)
	if !ok {
		return false
	}
	text := string(v)
	isText := text[0] == '"'
	if isText && json.Unmarshal(v, &text) != nil {
		return false
	}
	switch {
	case t.op == '~':
		return t.ofText(text)
	case t.op == ':' && isText:
		return t.ofText(text)
	case t.op == ':':
		return slices.ContainsFunc(strings.Split(t.value, ","), func(v string) bool { return equal(text, v) })
	}
	a, err := strconv.ParseFloat(text, 64)
	b, _ := strconv.ParseFloat(t.value, 64) // it was checked
	return err == nil && !isText && compare(a, t.op, b)
}

// equal reports whether a value in JSON that is no text is the same as what was
// typed. Whole numbers are compared exactly, others as floating-point numbers.
func equal(value, typed string) bool {
	if value == typed {
		return true
	}
	if !strings.ContainsAny(value+typed, ".eE") {
		return false
	}
	a, err1 := strconv.ParseFloat(value, 64)
	b, err2 := strconv.ParseFloat(typed, 64)
	return err1 == nil && err2 == nil && a == b
}

// at returns what is at a path in JSON.
func at(v []byte, path []string) (json.RawMessage, bool) {
	raw := json.RawMessage(v)
	for _, name := range path {
		if len(raw) == 0 {
			return nil, false
		}
		var fields map[string]json.RawMessage
		if json.Unmarshal(raw, &fields) == nil {
			var ok bool
			if raw, ok = fields[name]; !ok {
				return nil, false
			}
			continue
		}
		var list []json.RawMessage
		i, err := strconv.Atoi(name)
		if err != nil || json.Unmarshal(raw, &list) != nil || i < 0 || i >= len(list) {
			return nil, false
		}
		raw = list[i]
	}
	return raw, len(raw) > 0
}
