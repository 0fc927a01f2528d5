package broker

import "context"

// A Transactor is a broker that can enqueue in a transaction of the application, in
// the same database.
type Transactor interface {
	// EnqueueTx enqueues ms in tx, the transaction that [WithTransaction] was
	// given. They are there when it is committed, and gone when it is rolled back.
	// It returns an error, or nil, for each message: [ErrTransaction] if the broker
	// cannot enqueue in tx.
	EnqueueTx(ctx context.Context, tx any, ms []*Message) []error
}

// A TxCanceller is a [Transactor] that can cancel in a transaction, too.
type TxCanceller interface {
	// CancelTx is Cancel of a [Canceller] that counts when tx is committed, and never if
	// it is rolled back. With [CancelAsked] the worker is told after the commit.
	CancelTx(ctx context.Context, tx any, ids ...string) ([]Cancellation, error)
}

// WithTransaction returns a context in which tasks are enqueued in tx, a
// transaction of the application. A broker offers it as a function for its own kind
// of transaction, such as sqlite.WithTx.
func WithTransaction(ctx context.Context, tx any) context.Context {
	return context.WithValue(ctx, transactionKey{}, tx)
}

// Transaction returns what [WithTransaction] was given, or nil.
func Transaction(ctx context.Context) any { return ctx.Value(transactionKey{}) }

type transactionKey struct{}
