package dtask

import (
	"time"

	"github.com/dtaskhq/dtask/internal/limit"
)

// retryDelay returns the pause after an attempt that failed: base, doubled with
// every attempt after the first, and at most limit.MaxBackoff. A random part of
// it, up to a half, is taken off, so that what failed together does not come
// back together ("equal jitter", https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
func retryDelay(base time.Duration, attempt int, random float64) time.Duration {
	d := limit.MaxBackoff
	if shift := attempt - 1; shift < 32 && base<<shift>>shift == base && base<<shift < limit.MaxBackoff {
		d = base << shift
	}
	return d - time.Duration(random*float64(d)/2)
}
