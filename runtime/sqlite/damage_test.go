package sqlite

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/skip"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// overwrite writes nonsense over the first page of a table or an index, in the file.
func overwrite(t *testing.T, file, name string) {
	t.Helper()
	c := openConn(t, file)
	if err := c.script("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	size := mustInt(t, c, "PRAGMA page_size")
	page := mustInt(t, c, "SELECT rootpage FROM sqlite_schema WHERE name = '"+name+"'")
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() }) // not before: a close drops the locks of SQLite
	junk := []byte(strings.Repeat("\xa5\x00\xff\x3c", int(size)/4))
	if _, err := f.WriteAt(junk, (page-1)*size); err != nil {
		t.Fatal(err)
	}
}

// A database that is damaged is used no more: workers end, and those that only
// enqueue refuse, though they do not read what is damaged.
func TestDamage(t *testing.T) {
	for name, part := range map[string]string{
		"table": "dtask_messages",
		"index": "dtask_waiting",
		"ids":   "sqlite_autoindex_dtask_messages_1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := newFile(t)
			worker, client := openFailing(t, file), openFailing(t, file)
			mustEnqueue(t, client, newMessages("q", 500)...)
			overwrite(t, file, part)
			worker.writer.do(testContext(t), func(c *conn) error { return c.script("PRAGMA shrink_memory") })
			worker.Consume(testContext(t), broker.ConsumeOptions{Queue: "q", Concurrency: 10})
			eventually(t, "the worker's broker gives up", func() bool {
				worker.Enqueue(testContext(t), newMessage("q"))
				return worker.Err() != nil
			})
			if err := worker.Err(); !isDamage(err) || !strings.Contains(err.Error(), "it is damaged") || strings.Count(err.Error(), file) != 1 {
				t.Errorf("reason %v, want that the file is damaged", err)
			}
			eventually(t, "an enqueue of another process fails", func() bool {
				return client.Enqueue(testContext(t), newMessage("other")) != nil
			})
			if _, err := Open(testContext(t), "sqlite:"+file, broker.Config{}); err == nil || !strings.Contains(err.Error(), "damaged") {
				t.Errorf("opened again: %v", err)
			}
		})
	}
}

// What was found damaged can be used again once it is mended.
func TestDamageMended(t *testing.T) {
	file := newFile(t)
	openBroker(t, file).Close()
	markDamaged(file, errors.New("it was"))
	b := openBroker(t, file)
	mustEnqueue(t, b, newMessage("q"))
	if _, err := os.Lstat(markOf(file)); err == nil {
		t.Error("the mark is still there")
	}
}

// What the worker's broker has given up ends the worker, with the reason.
func TestWorkerEndsWithReason(t *testing.T) {
	file := newFile(t)
	b := openFailing(t, file)
	w, err := dtask.NewWorker(dtask.NewClient(b), dtask.WorkerConfig{Queues: map[string]int{"a": 1, "b": 2}}, dtask.Table{})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- w.Run(testContext(t)) }()
	<-w.Ready()
	if err := os.Rename(file, file+".old"); err != nil {
		skip.Test(t, err) // Windows
	}
	if err := <-ended; !errors.Is(err, errMoved) {
		t.Errorf("the worker ends with %v, want that the store is not there", err)
	}
}

// openFailing opens a broker whose close may fail.
func openFailing(t *testing.T, file string) *Broker {
	t.Helper()
	b, err := Open(testContext(t), "sqlite:"+file, broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// An error that may pass is tried again; tables that are gone do not come back.
func TestPermanent(t *testing.T) {
	w := openFailing(t, newFile(t)).writer
	for range 3 {
		w.complain(errors.New("anything"))
	}
	if w.failure() != nil {
		t.Error("given up for an error that may pass")
	}
	if err := w.do(testContext(t), func(c *conn) error {
		_, err := c.exec("SELECT 1 FROM dtask_gone")
		return err
	}); err == nil || w.failure() == nil {
		t.Errorf("tables that are gone: %v, given up for %v", err, w.failure())
	}
}
