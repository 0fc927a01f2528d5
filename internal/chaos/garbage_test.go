//go:build unix

package chaos

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// T9: garbage is moved to the dead letters, each message with a reason, and
// arguments that are too large are refused. The tasks among the garbage are
// executed. A queue that was deleted is there again for the next task.
func TestGarbage(t *testing.T) {
	onBrokers(t, "T9 garbage, oversize, unroutable", func(tr *trial) {
		garbage := scale(300, 20_000)
		tr.work(tr.url, 1, crew{Concurrency: 10, KeepUnknown: time.Nanosecond})
		tr.produce(tr.url, load{Callers: 8, Count: 2 * garbage})
		if strings.HasPrefix(tr.url, "amqp") {
			tr.publishGarbage(garbage)
		} else {
			tr.insertGarbage(garbage)
		}
		tr.oversize()
		tr.eventually("all garbage is dead", func() bool { return tr.state().Dead == garbage })
		tr.outlast(tr.producers[0])
		if strings.HasPrefix(tr.url, "amqp") {
			tr.deleteQueue()
		}
		tr.require(tr.finish(), allowance{dead: garbage})
		tr.reasons()
	})
}

// badBody returns a body that no argument type of a task has.
func badBody(random *rand.Rand) []byte {
	switch random.IntN(6) {
	case 0:
		return nil
	case 1: // no JSON
		b := make([]byte, 1+random.IntN(1000))
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		b[0] = 0xff
		return b
	case 2: // half of it
		b, _ := json.Marshal(args{Sleep: time.Second, Due: 1})
		return b[:random.IntN(len(b))]
	case 3: // of another type
		return []byte(`{"sleep":"long","due":{}}`)
	case 4: // no object
		return fmt.Appendf(nil, "[%d]", random.Int64())
	default: // deep
		depth := 1 + random.IntN(100_000)
		return append([]byte(`{"sleep":`), bytes.Repeat([]byte("["), depth)...)
	}
}

// publishGarbage publishes messages as a confused producer in another language
// might.
func (tr *trial) publishGarbage(n int) {
	tr.Helper()
	ch, closeChannel := tr.channel()
	defer closeChannel()
	if err := ch.Confirm(false); err != nil {
		tr.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	headers := []amqp.Table{
		{"dtask-attempt": "first"},
		{"dtask-attempt": int64(-1)},
		{"dtask-attempts": int64(0)},
		{"dtask-attempts": amqp.Table{"n": int32(1)}},
		{"dtask-not-before": int64(math.MaxInt64)},
		{"dtask-expires": true},
		{"dtask-schema": []any{"a", int32(1)}},
		{"dtask-failures": "{"},
		{"dtask-failures": []byte{0xff}},
		{"dtask-handed-back": float64(1)},
		{"dtask-handed-back-since": int64(math.MinInt64)},
	}
	var last *amqp.DeferredConfirmation
	for i := range n {
		p := amqp.Publishing{MessageId: fmt.Sprintf("garbage-%d", i), Type: plain.Name(), Headers: amqp.Table{}}
		switch random.IntN(4) {
		case 0: // a body that the task cannot read
			p.Headers["dtask-schema"] = plain.Spec().Schema
			p.Body = badBody(random)
		case 1: // headers that have no meaning
			p.Headers = headers[random.IntN(len(headers))]
			p.Body = []byte(`{"sleep":0,"due":0}`)
		case 2: // no task
			p.Type, p.MessageId = "", ""
		case 3: // a task that no worker has
			p.Type = strings.Repeat("x", 1+random.IntN(40))
			p.Body = []byte(`{"a":1}`)
		}
		var err error
		if last, err = ch.PublishWithDeferredConfirm("", "dtask.queue."+queue, true, false, p); err != nil {
			tr.Fatal(err)
		}
	}
	if !last.Wait() {
		tr.Fatal("the garbage was not accepted")
	}
}

// channel returns a channel to the trial's RabbitMQ.
func (tr *trial) channel() (ch *amqp.Channel, closeConn func()) {
	tr.Helper()
	conn, err := amqp.Dial(tr.url)
	if err != nil {
		tr.Fatal(err)
	}
	if ch, err = conn.Channel(); err != nil {
		tr.Fatal(err)
	}
	return ch, func() { conn.Close() }
}

// insertGarbage inserts rows as a confused program might.
func (tr *trial) insertGarbage(n int) {
	tr.Helper()
	db, insert, most := tr.openStore()
	defer db.Close()
	random := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		row := struct {
			task, schema      string
			body              []byte
			attempt, attempts int64
			headers, failures any
		}{plain.Name(), plain.Spec().Schema, []byte(`{"sleep":0,"due":0}`), 1, 6, nil, nil}
		switch random.IntN(5) {
		case 0:
			row.body = append([]byte{}, badBody(random)...)
		case 1:
			row.headers = "no JSON"
		case 2:
			row.failures = `[{"attempt":"first"`
		case 3:
			row.attempt = most
		case 4:
			row.task, row.schema = strings.Repeat("x", 1+random.IntN(40)), "?"
		}
		_, err := db.Exec(insert, fmt.Sprintf("garbage-%d", i), row.task, queue, row.body, row.schema, row.attempt, row.attempts, row.headers, row.failures)
		if err != nil {
			tr.Fatal(err)
		}
	}
}

// oversize delays tasks whose arguments are too large.
func (tr *trial) oversize() {
	tr.Helper()
	client, err := open(tr.url)
	if err != nil {
		tr.Fatal(err)
	}
	defer client.Close()
	type largeArgs struct {
		Data []byte `json:"data"`
	}
	large := dtask.Define[largeArgs, dtask.None]("chaos.Large", dtask.Spec{Queue: queue})
	for range 20 {
		_, err := large.Delay(dtask.NewContext(tr.Context(), client), largeArgs{make([]byte, broker.MaxBodySize)})
		if !errors.Is(err, dtask.ErrTooLarge) {
			tr.Fatalf("a body beyond the limit: %v, want ErrTooLarge", err)
		}
	}
}

// deleteQueue deletes the queue, which is empty, again and again, and enqueues
// a task each time: RabbitMQ confirms it and drops it, unless it is told to
// return what it cannot route.
func (tr *trial) deleteQueue() {
	tr.Helper()
	client, err := open(tr.url)
	if err != nil {
		tr.Fatal(err)
	}
	defer client.Close()
	ch, closeChannel := tr.channel()
	defer closeChannel()
	ctx, cancel := context.WithTimeout(dtask.NewContext(context.Background(), client), patience)
	defer cancel()
	for i := range 6 {
		if i > 0 { // at first the client gets to know the queue
			if _, err := ch.QueueDelete("dtask.queue."+queue, false, false, false); err != nil {
				tr.Fatal(err)
			}
		}
		id := fmt.Sprintf("deleted%d", i)
		if err := enqueue(ctx, plain, id, 0, 0, tr.ledger); err != nil {
			tr.Fatalf("after its queue was deleted: %v", err)
		}
		tr.await("the task for the deleted queue is executed", func(r *record) bool { return len(r.runs[id]) > 0 })
	}
}

// reasons checks that every dead letter says why it is one.
func (tr *trial) reasons() {
	tr.Helper()
	ctx, cancel := context.WithTimeout(tr.Context(), patience)
	defer cancel()
	letters, err := tr.admin().DeadLetters(ctx, queue, 100_000)
	if err != nil {
		tr.Fatal(err)
	}
	for _, m := range letters {
		if len(m.Failures) == 0 || m.Failures[len(m.Failures)-1].Error == "" {
			tr.Errorf("dead letter %s has no reason", m.ID)
		}
	}
}

// openStore opens the database of a broker beside it. It returns a statement that
// inserts a message, and the largest attempt that fits.
func (tr *trial) openStore() (db *sql.DB, insert string, most int64) {
	tr.Helper()
	driver, place, most := "sqlite", strings.TrimPrefix(tr.url, "sqlite:")+"?_pragma=busy_timeout(60000)", int64(math.MaxInt64)
	insert = `INSERT INTO dtask_messages (id, task, queue, body, schema, attempt, attempts, headers, failures, enqueued_at, due)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0)`
	if server, schema, ok := strings.Cut(tr.url, "&schema="); ok {
		driver, place, most = "pgx", server, math.MaxInt32
		insert = `INSERT INTO ` + schema + `.dtask_messages (id, task, queue, body, schema, attempt, attempts, headers, failures)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	}
	db, err := sql.Open(driver, place)
	if err != nil {
		tr.Fatal(err)
	}
	return db, insert, most
}
