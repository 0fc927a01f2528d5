package dtask

import (
	"time"

	"github.com/dtaskhq/dtask/internal/limit"
)

// retryDelay returns the pause after an attempt that failed: base, doubled with
// every attempt after the first, and at most limit.MaxBackoff. It is shortened by
// up to a half, as random in [0, 1) says, so that tasks that failed together are
// not retried together ("equal jitter",
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
func retryDelay(base time.Duration, attempt int, random float64) time.Duration {
	d := limit.MaxBackoff
	if shift := attempt - 1; shift < 32 && base<<shift>>shift == base && base<<shift < limit.MaxBackoff {
		d = base << shift
	}
	return d - time.Duration(random*float64(d)/2)
}
