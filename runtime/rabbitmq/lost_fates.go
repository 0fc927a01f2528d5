package rabbitmq

import (
	"maps"
	"sync"
	"time"
)

const (
	// fateTrust is for how long the fate of a message stands for those of its queue.
	fateTrust = time.Minute

	// leastSpread and mostSpread bound over how long a time messages of a queue in
	// trouble are spread when they are tried again.
	leastSpread = 10 * time.Second
	mostSpread  = 5 * time.Minute

	// fateMemory is for how long a fate is known: longer than messages are away.
	fateMemory = 2 * mostSpread
)

// fates knows what became of lost messages lately, by their queue. The zero value
// knows nothing.
type fates struct {
	listed sync.Once // lostQueue, in the registry

	mu     sync.Mutex
	queues map[string]fate
}

// A fate is what became of a message.
type fate struct {
	at    time.Time
	since time.Time // when the first one had it
	err   error     // why it could not be moved, or nil
}

// failed returns why the messages of a queue cannot be moved there at present.
func (f *fates) failed(queue string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if known := f.queues[queue]; time.Since(known.at) < fateTrust {
		return known.err
	}
	return nil
}

// spread returns over how long a time messages of a queue are to be spread that could
// not be moved: about as long as that has lasted. After the crash of a node it soon
// can be, and other troubles last, so that all of them would be tried for nothing.
func (f *fates) spread(queue string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	known, ok := f.queues[queue]
	if !ok {
		return leastSpread
	}
	return min(max(time.Since(known.since), leastSpread), mostSpread)
}

// note notes what became of a message of a queue. It reports whether that is news.
func (f *fates) note(queue string, err error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(f.queues, func(_ string, known fate) bool { return now.Sub(known.at) >= fateMemory })
	known, ok := f.queues[queue]
	same := ok && (known.err == nil) == (err == nil)
	fresh := now.Sub(known.at) < fateTrust
	switch {
	case same && fresh:
		return false
	case !same:
		known.since = now
	}
	if f.queues == nil {
		f.queues = make(map[string]fate)
	}
	f.queues[queue] = fate{at: now, since: known.since, err: err}
	return true
}
