package broker

import (
	"context"
	"time"
)

// An Editor is the capability to change messages that wait or are dead letters.
//
// A change applies to a message as it was listed. What has moved on since, to a
// worker say, or through the hands of another operator, is left alone and not
// counted: of two who retry the same dead letters at once, each letter obeys one.
//
// The errors of its methods wrap [ErrUnsupported], and say why, if the broker
// cannot change messages of that state. After another error some may have been
// changed; the count says how many.
type Editor interface {
	// Edit replaces the arguments of a message. Its error wraps [ErrChanged] if
	// they are not old any more, or if the message has moved on.
	Edit(ctx context.Context, r Ref, old, new Arguments) error

	// Move moves messages to another queue. They stay what they are: a dead letter
	// is then one of that queue. It returns how many it moved.
	Move(ctx context.Context, queue string, rs ...Ref) (int, error)

	// Retry makes delayed messages due now, and returns dead letters to their
	// queues as [Admin.RetryDead] does. It returns how many it changed: those that
	// are ready already do not count.
	Retry(ctx context.Context, rs ...Ref) (int, error)

	// Delete deletes messages. It returns how many it deleted.
	Delete(ctx context.Context, rs ...Ref) (int, error)
}

// A Ref names a message as it was when it was listed.
type Ref struct {
	ID, Queue string
	State     State
	At        time.Time // see [Stored]
}

// Arguments are what the function is called with.
type Arguments struct {
	Body   []byte // a JSON object
	Schema string // the fingerprint of their type, or empty
}
