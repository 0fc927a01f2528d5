package sqlite

import (
	"database/sql/driver"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A row that cannot be read goes to the dead letters, with the reason; its
// neighbours do not notice.
func TestDamagedRows(t *testing.T) {
	file := newFile(t)
	b := openBroker(t, file)
	edit := openConn(t, file)
	damage := map[string]string{ // column → what is in it
		"headers":           `'{"a":'`,
		"failures":          `'{"not":"an array"}'`,
		"attempt":           `-1`,
		"attempts":          `99999999999999`,
		"priority":          `0`, // sound
		"keep":              `9223372036854775807`,
		"handed_back":       `-9223372036854775808`,
		"handed_back_since": `9223372036854775807`, // a time, if a late one
		"crashes":           `9223372036854775807`,
	}
	sound := map[string]bool{"priority": true, "handed_back_since": true}
	for column, value := range damage {
		m := newMessage("q")
		m.ID = column
		mustEnqueue(t, b, m)
		mustExec(t, edit, "UPDATE dtask_messages SET "+column+" = "+value+" WHERE id = ?", column)
	}
	c := mustConsume(t, b, "q", 20)
	for range sound {
		d := receive(t, c)
		if !sound[d.Message().ID] {
			t.Errorf("delivered with a damaged %s: %+v", d.Message().ID, d.Message())
		}
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	flush(t, b)
	dead, err := b.DeadLetters(testContext(t), "q", 100)
	if err != nil {
		t.Fatal(err)
	}
	if len(dead) != len(damage)-len(sound) {
		t.Errorf("%d dead letters, want %d", len(dead), len(damage)-len(sound))
	}
	for _, m := range dead {
		n := len(m.Failures)
		if n == 0 || m.Failures[n-1].Kind != broker.FailureUndecodable || !strings.Contains(m.Failures[n-1].Error, m.ID+" is ") {
			t.Errorf("dead letter %s says %+v", m.ID, m.Failures)
		}
	}
}

// maintain makes b do what it does at each heartbeat.
func maintain(t *testing.T, b *Broker) {
	t.Helper()
	if err := b.writer.await(testContext(t), newOperation(
		func(*conn) error { return nil },
		func() { b.writer.liveness.renewed = time.Time{} },
	)); err != nil {
		t.Fatal(err)
	}
	flush(t, b)
}

// What no claim would find is among the dead letters with the next heartbeat, or
// runs.
func TestMisplacedRows(t *testing.T) {
	file := newFile(t)
	b := openBroker(t, file)
	edit := openConn(t, file)
	impossible := []string{
		"priority = 7", "priority = -5", "state = 7", "state = -1", "quarantine = -1",
		"due = 9223372036854775807", "state = 3, attempt = -1",
	}
	for _, set := range impossible {
		m := newMessage("q")
		m.ID = set
		mustEnqueue(t, b, m)
		mustExec(t, edit, "UPDATE dtask_messages SET "+set+" WHERE id = ?", set)
	}
	c := mustConsume(t, b, "q", 1)
	maintain(t, b)
	dead, err := b.DeadLetters(testContext(t), "q", 100)
	if err != nil || len(dead) != len(impossible) {
		t.Fatalf("dead letters: %v, %v, want %d", dead, err, len(impossible))
	}
	for _, m := range dead {
		if len(m.Failures) != 1 || !strings.Contains(m.Failures[0].Error, " is ") {
			t.Errorf("dead letter %s says %+v", m.ID, m.Failures)
		}
	}

	for _, set := range []string{"state = 1", "state = 1, owner = 99999", "state = 1, owner = 99999, crashes = 9223372036854775807"} {
		m := newMessage("q")
		m.ID = set
		m.NotBefore = time.Now().Add(time.Hour)
		mustEnqueue(t, b, m)
		mustExec(t, edit, "UPDATE dtask_messages SET due = 0, "+set+" WHERE id = ?", set)
		maintain(t, b)
		d := receive(t, c)
		if d.Message().ID != set || d.Message().Attempt < 2 || d.Message().Attempt > m.Attempts {
			t.Errorf("%s: delivered %s at attempt %d, want one after a crash", set, d.Message().ID, d.Message().Attempt)
		}
		d.Settle(broker.Settlement{Verdict: broker.Done})
		flush(t, b)
	}
}

// FuzzReadMessage reads rows of any content: it neither panics nor returns a
// message that the worker could not handle.
func FuzzReadMessage(f *testing.F) {
	now := time.Now()
	good, err := newRecord(newMessage("q"), now)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(0, "x", int64(-1), byte('s'))
	f.Add(12, `{"a":1}`, int64(0), byte('s'))
	f.Add(13, `[{"attempt":1}]`, int64(0), byte('s'))
	f.Add(9, "", int64(1<<62), byte('i'))
	f.Fuzz(func(t *testing.T, column int, text string, number int64, kind byte) {
		row := good
		var value driver.Value
		switch kind {
		case 'i':
			value = number
		case 's':
			value = text
		case 'b':
			value = []byte(text)
		case 'f':
			value = float64(number)
		}
		row[uint(column)%uint(len(row))] = value
		var m broker.Message
		if err := readMessage(&m, row[:]); err != nil {
			if !strings.Contains(err.Error(), "damaged") || len(err.Error()) > 2000 {
				t.Errorf("error %q", err)
			}
			return
		}
		if m.Attempt < 1 || m.Attempts < 1 || m.Priority < broker.PriorityLow || m.Priority > broker.PriorityHigh || m.Keep < 0 {
			t.Errorf("read %+v", m)
		}
		again, err := newRecord(&m, now)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		var m2 broker.Message
		if err := readMessage(&m2, again[:]); err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if third, err := newRecord(&m2, now); err != nil || !reflect.DeepEqual(again, third) {
			t.Errorf("read %+v, written and read again %+v, %v", m, m2, err)
		}
	})
}

// A message of a clock that is ahead, or was, is due at once if it has no delay,
// and after its delay if it has one.
func TestDueByOurClock(t *testing.T) {
	m, now := newMessage("q"), time.Now().Truncate(time.Millisecond)
	m.EnqueuedAt = now.Add(time.Hour)
	for _, delay := range []time.Duration{0, time.Minute, 2 * time.Hour} {
		if delay > 0 {
			m.NotBefore = now.Add(delay)
		}
		r, err := newRecord(m, now)
		if err != nil {
			t.Fatal(err)
		}
		if due := time.UnixMilli(r.due()); !due.Equal(now.Add(delay)) {
			t.Errorf("with a delay of %v due after %v", delay, due.Sub(now))
		}
	}

	b := openBroker(t, newFile(t))
	m = newMessage("q")
	m.EnqueuedAt = now.Add(time.Hour)
	mustEnqueue(t, b, m)
	receive(t, mustConsume(t, b, "q", 1)).Settle(broker.Settlement{Verdict: broker.Done})
}

// A message is never due before its time: what is below a millisecond counts.
func TestDueIsRoundedUp(t *testing.T) {
	m := newMessage("q")
	m.NotBefore = m.EnqueuedAt.Add(time.Hour).Truncate(time.Millisecond).Add(time.Nanosecond)
	r, err := newRecord(m, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if due := time.UnixMilli(r.due()); due.Before(m.NotBefore) || due.Sub(m.NotBefore) >= time.Millisecond {
		t.Errorf("due %v, not before %v", due, m.NotBefore)
	}
}
