package rabbitmq

import (
	"hash/maphash"
	"sync"
)

// When a connection is lost, acknowledgements are lost with it, and RabbitMQ
// delivers again what was executed. The process that has executed it knows that,
// and does not do so again: delivery.go keeps a receipt of what it settles, serve.go
// passes the receipts of a lost channel on, and judge (receive.go) asks for them.

// A receipt identifies a message that was executed. A retry has another receipt,
// and so has a message with the same id but another task, other arguments, or
// another time at which it was enqueued.
type receipt struct {
	id, task   string
	attempt    int    // of the header
	enqueuedAt int64  // Unix milliseconds
	body       uint64 // its hash
}

var bodySeed = maphash.MakeSeed()

// of returns the receipt of a message with the given body.
func (r receipt) of(body []byte) receipt {
	r.body = maphash.Bytes(bodySeed, body)
	return r
}

// maxExecuted bounds how many receipts are kept: more than there are deliveries
// in the hands of one worker.
const maxExecuted = 10_000

// executed knows the messages that were executed and may be delivered again. The
// zero value knows of none.
type executed struct {
	mu       sync.Mutex
	receipts map[receipt]struct{}
}

// add adds messages, the newest last.
func (e *executed) add(rs ...receipt) {
	e.mu.Lock()
	defer e.mu.Unlock()
	rs = rs[max(0, len(rs)-maxExecuted):]
	if e.receipts == nil || len(e.receipts)+len(rs) > maxExecuted {
		e.receipts = make(map[receipt]struct{}, len(rs))
	}
	for _, r := range rs {
		e.receipts[r] = struct{}{}
	}
}

// has reports whether a message was executed.
func (e *executed) has(r receipt) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, ok := e.receipts[r]
	return ok
}
