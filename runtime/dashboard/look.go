package dashboard

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

const (
	// askPatience bounds one question to the broker, and dearPatience one of those that
	// look at many messages.
	askPatience  = 5 * time.Second
	dearPatience = time.Minute

	// pagePatience is how long a page waits for answers, all in all. What is not there by
	// then it shows as it was, or leaves out, and follows soon.
	pagePatience = 100 * time.Millisecond

	// changePatience is how long it waits for what somebody has just changed.
	changePatience = time.Second

	// dear is how many times as long as a question took the broker is then left alone
	// with it.
	dear = 10

	// maxRest bounds that, and maxDearRest where the broker looks at many messages: the
	// question may have waited for the broker to come back.
	maxRest     = 20 * time.Second
	maxDearRest = 3 * time.Minute

	// errorRest is how long it is left alone at most after an error.
	errorRest = 4 * time.Second
)

// A look is something that all pages ask of the broker. It is asked once for all of
// them, and again when somebody wants to see it and the answer is older than every.
type look[T any] struct {
	every    time.Duration
	patience time.Duration // for an answer
	maxRest  time.Duration
	ask      func(context.Context) (T, error)
	board    *Dashboard

	mu      sync.Mutex
	asking  chan struct{} // closed when the answer is there; nil if nobody asks
	tried   time.Time
	asked   time.Time     // when the question began that is asked now
	rest    time.Duration // after that
	changed time.Time     // when it was changed here, and not asked since
	seen    sight[T]
}

// A sight is what was seen last.
type sight[T any] struct {
	value T
	at    time.Time // the zero time: nothing was seen yet
	err   error     // why there is nothing newer
	away  time.Time // since when there is an error
}

func newLook[T any](d *Dashboard, every time.Duration, ask func(context.Context) (T, error)) *look[T] {
	return &look[T]{every: every, patience: askPatience, maxRest: maxRest, ask: ask, board: d}
}

// newDearLook is newLook for a question that may take long.
func newDearLook[T any](d *Dashboard, every time.Duration, ask func(context.Context) (T, error)) *look[T] {
	l := newLook(d, every, ask)
	l.patience, l.maxRest = dearPatience, maxDearRest
	return l
}

// get returns what was seen last. If that is too old it waits for something newer until a
// time, or a little longer if somebody has just changed it, and wants to see that.
func (l *look[T]) get(until time.Time) sight[T] {
	l.mu.Lock()
	if l.changed.IsZero() && time.Since(l.tried) < max(l.every, l.rest) {
		defer l.mu.Unlock()
		return l.seen
	}
	if later := l.changed.Add(changePatience); !until.IsZero() && l.seen.known() && later.After(until) {
		until = later
	}
	if l.asking == nil {
		if !l.board.background(l.renew) {
			defer l.mu.Unlock()
			return l.seen
		}
		l.asking, l.asked = make(chan struct{}), time.Now()
	}
	asking := l.asking
	l.mu.Unlock()
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-asking:
	case <-timer.C:
	}
	return l.last()
}

// peek is get for what takes long: it does not wait for it.
func (l *look[T]) peek() sight[T] { return l.get(time.Time{}) }

// last returns what was seen last, and asks for nothing newer.
func (l *look[T]) last() sight[T] {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen
}

// renew asks the broker. The question outlives the page that had it first.
func (l *look[T]) renew() {
	ctx, cancel := context.WithTimeout(l.board.ctx, l.patience)
	defer cancel()
	began := time.Now()
	value, err := l.ask(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.tried = now
	switch took := now.Sub(began); {
	case err == nil:
		l.rest = min(dear*took, l.maxRest)
	case ctx.Err() != nil: // it takes longer than that, and is not to be asked all the time
		l.rest = l.patience
	default:
		l.rest = min(dear*took, errorRest)
	}
	if l.changed.Before(l.asked) { // what comes of it was seen
		l.changed = time.Time{}
	}
	switch {
	case err == nil:
		l.seen = sight[T]{value: value, at: now}
	case l.seen.err == nil:
		l.seen.err, l.seen.away = err, now
	default:
		l.seen.err = err
	}
	close(l.asking)
	l.asking = nil
}

// again lets the next one who looks ask anew: something was changed here.
func (l *look[T]) again() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changed = time.Now()
}

// waits returns for how long the question has been without an answer that is asked now.
func (l *look[T]) waits(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asking == nil {
		return 0
	}
	return now.Sub(l.asked)
}

// unsupported reports whether the broker can never tell.
func (s sight[T]) unsupported() bool { return errors.Is(s.err, broker.ErrUnsupported) }

// known reports whether there is an answer, old or new.
func (s sight[T]) known() bool { return !s.at.IsZero() }

// see returns what was seen last of a look, or of a newer one if it comes in the time that
// the page has. What was never seen makes the page one that is not whole.
func see[T any](v *visit, l *look[T]) sight[T] {
	s := l.get(v.until)
	v.pending = v.pending || !s.known() && s.err == nil
	return s
}

// errNotYet: a question is not answered yet.
var errNotYet = errors.New("the broker has not answered yet")

// unseen returns why there is no answer at all.
func (s sight[T]) unseen() error { return cmp.Or(s.err, errNotYet) }
