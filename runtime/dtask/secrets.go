package dtask

import (
	"context"
	"errors"
	"strings"

	"github.com/dtaskhq/dtask/internal/secrets"
)

// unquoted returns an error of decoding that quotes no secret: err itself if the same
// text comes of a body without its secret values, or else one that says so. again
// decodes such a body, to nowhere.
//
// Errors of decoders quote what they do not take, a number or a time. They go into logs
// and into the history of the message.
func unquoted(spec *Spec, m *Message, err error, again func(body []byte) error) error {
	hide := spec.hider(m.Schema)
	if hide == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	for _, mask := range []secrets.Mask{secrets.Null, secrets.Zero} {
		if masked, failed := hide(m.Body, mask); failed == nil {
			if other := again(masked); other != nil && other.Error() == err.Error() {
				return err
			}
		}
	}
	quiet := errors.New("they do not fit, and why is not shown, for that may quote a secret field")
	if isForeign(err) {
		return &foreignError{quiet}
	}
	return &undecodableError{quiet}
}

// hider returns what hides the secrets of arguments with a fingerprint, or nil if they
// have none. Of those of an earlier version nobody knows where they are.
func (s *Spec) hider(fingerprint string) func(body []byte, mask secrets.Mask) ([]byte, error) {
	lines := secrets.Of(s.Fields, s.Schema)
	if len(lines) == 0 {
		return nil
	}
	if fingerprint != "" && fingerprint != s.Schema {
		return secrets.HideAll
	}
	return func(body []byte, mask secrets.Mask) ([]byte, error) {
		secret, err := secrets.Parse(lines)
		if err != nil {
			return nil, err
		}
		return secrets.Hide(body, mask, secret)
	}
}

// withoutSecrets returns a text without the secret arguments of a message.
func (s *Spec) withoutSecrets(text string, m *Message) string {
	hide := s.hider(m.Schema)
	if hide == nil || text == "" {
		return text
	}
	var values []string
	if _, err := hide(m.Body, func(value []byte) []byte {
		values = append(values, secrets.Values(value)...)
		return secrets.Stars(value)
	}); err != nil {
		return "its arguments have secrets that cannot be told apart, so that nothing of this is shown\n"
	}
	return secrets.Without(text, values)
}

// withoutSecretsIn returns the error of an attempt, without the secret arguments in its
// text. Errors of decoding have none: see [unquoted].
func (s *Spec) withoutSecretsIn(err error, m *Message) error {
	if err == nil || isForeign(err) || errors.As(err, new(*undecodableError)) {
		return err
	}
	text := errorText(err)
	if shown := s.withoutSecrets(text, m); shown != text {
		return &maskedError{err, strings.TrimSpace(shown)}
	}
	return err
}

// A maskedError is an error that says less.
type maskedError struct {
	error
	text string
}

func (e *maskedError) Error() string { return e.text }
func (e *maskedError) Unwrap() error { return e.error }
