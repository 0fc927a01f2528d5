package sqlite

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Whatever the form of the statement, what is stored is the message.
func TestInsertForms(t *testing.T) {
	edits := map[*form]func(i int, m *broker.Message){
		alike: func(int, *broker.Message) {},
		plain: func(i int, m *broker.Message) {
			m.Task = fmt.Sprint("pkg.Task", i%3)
			m.Priority = broker.Priority(i%3 - 1)
			m.NotBefore = m.EnqueuedAt.Add(time.Duration(i) * time.Hour)
		},
		whole: func(i int, m *broker.Message) {
			if i%2 == 0 {
				return
			}
			m.Keep = time.Minute
			m.Expires = m.EnqueuedAt.Add(time.Hour)
			m.Headers = map[string]string{"i": fmt.Sprint(i)}
			m.Failures = []broker.Failure{{Attempt: 1, At: m.EnqueuedAt, Error: "e"}}
			m.HandedBack, m.HandedBackSince = i, m.EnqueuedAt
		},
	}
	for want, edit := range edits {
		b := openBroker(t, newFile(t))
		look := openConn(t, b.file)
		messages := newMessages("q", 2*chunks[0]-1) // a statement of each size
		in := newInsert(len(messages))
		for i, m := range messages {
			edit(i, m)
			in.records[i], _ = newRecord(m, time.Now())
		}
		if got := formOf(in.appendTo(nil)); got != want {
			t.Errorf("the messages are inserted by %s, want %s", got.sql[1], want.sql[1])
		}
		mustEnqueue(t, b, messages...)
		i := 0
		if err := look.query(func(row []driver.Value) error {
			if want := append(in.records[i][:], int64(0), nil); !reflect.DeepEqual(row, want) {
				t.Errorf("row %d is %v, want %v", i, row, want)
			}
			i++
			return nil
		}, "SELECT "+strings.Join(stored, ", ")+" FROM dtask_messages ORDER BY seq"); err != nil {
			t.Fatal(err)
		}
		if i != len(messages) {
			t.Errorf("%d rows, want %d", i, len(messages))
		}
		for i, err := range b.EnqueueMany(testContext(t), messages) {
			if !errors.Is(err, broker.ErrDuplicate) {
				t.Errorf("message %d again: %v, want ErrDuplicate", i, err)
			}
		}
	}
}

// Callers that come again while a transaction is filled are in it, as many as
// are expected.
func TestFillExpects(t *testing.T) {
	c, err := openFile(testContext(t), at(newFile(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	w := newWriter(target{}, c, identity{}, soberClock{}, slog.Default())
	put := func() {
		in := newInsert(1)
		in.records[0], _ = newRecord(newMessage("q"), time.Now())
		w.put(func(box *inbox) { box.inserts = append(box.inserts, in) })
	}
	coming := newOperation(func(*conn) error { // executed after what came before it
		put()
		put()
		return nil
	}, nil)
	for _, test := range []struct{ expected, inserts int }{
		{1, 1}, // no more: those have company in the next one
		{2, 3},
		{9, 3}, // some do not come
	} {
		put()
		w.put(func(box *inbox) { box.operations = append(box.operations, coming) })
		w.expected = test.expected
		mustExec(t, c, "BEGIN")
		in, err := w.fill(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if rows := mustInt(t, c, "SELECT count(*) FROM dtask_messages"); len(in.inserts) != test.inserts || int(rows) != test.inserts {
			t.Errorf("%d expected: %d inserts, %d rows, want %d", test.expected, len(in.inserts), rows, test.inserts)
		}
		mustExec(t, c, "ROLLBACK")
		w.take()
	}
}
