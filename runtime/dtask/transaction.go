package dtask

import "context"

// WithTransaction returns a context in which tasks are enqueued in tx, a
// transaction of the application in the database of the broker: they are
// committed with it. Packages of brokers offer it under a name and with a type
// of their own, as sqlite.WithTx. A broker that cannot enqueue in tx refuses
// with [ErrTransaction]: the message must not outlive a rollback.
func WithTransaction(ctx context.Context, tx any) context.Context {
	return context.WithValue(ctx, transactionKey{}, tx)
}

// TransactionFromContext returns what [WithTransaction] was given, or nil.
func TransactionFromContext(ctx context.Context) any { return ctx.Value(transactionKey{}) }

type transactionKey struct{}
