package dtask

import (
	"encoding/json"
	"errors"
	"fmt"
)

// encode returns the body of a message with the given arguments.
func encode(args any) ([]byte, error) {
	body, err := json.Marshal(args)
	if err != nil {
		return nil, fmt.Errorf("arguments cannot be encoded: %w", err)
	}
	return body, nil
}

// decode fills args with the body of m, for a build whose argument type has
// the fingerprint schema.
//
// A body of the same fingerprint decodes as encoding/json has it; one that
// does not is damaged ([errUndecodable]). A body of another fingerprint comes
// from another build, or from a producer that is no build of this module: it
// must fit exactly, else the error is [errForeign] and the message is another
// build's to run.
func decode(m *Message, schema string, args any) error {
	if m.Schema != schema {
		if !json.Valid(m.Body) {
			return &undecodableError{errors.New("the body is not valid JSON")}
		}
		if err := checkExact(m.Body, args); err != nil {
			return &foreignError{err}
		}
	}
	if err := json.Unmarshal(m.Body, args); err != nil {
		if m.Schema != schema && json.Valid(m.Body) {
			return &foreignError{err}
		}
		return &undecodableError{err}
	}
	return nil
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
