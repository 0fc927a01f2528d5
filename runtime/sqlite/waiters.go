package sqlite

import "sync"

// waiters tells those who wait for something in the file that it may be there.
type waiters struct {
	mu      sync.Mutex
	waiting int
	change  chan struct{}
}

func (w *waiters) enter() { w.add(1) }
func (w *waiters) leave() { w.add(-1) }

func (w *waiters) add(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting += n
}

// active reports whether anybody waits.
func (w *waiters) active() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waiting > 0
}

// next returns a channel that is closed at the next change.
func (w *waiters) next() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.change == nil {
		w.change = make(chan struct{})
	}
	return w.change
}

// changed wakes those who wait.
func (w *waiters) changed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.change != nil {
		close(w.change)
		w.change = nil
	}
}
