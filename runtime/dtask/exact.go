package dtask

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// checkExact reports how the JSON in body differs from what the type that args
// points to encodes to: a field too many, a field missing, a null where a value
// must be. Values are checked by the decoder.
//
// It uses reflection and is slow. Only messages of another build need it.
func checkExact(body []byte, args any) error {
	return checkValue("", body, reflect.TypeOf(args).Elem())
}

var (
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func checkValue(path string, raw json.RawMessage, t reflect.Type) error {
	null := bytes.Equal(bytes.TrimSpace(raw), []byte("null"))
	if t.Kind() == reflect.Pointer {
		if null {
			return nil
		}
		return checkValue(path, raw, t.Elem())
	}
	if p := reflect.PointerTo(t); p.Implements(jsonUnmarshaler) || p.Implements(textUnmarshaler) {
		return nil // the type decides for itself
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Map, reflect.Interface:
		if null {
			return nil
		}
	default:
		if null {
			return fmt.Errorf("field %s is null, this build wants %s", path, t)
		}
	}
	switch t.Kind() {
	case reflect.Struct:
		return checkStruct(path, raw, t)
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 && t.Kind() == reflect.Slice {
			return nil // base64
		}
		var elems []json.RawMessage
		if err := json.Unmarshal(raw, &elems); err != nil {
			return describe(path, err, t)
		}
		if t.Kind() == reflect.Array && len(elems) != t.Len() {
			return fmt.Errorf("field %s has %d elements, this build wants %d", path, len(elems), t.Len())
		}
		for i, e := range elems {
			if err := checkValue(fmt.Sprintf("%s[%d]", path, i), e, t.Elem()); err != nil {
				return err
			}
		}
	case reflect.Map:
		var elems map[string]json.RawMessage
		if err := json.Unmarshal(raw, &elems); err != nil {
			return describe(path, err, t)
		}
		for _, k := range slices.Sorted(maps.Keys(elems)) {
			if err := checkValue(fmt.Sprintf("%s[%q]", path, k), elems[k], t.Elem()); err != nil {
				return err
			}
		}
	default:
		if err := json.Unmarshal(raw, reflect.New(t).Interface()); err != nil {
			return describe(path, err, t)
		}
	}
	return nil
}

func checkStruct(path string, raw json.RawMessage, t reflect.Type) error {
	var has map[string]json.RawMessage
	if err := json.Unmarshal(raw, &has); err != nil {
		return describe(path, err, t)
	}
	wants := make(map[string]wireField)
	collectFields(t, wants)

	var extra, missing []string
	for name := range has {
		if _, ok := wants[name]; !ok {
			extra = append(extra, join(path, name))
		}
	}
	for name, f := range wants {
		if _, ok := has[name]; !ok && !f.optional {
			missing = append(missing, join(path, name))
		}
	}
	slices.Sort(extra)
	slices.Sort(missing)
	switch {
	case len(extra) > 0 && len(missing) > 0:
		return fmt.Errorf("has field %s, this build wants %s", strings.Join(extra, ", "), strings.Join(missing, ", "))
	case len(extra) > 0:
		return fmt.Errorf("has field %s, which this build does not know", strings.Join(extra, ", "))
	case len(missing) > 0:
		return fmt.Errorf("has no field %s, which this build wants", strings.Join(missing, ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(has)) {
		f := wants[name]
		if f.quoted {
			continue // ",string": the decoder knows
		}
		if err := checkValue(join(path, name), has[name], f.typ); err != nil {
			return err
		}
	}
	return nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// describe puts a decoding error of the value at path into the words of the
// other differences.
func describe(path string, err error, t reflect.Type) error {
	var te *json.UnmarshalTypeError
	if errors.As(err, &te) {
		if path == "" {
			return fmt.Errorf("has %s for arguments, this build wants an object", te.Value)
		}
		return fmt.Errorf("field %s is a %s, this build wants %s", path, te.Value, t)
	}
	return fmt.Errorf("field %s: %w", path, err)
}
