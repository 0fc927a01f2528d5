package sqlite

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Who enqueues or deletes very many does it in parts: others come in between.
func TestManyInParts(t *testing.T) {
	b := openBroker(t, newFile(t))
	const many = 20 * step
	during := func(what string, f func()) {
		t.Helper()
		done := make(chan struct{})
		go func() { defer close(done); f() }()
		for n := 0; ; n++ {
			mustEnqueue(t, b, newMessage("other"))
			select {
			case <-done:
				if n < 5 {
					t.Errorf("%s: only %d others came in between", what, n)
				}
				return
			default:
			}
		}
	}
	during("enqueue", func() {
		for _, err := range b.EnqueueMany(testContext(t), newMessages("q", many)) {
			if err != nil {
				t.Error(err)
			}
		}
	})
	during("purge", func() {
		if n, err := b.Purge(testContext(t), "q"); n != many || err != nil {
			t.Errorf("purged %d, %v, want %d", n, err, many)
		}
	})
}

// A file shrinks while it is written to all the time.
func TestShrinksUnderLoad(t *testing.T) {
	file := newFile(t)
	b := openBroker(t, file)
	mustEnqueue(t, b, newMessages("q", 30_000)...)
	if _, err := b.Purge(testContext(t), "q"); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(testContext(t))
	var load sync.WaitGroup
	load.Go(func() {
		for ctx.Err() == nil {
			b.Enqueue(ctx, newMessage("other"))
			time.Sleep(time.Millisecond)
		}
	})
	defer load.Wait()
	defer stop()
	look := openConn(t, file)
	eventually(t, "the file shrinks", func() bool { return mustInt(t, look, "PRAGMA freelist_count") <= busySparePages })
	eventually(t, "the log shrinks", func() bool {
		info, err := os.Stat(file + "-wal")
		return err == nil && info.Size() < 10_000_000
	})
}

// The start of many consumers takes time in proportion to their number, also beside
// another process that has as many.
func TestManyQueues(t *testing.T) {
	file := newFile(t)
	const queues = 250
	var both sync.WaitGroup
	for range 2 {
		b := openBroker(t, file)
		both.Go(func() {
			for i := range queues {
				if _, err := b.Consume(testContext(t), broker.ConsumeOptions{Queue: fmt.Sprint("q", i), Concurrency: 1}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	start := time.Now()
	both.Wait()
	t.Log(time.Since(start))
}
