package broker

import "context"

// An Ender is a context with two channels, of which one is closed when it ends.
// Done would have to make one channel of them, which costs more than the rest of an
// enqueue.
type Ender interface {
	Ends() (first, second <-chan struct{})
}

// Ends returns two channels. The context ends when one of them is closed, and
// ctx.Err() says why. The second one may be nil. Call it instead of ctx.Done()
// where a broker waits for every message: Delay makes contexts whose Done is slow.
func Ends(ctx context.Context) (first, second <-chan struct{}) {
	if e, ok := ctx.(Ender); ok {
		return e.Ends()
	}
	return ctx.Done(), nil
}
