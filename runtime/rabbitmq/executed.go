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

// A finished is a message that was executed, and the outcome.
type finished struct {
	receipt
	outcome string
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
	receipts map[receipt]string // with the outcome
}

// add adds messages, the newest last.
func (e *executed) add(fs ...finished) {
	e.mu.Lock()
	defer e.mu.Unlock()
	fs = fs[max(0, len(fs)-maxExecuted):]
	if e.receipts == nil || len(e.receipts)+len(fs) > maxExecuted {
		e.receipts = make(map[receipt]string, len(fs))
	}
	for _, f := range fs {
		e.receipts[f.receipt] = f.outcome
	}
}

// has reports whether a message was executed, and with which outcome.
func (e *executed) has(r receipt) (outcome string, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	outcome, ok = e.receipts[r]
	return outcome, ok
}
