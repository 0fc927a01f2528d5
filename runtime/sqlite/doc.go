// Package sqlite is a broker in a file. It needs no server. Import it, and
// [dtask.Open] knows its URLs:
//
//	import _ "github.com/dtaskhq/dtask/runtime/sqlite"
//
//	client, err := dtask.Open(ctx, "sqlite:tasks.db")
//
// The URL names the file: sqlite:tasks.db, sqlite:/var/lib/app/tasks.db, or
// sqlite:///var/lib/app/tasks.db. Escape a character that has a meaning in URLs
// (%3F for a question mark). If there is no file, Open makes it, readable to its
// owner alone. The directory must exist. The file may be the database of your
// application.
//
// The names of all tables and indexes begin with the namespace and an underscore:
// dtask_messages, dtask_queues. Do two programs share a file, and not run each
// other's tasks? Then give each a namespace in its URL: with
// sqlite:tasks.db?namespace=shop the table is shop_messages. A namespace is a
// lower-case letter, and then lower-case letters, digits and underscores. A program
// sees nothing of another namespace: no queues, messages, results, ticks or pauses.
// Writers wait for each other all the same, as the file has one lock.
//
// Any number of processes on one machine may use one file. A network file system
// does not work, because SQLite keeps a part of its log in shared memory. In a
// container mount the directory of the file, as there are more files beside it.
// Open refuses a file that is mounted alone, or that has several names (hard
// links).
//
// At each commit, and once a second, a broker looks whether its paths still lead to
// the files that it has open. If they were deleted, moved or replaced, or if the
// file is damaged or read-only, the broker gives up: Delay and the workers end with
// the reason. A process that finds damage leaves a file beside the database,
// tasks.db-damaged, so that all others notice. The file goes when a process opens
// the database and finds it sound.
//
// In a process with a broker, open the file only with drivers that are built on
// modernc.org/sqlite. Do not use mattn/go-sqlite3 there, nor os.Open to make a
// copy: use VACUUM INTO. The reason is that a process that closes a file loses all
// locks that it has on it (https://www.sqlite.org/howtocorrupt.html, 2.2). Then
// another process takes the log for its own, and what the broker writes afterwards
// is lost. Other processes may use any driver.
//
// # What is promised
//
// Enqueue returns when the message is committed and synced to disk (WAL mode,
// synchronous=FULL). One goroutine of each broker writes. It puts all that is
// pending into one transaction: messages, outcomes, claims. So callers share the
// cost of the sync. Where there is fdatasync, the driver uses it in the whole
// process: it is as safe as fsync, and faster.
//
// A process that dies is noticed within a second: each process with a consumer
// holds a lock on a small file beside the database, and the kernel releases the
// lock. Its messages are delivered again, and the attempt counts. A process that
// lives keeps its messages for as long as its tasks take. But if it is suspended,
// and nothing was heard of it for 15 seconds, its messages are delivered again, and
// what it says of them later has no effect. When the whole machine has slept,
// nobody loses messages.
//
// Messages that follow from an outcome (broker.Settlement, field Then) are stored
// in the transaction of the outcome: both or neither. A message whose id is there
// already is taken for the same one. If the disk has no room for them, the outcome
// waits too. If one of them is not valid, none is stored, and the settled message
// becomes a dead letter that says so.
//
// # In the transaction of the application
//
// With [WithTx] a task is enqueued in a transaction of your application on the same
// file. It is there if you commit, and gone if you roll back.
//
// # Where things are
//
// A message comes in through enqueue.go (tx.go: in a transaction of the
// application) and waits in inbox.go for the one goroutine that writes, writer.go.
// fill.go decides how long a transaction waits for more, transaction.go makes it,
// and store.go inserts. columns.go is the table of what a message consists of:
// kinds.go, record.go and forms.go read and write by it, schema.go and migrate.go
// make the tables.
//
// A message goes out through claim.go, as many as prefetch.go says, by the classes
// of classes.go; consumer.go and feed.go hand it to the worker, delivery.go and
// settle.go store what becomes of it, and waiters.go wakes who waits for that.
//
// watch.go notices what other processes commit. liveness.go notices that one has
// died, by the lock of lockfile.go, and lease.go where there are no such locks;
// quarantine.go tells the message that killed its worker from its neighbours, which
// gate.go holds back meanwhile. identity.go notices that the file was replaced, and
// failure.go tells errors that pass from those that somebody has to mend.
// vacuum.go deletes what has expired, repair.go finds what damage has hidden,
// salvage.go goes on after a transaction that failed, and trouble.go says so.
// ticks.go has the schedules, result.go the results; queues.go, dead.go and
// pause.go are for operators, and so are counts.go, list.go and editor.go: what they
// look at walk.go reads, along the lanes of lanes.go. registry.go has the processes that
// run tasks, journal.go and acts.go what became of messages and what operators did;
// cancel.go, pause.go and orders.go what processes are told, and controls.go how they
// hear of it. url.go, file.go and conn.go open the file.
package sqlite
