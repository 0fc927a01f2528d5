// Package inbox runs tasks in transactions of your database, so that what they do
// there happens exactly once.
//
// A task that takes a transaction after its context gets one from the worker:
//
//	//dtask:task
//	func Charge(ctx context.Context, tx *sql.Tx, order int64) error { … }
//
// The generated Tasks then asks for the database:
//
//	worker.Main(shop.Tasks(inbox.SQL(db)))
//
// The worker begins the transaction, calls the function, and commits what it did
// together with a row that says that this message is done: in table dtask_inbox, which
// is made if it is missing. If the function fails, all of it is rolled back, and the
// task is retried as any other. Brokers deliver a message again if the worker dies at
// the wrong moment; then the row is there, and the function is not called. This holds
// for every broker, also for one that is no database.
//
// What the function does elsewhere, a mail or a call of another service, is no part of
// the transaction: that may happen more than once. To enqueue in the transaction, see
// WithTx of the package of the broker.
//
// For a pgx.Tx there is package pgxinbox.
//
// Rows are kept for 30 days, and have the name of the broker. A message that is
// delivered again after a longer time, because its queue was paused, runs again. If you
// give an id of your own ([dtask.ID]) to two messages of a task within 30 days, the
// second one counts as done and does not run.
//
// The pattern is the idempotent receiver of Hohpe and Woolf, Enterprise Integration
// Patterns (2003).
package inbox
