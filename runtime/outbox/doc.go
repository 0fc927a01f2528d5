// Package outbox enqueues tasks in transactions of your database, whatever the broker
// is. Such a task is a row of table dtask_outbox, and part of the transaction: it is
// there when that commits, and gone when it is rolled back. Every process that has the
// outbox relays the rows to the broker, and deletes each once the broker has confirmed
// its message.
//
//	box := outbox.SQL(db)
//	client, err := dtask.Open(ctx, "amqp://…", dtask.WithOutbox(box))
//	…
//	tx, err := db.BeginTx(ctx, nil)
//	…
//	_, err = mail.DelaySendWelcome(outbox.WithTx(ctx, tx), args)
//	…
//	err = tx.Commit()
//
// A process that dies while it relays, or a broker that is away, delays a message and
// loses none. A fault between the confirmation and the deletion enqueues a message a
// second time, under the same id.
//
// The database is PostgreSQL or SQLite. The table is made if it is missing. Each row has
// the place that its message is for, so services with brokers of their own may share it.
//
// The pattern is the transactional outbox of Richardson, Microservices Patterns (2018).
package outbox
