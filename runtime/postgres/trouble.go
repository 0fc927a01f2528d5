package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	// complainEvery is how often the log has that something is still wrong.
	complainEvery = 10 * time.Second

	// troubleFresh is for how long the last trouble explains why a call came to
	// nothing.
	troubleFresh = time.Minute
)

// trouble is what has kept a broker from its work lately. It is added to the errors of
// calls whose time ran out meanwhile.
type trouble struct {
	mu   sync.Mutex
	err  error
	at   time.Time
	said time.Time // when the log last had some
}

// note remembers an error.
func (t *trouble) note(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err, t.at = err, time.Now()
}

// complain notes an error that keeps the goroutines of the broker from their work, of
// which nobody else may hear, and logs it now and then.
func (b *Broker) complain(err error) {
	err = b.explain(err)
	t := &b.trouble
	t.note(err)
	t.mu.Lock()
	say := time.Since(t.said) > complainEvery
	if say {
		t.said = time.Now()
	}
	t.mu.Unlock()
	if say {
		b.log.Error("tasks or their outcomes wait until the database can be used; trying again", "err", err)
	}
}

// explain adds the last trouble to an error of a context that has ended.
func (t *trouble) explain(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil || time.Since(t.at) > troubleFresh || !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		return err
	}
	why := t.err.Error()
	if strings.Contains(err.Error(), why) {
		return err
	}
	return fmt.Errorf("%w; the last trouble was: %s", err, why)
}
