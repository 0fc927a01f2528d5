// Package brokers measures dtask on its brokers beside the bare clients of
// these brokers and beside other task systems.
//
// Every system does the same work: a task of a string of 20 bytes and an
// int64 is durable (fsync, publisher confirm) before its caller goes on, and
// is acknowledged after it was executed. Every measurement ends with the proof
// that all tasks were executed.
package brokers

import "context"

// A task is what the systems carry.
type task struct {
	Name string `json:"name"`
	N    int64  `json:"n"`
}

// setup is what a system is opened with.
type setup struct {
	place       string     // the URL of the server, or of the file
	concurrency int        // of the worker
	handle      func(task) // what executing a task means
}

// A system is a task system that is measured.
type system interface {
	// enqueue returns once t is durable. It is called concurrently.
	enqueue(ctx context.Context, t task) error

	// start starts the worker and returns once it consumes.
	start(ctx context.Context) error

	// stop stops the worker, if it was started, and closes the connections.
	// All tasks have been executed.
	stop(ctx context.Context) error
}

// A row is a system in the table.
type row struct {
	name   string
	open   func(context.Context, setup) (system, error)
	role   role
	enough int64   // tasks to preload at most, for systems that drain slowly
	on     *server // nil: each measurement has a SQLite file of its own
}

type role int

const (
	ours role = iota
	raw       // the bare client
	peer
)

// A group is the rows that are compared with its first.
type group struct {
	flag   string // what selects it
	title  string
	rows   []row
	across bool // E is measured across processes, too
}

var groups = []group{
	{flag: "rabbitmq", title: "RabbitMQ", rows: []row{
		{name: "dtask", open: openDtask, role: ours, on: rabbitMQServer},
		{name: "plain amqp091-go, whole messages", open: openRawAMQP(true), role: raw, on: rabbitMQServer},
		{name: "plain amqp091-go, bodies only", open: openRawAMQP(false), role: raw, on: rabbitMQServer},
		{name: "machinery v2", open: openMachinery, role: peer, on: rabbitMQServer},
		{name: "dtask with telemetry, every task traced", open: openObserved, role: peer, on: rabbitMQServer},
		{name: "dtask with two bare spans of the SDK", open: openBareSpans, role: peer, on: rabbitMQServer},
	}},
	{flag: "sqlite", title: "SQLite", across: true, rows: []row{
		{name: "dtask", open: openDtask, role: ours},
		{name: "plain SQL, whole messages", open: openRawSQLite(wholeMessage), role: raw},
		{name: "plain SQL, bodies only", open: openRawSQLite(bodyOnly), role: raw},
		{name: "goqite", open: openGoqite, role: peer, enough: 4000},
		{name: "backlite", open: openBacklite, role: peer, enough: 1000},
		{name: "River on SQLite", open: openRiverSQLite, role: peer, enough: 4000},
		{name: "dtask with telemetry, every task traced", open: openObserved, role: peer},
		{name: "dtask with two bare spans of the SDK", open: openBareSpans, role: peer},
	}},
	{flag: "postgresql", title: "PostgreSQL", rows: []row{
		{name: "dtask", open: openDtask, role: ours, on: postgreSQLServer},
		{name: "plain pgx, whole messages", open: openRawPgx, role: raw, on: postgreSQLServer},
		{name: "River on PostgreSQL", open: openRiverPostgreSQL, role: peer, on: postgreSQLServer},
		{name: "gue", open: openGue, role: peer, enough: 20_000, on: postgreSQLServer},
		{name: "dtask with telemetry, every task traced", open: openObserved, role: peer, on: postgreSQLServer},
		{name: "dtask with two bare spans of the SDK", open: openBareSpans, role: peer, on: postgreSQLServer},
	}},
	{flag: "other", title: "Other servers", rows: []row{
		{name: "dtask on SQLite", open: openDtask, role: ours},
		{name: "dtask on PostgreSQL", open: openDtask, role: ours, on: postgreSQLServer},
		{name: "dtask on RabbitMQ", open: openDtask, role: ours, on: rabbitMQServer},
		{name: "asynq on Redis", open: openAsynq, role: peer, enough: 20_000, on: redisServer},
		{name: "River on PostgreSQL", open: openRiverPostgreSQL, role: peer, on: postgreSQLServer},
	}},
}
