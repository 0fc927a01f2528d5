package broker

import "context"

// An Ender is a context that has two channels at hand, one of which is closed when
// it ends. To make one channel of them, which is what Done does, would cost more than
// the rest of an enqueue.
type Ender interface {
	Ends() (first, second <-chan struct{})
}

// Ends returns the channels to wait for where a broker would wait for ctx.Done() for
// every message. When either is closed, ctx.Err() says why.
func Ends(ctx context.Context) (first, second <-chan struct{}) {
	if e, ok := ctx.(Ender); ok {
		return e.Ends()
	}
	return ctx.Done(), nil
}
