package broker

import "context"

// MaxPeek is how many messages one peek looks at.
const MaxPeek = 1000

// A Peeker is a broker that cannot show what waits without taking it from the workers for
// a moment.
type Peeker interface {
	// Peek returns up to n of the messages of a queue that are ready: first those that
	// were delayed, then those of a higher priority before others. The workers get them
	// a second or two later, and no attempt is counted. A fault in the middle may count
	// one, or leave a message there twice, under its id; none is lost.
	Peek(ctx context.Context, queue string, n int) ([]Stored, error)
}
