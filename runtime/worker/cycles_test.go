package worker

import (
	"cmp"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// cyclesEnv sets how often TestCycles starts and stops a worker.
const cyclesEnv = "DTASK_TEST_CYCLES"

// After many starts and stops, goroutines and files are what they were.
func TestCycles(t *testing.T) {
	cycles, err := strconv.Atoi(cmp.Or(os.Getenv(cyclesEnv), "50"))
	if err != nil {
		t.Fatal(err)
	}
	p := &program{
		name: "worker", getenv: func(string) string { return "" }, stdout: io.Discard, stderr: io.Discard,
		log:    slog.New(slog.DiscardHandler),
		tables: []dtask.Table{{greetTask.Bind(nil), purgeTask.Bind(nil)}},
	}
	p.config, err = parseConfig("worker", []string{"-url", "sqlite:" + filepath.Join(t.TempDir(), "tasks.db"), "-health", "127.0.0.1:0"}, p.getenv)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.checkTables(); err != nil {
		t.Fatal(err)
	}
	cycle := func() {
		stop := newStopper()
		release := stop.obeySignals(p.log)
		front, err := p.openFront(stop.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.work(stop, beatInterval, func(r report) {
			front.publish(r)
			if r.Ready {
				stop.begin()
			}
		}); err != nil {
			t.Fatal(err)
		}
		front.close()
		release()
	}
	cycle() // what is made once
	goroutines, files := runtime.NumGoroutine(), openFiles()
	for range cycles {
		cycle()
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines after %d cycles, %d before", runtime.NumGoroutine(), cycles, goroutines)
		}
	}
	if n := openFiles(); n > files {
		t.Errorf("%d open files after %d cycles, %d before", n, cycles, files)
	}
}

// openFiles counts the file descriptors of this process, where that is known.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}
