package dtask

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	// encoding/json of Go 1.27 is built on this implementation. It has the
	// semantics of version 1 and about twice its speed. It is the only dependency
	// of this package, until the standard library has it for every supported Go.
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	json "github.com/go-json-experiment/json/v1"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// encode returns the arguments that args points to as the body of a message, in
// the form of encoding/json. What would not come back is an error.
func encode(args any) (body []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			body, err = nil, fmt.Errorf("arguments cannot be encoded: panic: %v", v)
		}
	}()
	body, err = marshal(args)
	if err != nil {
		return nil, fmt.Errorf("arguments cannot be encoded: %w", err)
	}
	return body, broker.ValidateBody(body)
}

// nothingLost has the semantics of version 1, but refuses what comes back as
// something else: two keys of a map with the same text, and text that is no UTF-8.
var nothingLost = jsonv2.JoinOptions(json.DefaultOptionsV1(),
	jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(false))

// marshal is json.Marshal for values that are to come back.
func marshal(v any) ([]byte, error) {
	text, err := jsonv2.Marshal(v, nothingLost)
	if err == nil {
		return text, survives(v)
	}
	if _, other := json.Marshal(v); other != nil {
		return nil, other // version 1 refuses it, too
	}
	// With the errors of version 1 the reason is in the text only.
	if strings.Contains(err.Error(), "duplicate") {
		return nil, fmt.Errorf("two keys of a map have the same text, so one would be lost: %w", err)
	}
	return nil, fmt.Errorf("a text is not valid UTF-8; pass binary data as []byte: %w", err)
}

// decode fills args with the body of m.
//
// A body with the fingerprint of the spec is decoded by the rules of encoding/json.
// If that fails, the body is damaged ([undecodableError]). For one with another
// fingerprint see decodeEarlier. If this build does not run it, the error is a
// [foreignError].
//
// Decoding is part of the attempt: if ctx ends meanwhile, the error is its.
func decode[A any](ctx context.Context, m *Message, spec *Spec, args *A) error {
	if m.Schema != spec.Schema || m.Schema == "" {
		return decodeEarlier(ctx, m, spec, args)
	}
	if err := unmarshal(m.Body, args); err != nil {
		return unquoted(spec, m, &undecodableError{err}, func(body []byte) error {
			if err := unmarshal(body, new(A)); err != nil {
				return &undecodableError{err}
			}
			return nil
		})
	}
	return ctx.Err()
}

// onePass has the semantics of version 1 without its first pass. That pass checks
// the whole body, so that a value is never left half decoded, and takes a fifth
// of the time of decoding.
var onePass = jsonv2.JoinOptions(json.DefaultOptionsV1(), json.ReportErrorsWithLegacySemantics(false))

// unmarshal is json.Unmarshal for args that nobody looks at after an error.
func unmarshal(body []byte, args any) error {
	if jsonv2.Unmarshal(body, args, onePass) == nil {
		return nil
	}
	reflect.ValueOf(args).Elem().SetZero()
	return json.Unmarshal(body, args) // for the error of version 1
}

// encodeResult returns the result that result points to, in JSON. The error is
// permanent, because another attempt would fail in the same way.
func encodeResult(result any) ([]byte, error) {
	value, err := marshal(result)
	if err != nil {
		return nil, Permanent(fmt.Errorf("executed, but its result cannot be encoded: %w", err))
	}
	if len(value) > MaxBodySize {
		return nil, Permanent(fmt.Errorf("executed, but its result has %d bytes, at most %d are kept; store it and return its key", len(value), MaxBodySize))
	}
	return value, nil
}

// An undecodableError is final: no build can decode the body.
type undecodableError struct{ err error }

func (e *undecodableError) Error() string {
	return fmt.Sprintf("the arguments cannot be decoded: %v", e.err)
}
func (e *undecodableError) Unwrap() error { return e.err }

// A foreignError says how a message differs from what this build runs.
type foreignError struct{ err error }

func (e *foreignError) Error() string { return e.err.Error() }
func (e *foreignError) Unwrap() error { return e.err }

func isForeign(err error) bool { return err != nil && errors.As(err, new(*foreignError)) }
