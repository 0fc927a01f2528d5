package dtask

import (
	"context"
	"fmt"
	"slices"
)

// through returns last within the middleware of the client. What it returns gives
// one result for each message, whatever the middleware does.
func (c *Client) through(last EnqueueFunc) EnqueueFunc {
	for _, mw := range slices.Backward(c.middleware) {
		if mw == nil {
			return refuseAll("an EnqueueMiddleware is nil")
		}
		if last = mw(last); last == nil {
			return refuseAll("an EnqueueMiddleware returned nil; return a function that calls next")
		}
	}
	return func(ctx context.Context, ms []*Message) (errs []error) {
		defer func() {
			if v := recover(); v != nil {
				errs = slices.Repeat([]error{fmt.Errorf("%w: an EnqueueMiddleware panicked: %v", ErrUnknownOutcome, v)}, len(ms))
			}
		}()
		n := len(ms)
		errs = last(ctx, ms)
		switch {
		case len(errs) == n:
		case len(errs) > 0 && !slices.Contains(errs, nil): // none was enqueued
			errs = slices.Repeat(errs[:1], n)
		default:
			errs = slices.Repeat([]error{fmt.Errorf("%w: an EnqueueMiddleware returned %d results for %d messages; return one for each", ErrUnknownOutcome, len(errs), n)}, n)
		}
		return errs
	}
}

func refuseAll(reason string) EnqueueFunc {
	return func(_ context.Context, ms []*Message) []error {
		return slices.Repeat([]error{fmt.Errorf("not enqueued: %s", reason)}, len(ms))
	}
}
