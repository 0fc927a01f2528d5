package brokertest

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// cyclesEnv sets how often testCycles starts and stops a worker.
const cyclesEnv = "DTASK_TEST_CYCLES"

// A worker and its broker, started and stopped again and again, leave neither
// goroutines nor open files behind.
func testCycles(t *testing.T, store Store) {
	cycles := 20
	if s := os.Getenv(cyclesEnv); s != "" {
		var err error
		if cycles, err = strconv.Atoi(s); err != nil {
			t.Fatalf("%s: %v", cyclesEnv, err)
		}
	}
	url := store(t)
	note := define("note", 0)
	cycle := func() {
		ran := make(chan struct{}, 1)
		b := openURL(t, url)
		_, stop := start(t, b, dtask.WorkerConfig{Concurrency: 3}, dtask.Table{
			bind(note, func(context.Context, string) error { ran <- struct{}{}; return nil }),
		})
		if _, err := note.Delay(dtask.NewContext(Context(t), dtask.NewClient(b)), noteArgs{"x"}); err != nil {
			t.Fatal(err)
		}
		<-ran
		stop()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // what is made once for all
		cycle()
	}
	goroutines, files := runtime.NumGoroutine(), openFiles()
	for range cycles {
		cycle()
	}
	Eventually(t, func() string {
		if g, f := runtime.NumGoroutine(), openFiles(); g > goroutines || f > files {
			return fmt.Sprintf("after %d cycles %d goroutines, were %d; %d open files, were %d", cycles, g, goroutines, f, files)
		}
		return ""
	})
}

// openFiles returns how many files and sockets this process has open, or 0
// where that is not to be had.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}
