package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// troubleFresh is for how long the last trouble of a link explains why a call came
// to nothing.
const troubleFresh = time.Minute

// A trouble is what has kept a link from its work lately. It is added to the errors of
// calls whose time ran out meanwhile.
type trouble struct{ last atomic.Pointer[noted] }

type noted struct {
	err error
	at  time.Time
}

// note remembers an error that is no matter of a single caller.
func (t *trouble) note(err error) {
	if err != nil && !isContextError(err) {
		t.last.Store(&noted{err, time.Now()})
	}
}

// explain adds the last trouble to an error of a context that has ended.
func (t *trouble) explain(err error) error {
	last := t.last.Load()
	if !isContextError(err) || last == nil || time.Since(last.at) > troubleFresh {
		return err
	}
	why := last.err.Error()
	if strings.Contains(err.Error(), why) {
		return err
	}
	return fmt.Errorf("%w; the last trouble was: %s", err, why)
}

func isContextError(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
