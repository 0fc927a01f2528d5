package dtask

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// An Earlier is an earlier version of the arguments of a task, and what becomes of
// messages that have it. dtaskgen knows it from dtask.lock.
//
// If neither Upcast nor Refused is set, such messages are run: every value of the
// earlier version is one of the present version, or is handed back if it is not.
type Earlier struct {
	// Schema is the fingerprint of the earlier argument type.
	Schema string

	// Upcast converts the earlier arguments.
	Upcast Upcaster

	// Refused says why the messages are not run. They are handed back, as if they
	// were of a later build.
	Refused string
}

// An Upcaster converts the arguments of an earlier message. [Upcast] makes one.
type Upcaster struct {
	convert func(ctx context.Context, spec *Spec, m *Message) (any, error)
}

// Upcast returns the upcaster that decodes arguments as Old and converts them with
// fn, which //dtask:upcast marks. It is called by generated code. An error of fn
// moves the message to the dead letters.
func Upcast[Old, New any](fn func(Old) (New, error)) Upcaster {
	return Upcaster{func(ctx context.Context, spec *Spec, m *Message) (any, error) {
		var old Old
		if err := argumentsExact(ctx, spec, m, &old); err != nil {
			return nil, err
		}
		converted, err := fn(old)
		if err != nil {
			return nil, &undecodableError{fmt.Errorf("they are of an earlier version, and converting them failed: %w", err)}
		}
		return converted, nil
	}}
}

// Compose returns a function that calls f and, with what that returns, g. Generated
// code calls it to convert arguments from version to version.
func Compose[A, B, C any](f func(A) (B, error), g func(B) (C, error)) func(A) (C, error) {
	return func(a A) (c C, err error) {
		b, err := f(a)
		if err != nil {
			return c, err
		}
		return g(b)
	}
}

// decodeEarlier decodes the body of a message whose fingerprint is not that of the
// spec. What becomes of it is decided by what is known of the fingerprint, never by
// whether it happens to decode: a string and a []byte are both text in JSON.
func decodeEarlier[A any](ctx context.Context, m *Message, spec *Spec, args *A) error {
	switch fate, reason := judge(spec, m.Schema); fate {
	case broker.FateRuns:
		return argumentsExact(ctx, spec, m, args)
	case broker.FateConverted:
	default:
		return &foreignError{errors.New(reason)}
	}
	converted, err := spec.earlier(m.Schema).Upcast.convert(ctx, spec, m)
	if err != nil {
		return err
	}
	var ok bool
	if *args, ok = converted.(A); !ok {
		return &undecodableError{fmt.Errorf("the upcaster of schema %s returns %T instead of %T; run dtaskgen", m.Schema, converted, *args)}
	}
	return ctx.Err()
}

// judge says what becomes of messages with a fingerprint, and why they are not run. A
// producer in another language knows no fingerprint.
func judge(spec *Spec, schema string) (f broker.Fate, reason string) {
	if schema == spec.Schema || schema == "" {
		return broker.FateRuns, ""
	}
	switch e := spec.earlier(schema); {
	case e == nil:
		return broker.FateUnknown, fmt.Sprintf("its arguments have the schema %s, which this build does not know, as that is newer, or not in dtask.lock", clip(schema))
	case e.Refused != "":
		return broker.FateRefused, "this build cannot run it: " + e.Refused
	case e.Upcast.convert != nil:
		return broker.FateConverted, ""
	}
	return broker.FateRuns, ""
}

// earlier returns the earlier version with a fingerprint, or nil.
func (s *Spec) earlier(schema string) *Earlier {
	i := slices.IndexFunc(s.Earlier, func(e Earlier) bool { return e.Schema == schema })
	if i < 0 {
		return nil
	}
	return &s.Earlier[i]
}

// decodeExact decodes JSON that must fit exactly: no field too many and none too few.
// If it does not, the error is a [foreignError].
func decodeExact(ctx context.Context, body []byte, args any) error {
	if err := checkExact(ctx, body, args, nil); err != nil {
		return err
	}
	return decodeChecked(ctx, body, args)
}

// decodeChecked decodes a body that checkExact has found to fit.
func decodeChecked(ctx context.Context, body []byte, args any) error {
	if err := unmarshal(body, args); err != nil {
		return &foreignError{err} // it is JSON, as checkExact has found
	}
	return ctx.Err()
}

// argumentsExact is decodeExact for the arguments of a message, which may be secret.
func argumentsExact[A any](ctx context.Context, spec *Spec, m *Message, args *A) error {
	decode := decodeKnown
	if m.Schema == "" {
		decode = decodeExact
	}
	if err := decode(ctx, m.Body, args); err != nil {
		return unquoted(spec, m, err, func(body []byte) error { return decode(ctx, body, new(A)) })
	}
	return nil
}
