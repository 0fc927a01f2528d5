package secrets

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Values returns the texts and numbers in a JSON value.
func Values(value []byte) (values []string) {
	d := jsontext.NewDecoder(bytes.NewReader(value), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for {
		t, err := d.ReadToken()
		if err != nil {
			return values // it has ended
		}
		in, n := d.StackIndex(d.StackDepth())
		name := in == '{' && n%2 == 1
		if k := t.Kind(); !name && (k == '"' || k == '0') {
			values = append(values, t.String())
		}
	}
}

// forms returns a text, and what it may stand for as package fmt prints that: bytes or a
// time.
func forms(text string) []string {
	forms := []string{text}
	if b, err := base64.StdEncoding.DecodeString(text); err == nil && len(b) >= shortest {
		forms = append(forms, string(b), fmt.Sprint(b), fmt.Sprintf("%x", b))
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		forms = append(forms, at.String(), at.UTC().String())
	}
	return forms
}

// shortest is how many bytes a value has that can be found in a text. A shorter one is
// part of many words, and says little.
const shortest = 3

// Without returns a text with stars for some values, in the forms in which programs print
// them, or in quotes.
func Without(text string, values []string) string {
	var printed, pairs []string
	for _, v := range values {
		printed = append(printed, forms(v)...)
	}
	slices.SortFunc(printed, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, v := range printed {
		if len(v) < shortest {
			continue
		}
		pairs = append(pairs, v, "***")
		if quoted := strconv.Quote(v); quoted[1:len(quoted)-1] != v {
			pairs = append(pairs, quoted[1:len(quoted)-1], "***")
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
