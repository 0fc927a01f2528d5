package sqlite

import "github.com/dtaskhq/dtask/runtime/broker"

// inbox is what waits for the next transaction.
type inbox struct {
	settlements []settlement
	inserts     []*insert
	operations  []*operation
	closing     bool
	closed      bool
}

func (in *inbox) empty() bool {
	return len(in.settlements) == 0 && len(in.inserts) == 0 && len(in.operations) == 0 && !in.closing
}

// add adds what is in another one.
func (in *inbox) add(other *inbox) {
	in.settlements = append(in.settlements, other.settlements...)
	in.inserts = append(in.inserts, other.inserts...)
	in.operations = append(in.operations, other.operations...)
}

// wakeUp makes the writer look at the inbox and the consumers.
func (w *writer) wakeUp() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// put adds to the inbox. It returns [broker.ErrClosed] once the writer takes
// nothing more.
func (w *writer) put(add func(*inbox)) error {
	w.mu.Lock()
	if w.inbox.closed {
		w.mu.Unlock()
		return broker.ErrClosed
	}
	add(&w.inbox)
	w.mu.Unlock()
	w.wakeUp()
	return nil
}

// take empties the inbox.
func (w *writer) take() inbox {
	w.mu.Lock()
	defer w.mu.Unlock()
	in := w.inbox
	w.inbox = inbox{closing: in.closing, closed: in.closing}
	if len(in.settlements) > 0 {
		w.committing = append(w.committing, in.settlements)
	}
	return in
}

// waiting returns how many callers wait with messages to be stored.
func (w *writer) waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.inbox.inserts)
}

// close makes what is in the inbox durable and ends the goroutine.
func (w *writer) close() error {
	w.put(func(in *inbox) { in.closing = true })
	<-w.done
	return w.closeErr
}

func (w *writer) isClosing() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.inbox.closing
}
