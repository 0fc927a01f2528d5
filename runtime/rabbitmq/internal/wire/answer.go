package wire

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	// answerTimeout is how long RabbitMQ may take to answer a call before the
	// connection is given up. It does not pass while RabbitMQ is blocked.
	answerTimeout = 30 * time.Second

	// longestCall is how often that may pass in one call of Declare, which is many
	// calls of RabbitMQ.
	longestCall = 4
)

// ErrNoAnswer is why a connection is over on which RabbitMQ shows signs of life,
// but does not answer.
var ErrNoAnswer = errors.New("RabbitMQ does not answer")

// expectAnswer ends the connection if answered is not called in time. What takes
// several answers may take longer, as long as progress grows; else progress is
// nil.
func (c *Conn) expectAnswer(progress *atomic.Int64) (answered func()) {
	if progress == nil {
		progress = new(atomic.Int64)
	}
	done, before := make(chan struct{}), progress.Load()
	late := time.AfterFunc(answerTimeout, func() { c.awaitAnswer(done, progress, before) })
	return func() {
		if !late.Stop() {
			close(done)
		}
	}
}

// awaitAnswer goes on to wait for an answer that is late, if there is a reason for
// that.
func (c *Conn) awaitAnswer(done <-chan struct{}, progress *atomic.Int64, before int64) {
	tick := time.NewTicker(answerTimeout)
	defer tick.Stop()
	for late := 1; ; late++ {
		now := progress.Load()
		if c.Blocked() != nil {
			late = 0
		} else if now == before || late == longestCall {
			c.endUnanswered(done)
			return
		}
		before = now
		select {
		case <-tick.C:
		case <-done:
			return
		case <-c.done:
			return
		}
	}
}

func (c *Conn) endUnanswered(done <-chan struct{}) {
	select {
	case <-done: // in this moment
	default:
		c.End(fmt.Errorf("connection to %s: %w within %v", c.host, ErrNoAnswer, answerTimeout))
	}
}
