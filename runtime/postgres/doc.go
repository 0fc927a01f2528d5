// Package postgres is a broker in a PostgreSQL database. Import it, and [dtask.Open]
// knows its URLs:
//
//	import _ "github.com/dtaskhq/dtask/runtime/postgres"
//
//	client, err := dtask.Open(ctx, "postgres://user:password@host/database")
//
// The URL has the parameters of libpq and of the pool of pgx, and three more: schema,
// the schema of the tables; namespace, with which their names begin (dtask); and
// migrate=off, which leaves the tables alone. docs/postgresql.md has the details.
//
// # What is promised
//
// Enqueue returns when the message is committed. What many callers bring shares a
// transaction, and so do outcomes. If the connection is lost meanwhile, it is done
// again under the same id: it is stored once, unless it was executed already.
//
// A process that consumes renews an entry twice a second, and holds an advisory lock on
// a connection of its own. If the lock is free, and nothing was heard of the process for
// 1.5 seconds, it is dead: its messages are delivered again, and the attempt counts. If
// the lock is not free, or there is none because of a pooler, that takes 10 seconds. What
// a process says later of messages that it has lost has no effect: each row counts its
// claims, and an outcome names the claim. Nobody is taken for dead by one who has just
// connected, or could not be heard himself.
//
// A claim, and a sign of life, need not survive a crash of the server; messages and
// outcomes do, as far as its settings allow.
//
// Times are compared by the clock of the database.
//
// # In the transaction of the application
//
// With [WithTx] or [WithSQLTx] a task is enqueued in a transaction of your application.
// It is there if you commit, and gone if you roll back.
//
// # Where things are
//
// url.go, place.go and broker.go open the database; db.go tries until the connection
// works, errors.go tells errors that pass from those that somebody has to mend, and
// trouble.go says so.
// migrate.go makes the tables of migrations/, names.go puts statements into their schema
// and namespace, and migrator.go and drift.go are for operators.
//
// A message comes in through enqueue.go (tx.go: in a transaction of the application, and tx_cancel.go; catalogue.go: by the SQL function dtask_delay),
// and inserter.go puts those of many callers into one statement; blocked.go has those
// whose ids a transaction holds. columns.go is the table of what a message consists of:
// kinds.go and forms.go read and write by it.
//
// A message goes out through claimer.go and claim.go, as many as prefetch.go says, by
// the classes of classes.go, from the floor of floor.go on; consumer.go and feed.go hand it
// to the worker, delivery.go, settler.go and settle.go store what becomes of it.
//
// liveness.go shows that the process lives, quarantine.go frees the messages of those that
// do not, and tells the one that killed its worker from its neighbours, which gate.go
// holds back meanwhile; repair.go frees what nobody holds. notifier.go and listener.go
// tell processes what others have changed.
//
// ticks.go has the schedules, result.go the results, and keeper.go both for those who
// count them; queues.go, oldest.go and dead.go are for operators, and so are counts.go,
// list.go and editor.go, by selection.go and lanes.go. pause.go, cancel.go and orders.go
// control the processes. registry.go has those that run tasks, journal.go what they have
// done, acts.go what operators did. whatis.go says which server it is.
package postgres
