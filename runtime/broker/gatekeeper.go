package broker

import "context"

// A Gatekeeper is a broker that has a process run some messages alone: those that may have
// killed their worker. If the process dies again, it is clear which message did it.
//
// But processes can die together, as the kernel kills a whole control group for want of
// memory. Then "alone" has to mean alone among all of them. Which ones these are, only the
// program knows; it tells the broker with Among, and each of them calls Quiet when another
// one is to be alone. Brokers need not implement it that see in their store what other
// processes run.
type Gatekeeper interface {
	// Quiet has the process take no more messages, waits until none runs, and returns
	// what lets it go on. If ctx ends before that, the process goes on, and the error is
	// that of ctx.
	Quiet(ctx context.Context) (resume func(), err error)

	// Among has the broker call alone before each message that is to run alone, when
	// nothing else runs in this process any more. alone returns when the others are
	// quiet, or have taken too long, or when ctx has ended. The broker calls release
	// after the message. Among is called before anything is consumed.
	Among(alone func(ctx context.Context) (release func()))
}
