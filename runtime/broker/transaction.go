package broker

import "context"

// A Transactor is the capability to enqueue in a transaction of the
// application, in the database of the broker.
type Transactor interface {
	// EnqueueTx enqueues ms in tx, which [WithTransaction] was given: they are
	// committed with it, and gone if it is rolled back. The result has an error,
	// or nil, for each; it is [ErrTransaction] if the broker cannot enqueue in tx.
	EnqueueTx(ctx context.Context, tx any, ms []*Message) []error
}

// WithTransaction returns a context in which tasks are enqueued in tx. The
// package of a broker wraps it in a function with the type of its transactions,
// such as sqlite.WithTx.
func WithTransaction(ctx context.Context, tx any) context.Context {
	return context.WithValue(ctx, transactionKey{}, tx)
}

// Transaction returns what [WithTransaction] was given, or nil.
func Transaction(ctx context.Context) any { return ctx.Value(transactionKey{}) }

type transactionKey struct{}
