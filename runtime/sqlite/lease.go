package sqlite

import "time"

const (
	// lease is how long the consumers of a process are taken to work after their
	// last heartbeat. A process that is suspended holds its lock, and works on
	// nothing. Where the lock cannot be tested, for its file was deleted or the
	// file system has no locks, the lease alone says who lives.
	lease     = 15 * time.Second
	heartbeat = lease / 3

	// lateHeartbeat is when a process that could not renew its own lease no
	// longer expects it of the others: the file was locked, or the machine slept.
	lateHeartbeat = lease / 2
)

// runOut reports whether a lease has run out. One that goes on for too long was
// renewed before the clock was set back, and not since.
func runOut(until, now time.Time) bool {
	return now.After(until) || until.Sub(now) > lease+heartbeat
}

// provesDeath reports whether a lease that has run out means that its process is dead
// or suspended. It does if this process could renew its own lease all the while, as a
// living one could have done.
func (l *liveness) provesDeath(now time.Time) bool {
	return now.Sub(l.steady) > heartbeat && l.sinceRenewal(now) < lateHeartbeat
}

// sinceRenewal returns how old the lease is, by the time that has passed or by
// the clock, whichever is more: the machine may have slept, or the clock been set.
func (l *liveness) sinceRenewal(now time.Time) time.Duration {
	return max(now.Sub(l.renewed), now.Round(0).Sub(l.renewed).Abs())
}

// needsRenewal reports whether the lease is to be renewed.
func (l *liveness) needsRenewal(now time.Time) bool { return l.sinceRenewal(now) >= heartbeat }

// noteRenewal is called when the lease has been renewed.
func (l *liveness) noteRenewal(now time.Time) {
	if l.sinceRenewal(now) >= lateHeartbeat {
		l.steady = now
	}
	l.renewed = now
}
