package dtask

import "context"

// A Database runs functions in transactions of the type Tx, for each message once.
// Get one from package inbox, or pgxinbox.
type Database[Tx any] interface {
	// Once calls f in a transaction, and commits it together with a record that the
	// task is done for the message, and of what f returned. If f returns an error or
	// panics, the transaction is rolled back, and nothing is recorded.
	//
	// If it is recorded as done already, Once returns what f returned then, and does
	// not call it.
	Once(ctx context.Context, key OnceKey, f func(context.Context, Tx) ([]byte, error)) ([]byte, error)
}

// A OnceKey names a message, and the task that it is done by: at each delivery the same.
type OnceKey struct {
	Store string // where the broker has its messages, see broker.Identity
	Task  string
	ID    string // of the message
}

// BindTx returns the entry for a table that runs t with fn in a transaction of db.
// What fn does in that transaction happens once, however often the message is
// delivered. Generated code calls it.
func BindTx[A, R, Tx any](t Task[A, R], db Database[Tx], fn func(context.Context, Tx, A) (R, error)) BoundTask {
	if db == nil {
		return BoundTask{Name: t.name, Spec: *t.spec, flaw: "Tasks was given no database for its transaction; pass inbox.SQL(db), say"}
	}
	return t.bind(func(ctx context.Context, m *Message, args A) ([]byte, error) {
		called := false
		c := FromContext(ctx)
		key := OnceKey{Task: t.name, ID: m.ID}
		if c != nil {
			key.Store = c.store()
		}
		result, err := db.Once(ctx, key, func(ctx context.Context, tx Tx) ([]byte, error) {
			called = true
			r, err := fn(ctx, tx, args)
			return resultOf(m, &r, err)
		})
		if err == nil && !called && c != nil {
			c.Logger().InfoContext(ctx, "task was done by an earlier delivery of its message; not run again", "task", t.name, "id", m.ID)
		}
		return result, err
	})
}
