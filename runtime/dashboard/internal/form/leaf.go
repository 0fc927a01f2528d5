package form

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/internal/schema"
)

// scalar reports whether a type has a text that is never empty, so that an empty input
// can stand for null.
func scalar(t *schema.Type) bool {
	switch t.Kind {
	case schema.Time, schema.Duration:
		return true
	case schema.Basic:
		return t.Name != "string"
	}
	return false
}

// longText is how many characters a line of input holds.
const longText = 80

// leaf completes the field of a single value.
func (w writer) leaf(out Field, t *schema.Type, quoted bool, raw []byte, hint string) Field {
	out.Input, out.Hint = "text", hint
	if t.Kind == schema.Basic && t.Name == "bool" {
		out.Input = "bool"
	} else if numeric(t) {
		out.Input = "number"
	}
	if raw == nil || string(raw) == "null" {
		return out
	}
	if quoted && text(raw) != "" {
		raw = []byte(text(raw))
	}
	out.Value = string(raw)
	if raw[0] == '"' {
		out.Value = text(raw)
	} else if n, err := strconv.ParseInt(out.Value, 10, 64); err == nil && t.Kind == schema.Duration {
		out.Value = time.Duration(n).String()
	}
	if out.Input == "text" && (len(out.Value) > longText || strings.Contains(out.Value, "\n")) {
		out.Input = "long"
	}
	return out
}

func numeric(t *schema.Type) bool {
	return t.Kind == schema.Basic && t.Name != "string" && t.Name != "bool"
}

// readLeaf returns the JSON of what was typed for a single value.
func readLeaf(t *schema.Type, quoted bool, typed string) (json.RawMessage, error) {
	raw, err := readPlain(t, typed)
	if err == nil && quoted {
		raw = quote(string(raw))
	}
	return raw, err
}

func readPlain(t *schema.Type, typed string) (json.RawMessage, error) {
	if numeric(t) || t.Kind == schema.Duration || t.Kind == schema.Time {
		typed = strings.TrimSpace(typed)
	}
	switch {
	case typed == "" && scalar(t):
		return nil, fmt.Errorf("a value is missing: this is %s", t)
	case numeric(t):
		return readNumber(t.Name, typed)
	case t.Kind == schema.Basic && t.Name == "bool":
		if typed != "true" && typed != "false" {
			return nil, fmt.Errorf("%.40q is neither true nor false", typed)
		}
		return json.RawMessage(typed), nil
	case t.Kind == schema.Duration:
		d, err := time.ParseDuration(typed)
		if n, errInt := strconv.ParseInt(typed, 10, 64); errInt == nil {
			d, err = time.Duration(n), nil
		}
		if err != nil {
			return nil, fmt.Errorf("%.40q is no duration; write it as 90s or 1h30m", typed)
		}
		return json.RawMessage(strconv.FormatInt(int64(d), 10)), nil
	case t.Kind == schema.Time:
		if _, err := time.Parse(time.RFC3339, typed); err != nil {
			return nil, fmt.Errorf("%.40q is no time; write it as 2026-01-02T15:04:05Z", typed)
		}
	case t.Kind == schema.Bytes:
		if _, err := base64.StdEncoding.DecodeString(typed); err != nil {
			return nil, fmt.Errorf("this is no base64: %w", err)
		}
	}
	return quote(strings.ReplaceAll(typed, "\r\n", "\n")), nil // browsers send lines so
}

// readNumber checks a number, which stays as it was typed.
func readNumber(name, typed string) (json.RawMessage, error) {
	bits := 64
	if n := strings.TrimLeft(name, "uintfloa"); n != "" {
		bits, _ = strconv.Atoi(n) // "8" of int8
	}
	var err error
	limit := ""
	switch {
	case strings.HasPrefix(name, "float"):
		_, err = strconv.ParseFloat(typed, bits)
	case strings.HasPrefix(name, "uint"):
		_, err = strconv.ParseUint(typed, 10, bits)
		limit = fmt.Sprintf("0 to %d", uint64(math.MaxUint64)>>(64-bits))
	default:
		_, err = strconv.ParseInt(typed, 10, bits)
		limit = fmt.Sprintf("%d to %d", int64(math.MinInt64)>>(64-bits), int64(math.MaxInt64)>>(64-bits))
	}
	switch {
	case err != nil && limit != "":
		return nil, fmt.Errorf("%.40q is not %s: that is a whole number from %s", typed, name, limit)
	case err != nil || !json.Valid([]byte(typed)):
		return nil, fmt.Errorf("%.40q is no number, as 12 or -0.5", typed)
	}
	return json.RawMessage(typed), nil
}
