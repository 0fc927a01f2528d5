package rabbitmq

import (
	"maps"
	"sync"
	"time"
)

// fateTrust is for how long the fate of a message stands for those of its queue.
const fateTrust = time.Minute

// fates knows what became of lost messages in the last minute, by their queue. The
// zero value knows nothing.
type fates struct {
	listed sync.Once // lostQueue, in the registry

	mu     sync.Mutex
	queues map[string]fate
}

// A fate is what became of a message.
type fate struct {
	at  time.Time
	err error // why it could not be moved, or nil
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

// note notes what became of a message of a queue. It reports whether that is news.
func (f *fates) note(queue string, err error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(f.queues, func(_ string, known fate) bool { return now.Sub(known.at) >= fateTrust })
	known, ok := f.queues[queue]
	if ok && (known.err == nil) == (err == nil) {
		return false
	}
	if f.queues == nil {
		f.queues = make(map[string]fate)
	}
	f.queues[queue] = fate{at: now, err: err}
	return true
}
