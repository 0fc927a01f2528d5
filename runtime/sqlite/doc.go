// Package sqlite is the broker that needs nothing installed: a file. Import it
// for its effect on [dtask.Open]:
//
//	import _ "github.com/dtaskhq/dtask/runtime/sqlite"
//
//	client, err := dtask.Open(ctx, "sqlite:tasks.db")
//
// The URL names the file, relative or absolute: sqlite:tasks.db,
// sqlite:/var/lib/app/tasks.db, sqlite:///var/lib/app/tasks.db. A character
// that a URL reserves is escaped (%3F for a question mark). The file is made,
// readable to its owner alone, if there is none; its directory must exist. It
// may be the database of the application itself.
//
// The names of all tables and indexes begin with the namespace and an
// underscore: dtask_messages, dtask_queues. Programs that share a file without
// running each other's tasks have a namespace each, which the URL names:
// sqlite:tasks.db?namespace=shop makes it shop_messages. A namespace is a
// lower-case letter and then lower-case letters, digits and underscores. Queues,
// messages, results, ticks and pauses of one are invisible in another; writers of
// all wait for each other, as the file has one lock.
//
// Any number of processes of one machine may use one file. A network file
// system will not do: SQLite's write-ahead log lives in shared memory. In a
// container mount the directory of the file: the log and the locks lie beside it. A
// file that is mounted alone, or has several names (hard links), is refused.
//
// A broker looks at each commit, and once a second, whether its paths still lead to
// the files that it has open. If they were deleted, moved or replaced, or if the
// file is damaged or has become read-only, it gives up: Delay returns the reason,
// workers end with it. Who finds damage leaves a file beside the database
// (tasks.db-damaged), for those who only enqueue; it goes when a process opens the
// database and finds it sound.
//
// In the process of a broker nothing may open the file but the broker and drivers
// that share its library, modernc.org/sqlite: not mattn/go-sqlite3, and not
// [os.Open] for a copy. A process that closes a file loses all the locks that it
// has on it (https://www.sqlite.org/howtocorrupt.html, 2.2); another process would
// then take the log for its own, and what the broker writes afterwards is lost.
// VACUUM INTO makes a copy. Other processes may use any driver.
//
// # What is promised
//
// Enqueue returns once the message is committed and synced to disk (WAL mode,
// synchronous=FULL). One goroutine of each broker writes, and puts all that is
// pending (messages, outcomes, claims) into one transaction, so that callers
// share the cost of the sync. The driver is told to sync by fdatasync where
// there is one, in the whole process: as durable as fsync, and faster.
//
// A process that dies, however it dies, is noticed within a second: each
// consuming process holds a lock on a small file beside the database, which
// the kernel releases. Its messages are delivered again, and the lost attempt
// counts. A process that lives keeps its messages for as long as it takes, unless it
// is suspended: the messages of one that has not been heard of for 15 seconds are
// delivered again, and what it says of them afterwards has no effect. When the whole
// machine has slept, nothing is taken from anybody.
//
// What follows from an outcome ([broker.Settlement], field Then) is stored in the
// transaction of the outcome: both or neither. A message whose id is there
// already is taken for the same. While the disk has no room for what follows, the
// outcome waits with it. If one of them is no valid message, none is stored, and
// the message that was settled becomes a dead letter that says so.
//
// # In the transaction of the application
//
// With [WithTx] a task is enqueued in a transaction of the application's own
// on the same file: committed with it, gone with it.
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
// failure.go tells what passes from what does not.
// vacuum.go deletes what has expired, repair.go finds what damage has hidden,
// salvage.go goes on after a transaction that failed, and trouble.go says so.
// ticks.go has the schedules, result.go the results; queues.go, dead.go and
// pause.go are for operators, and so are counts.go, list.go and editor.go: what they
// look at walk.go reads, along the lanes of lanes.go. url.go, file.go and conn.go open the file.
package sqlite
