package rabbitmq

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 15 * time.Second

	// permanentBackoff is the pause after an error that somebody has to mend.
	permanentBackoff = 30 * time.Second

	// healthy is how long a session lasts for the backoff to start anew.
	healthy = 30 * time.Second
)

// backoff returns the pause before an attempt, from 0: exponential with full
// jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
func backoff(attempt int) time.Duration {
	limit := maxBackoff
	if attempt < 8 {
		limit = min(limit, minBackoff<<attempt)
	}
	return rand.N(limit)
}

// sleep waits for d and reports whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
