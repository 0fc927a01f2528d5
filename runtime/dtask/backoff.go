package dtask

import "time"

// MaxBackoff bounds the pause before a retry.
const MaxBackoff = time.Hour

// retryDelay returns the pause before the attempt after the given one:
// base doubled with every attempt, at most max, of which a random part of up
// to a half is taken off, so that what failed together does not come back
// together ("equal jitter", https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
func retryDelay(base time.Duration, attempt int, random float64) time.Duration {
	d := MaxBackoff
	if shift := attempt - 1; shift < 32 && base<<shift>>shift == base && base<<shift < MaxBackoff {
		d = base << shift
	}
	return d - time.Duration(random*float64(d)/2)
}
