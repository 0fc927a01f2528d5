package dtask

import "sync"

// maxOnce bounds how many keys a [once] remembers.
const maxOnce = 100

// A once tells what is new, for lines that are logged once. Its keys come from
// messages, so it remembers a bounded number of them.
type once struct {
	mu   sync.Mutex
	seen map[string]struct{}
}

// first reports whether a key is new. The first key beyond the bound is tooMany, and
// from then on no key is new.
func (o *once) first(key string) (first, tooMany bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, ok := o.seen[key]; ok || len(o.seen) > maxOnce {
		return false, false
	}
	if o.seen == nil {
		o.seen = make(map[string]struct{})
	}
	o.seen[key] = struct{}{}
	return len(o.seen) <= maxOnce, len(o.seen) > maxOnce
}
