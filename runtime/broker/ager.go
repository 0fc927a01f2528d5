package broker

import (
	"context"
	"time"
)

// An Ager is a broker that knows since when the messages of a queue wait.
type Ager interface {
	// OldestDue returns since when the first message that waits has been due, or the
	// zero time if none is due. Like Due of [Admin] it is cheap.
	OldestDue(ctx context.Context, queue string) (time.Time, error)
}
