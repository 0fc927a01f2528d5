package rabbitmq

import "errors"

// A permanentError will not go away by itself.
type permanentError struct{ err error }

func permanent(err error) error { return &permanentError{err} }

func (e *permanentError) Error() string { return e.err.Error() }

func (e *permanentError) Unwrap() error { return e.err }

func isPermanent(err error) bool {
	var e *permanentError
	return errors.As(err, &e)
}
