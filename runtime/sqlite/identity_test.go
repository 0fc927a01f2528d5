package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/skip"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// A store that is no longer where its URL says is used no more: nobody else would
// see what is enqueued there.
func TestStoreReplaced(t *testing.T) {
	if runtime.GOOS == "windows" {
		skip.Test(t, "Windows does not move or delete an open file")
	}
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	backup := func(t *testing.T, file string) string {
		copied := newFile(t)
		mustExec(t, openConn(t, file), "VACUUM INTO ?", copied)
		return copied
	}
	for name, replace := range map[string]func(t *testing.T, link, file string){
		"deleted":         func(t *testing.T, _, file string) { must(t, os.Remove(file)) },
		"moved":           func(t *testing.T, _, file string) { must(t, os.Rename(file, file+".old")) },
		"directory moved": func(t *testing.T, _, file string) { must(t, os.Rename(filepath.Dir(file), filepath.Dir(file)+".old")) },
		"replaced":        func(t *testing.T, _, file string) { must(t, os.Rename(backup(t, file), file)) },
		"log deleted":     func(t *testing.T, _, file string) { must(t, os.Remove(file+"-wal")) },
		"replaced, no log": func(t *testing.T, _, file string) {
			must(t, os.Rename(backup(t, file), file))
			os.Remove(file + "-wal")
		},
		"index deleted": func(t *testing.T, _, file string) { must(t, os.Remove(file+"-shm")) },
		"link leads elsewhere": func(t *testing.T, link, file string) {
			other := backup(t, file)
			must(t, os.Remove(link))
			must(t, os.Symlink(other, link))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data")
			must(t, os.Mkdir(dir, 0o700))
			file, link := filepath.Join(dir, "tasks.db"), filepath.Join(t.TempDir(), "link.db")
			must(t, os.Symlink(file, link))
			var bs [3]*Broker // of three processes: one that works, one that enqueues, one that has nothing to do
			for i := range bs {
				b, err := Open(testContext(t), "sqlite:"+link, broker.Config{})
				must(t, err)
				t.Cleanup(func() { b.Close() })
				bs[i] = b
			}
			c := mustConsume(t, bs[0], "q", 1)
			mustEnqueue(t, bs[1], newMessage("q"))
			held := receive(t, c)
			replace(t, link, file)
			var err error
			eventually(t, "an enqueue fails", func() bool {
				err = bs[1].Enqueue(testContext(t), newMessage("other"))
				return err != nil
			})
			if !errors.Is(err, errMoved) {
				t.Errorf("error %v, want that the store is not there", err)
			}
			if _, err := bs[2].Due(testContext(t), "q"); !errors.Is(err, errMoved) {
				t.Errorf("a look into a queue: %v, want that the store is not there", err)
			}
			<-bs[0].Failed()
			if _, open := <-c.Deliveries(); open || !errors.Is(bs[0].Err(), errMoved) {
				t.Errorf("the consumer goes on, or gives no reason: %v", bs[0].Err())
			}
			held.Settle(broker.Settlement{Verdict: broker.Done})
			if err := c.Close(testContext(t)); !errors.Is(err, errMoved) {
				t.Errorf("close: %v, want that the outcome is not stored", err)
			}
		})
	}
}

// What processes would use by several names, each with a log of its own, is
// refused.
func TestOpenSeveralNames(t *testing.T) {
	file := newFile(t)
	openBroker(t, file).Close()
	other := file + ".link"
	if err := os.Link(file, other); err != nil {
		skip.Test(t, err)
	}
	for _, name := range []string{file, other} {
		if b, err := Open(testContext(t), "sqlite:"+name, broker.Config{}); err == nil {
			b.Close()
			t.Error("opened")
		} else if !strings.Contains(err.Error(), "it has 2 names (hard links)") {
			t.Errorf("error %v", err)
		}
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	openBroker(t, file)
}
