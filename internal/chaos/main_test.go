//go:build unix

package chaos

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"testing"
	"time"

	_ "github.com/dtaskhq/dtask/runtime/postgres"
	_ "github.com/dtaskhq/dtask/runtime/rabbitmq"
	_ "github.com/dtaskhq/dtask/runtime/sqlite"
)

// roleEnv makes the test binary a process of a trial: it holds the role.
const roleEnv = "DTASK_CHAOS_ROLE"

// A role is what a process of a trial is to do.
type role struct {
	Name    string // unique in the trial
	URL     string // of the broker
	Dir     string // of the ledger
	Produce *load  // nil: it enqueues nothing
	Work    *crew  // nil: it executes nothing
}

func TestMain(m *testing.M) {
	text := os.Getenv(roleEnv)
	if text == "" {
		slog.SetDefault(slog.New(slog.DiscardHandler)) // the inspectors lose their connections, too
		os.Exit(m.Run())
	}
	var r role
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		panic(err)
	}
	if err := r.play(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", r.Name, err)
		os.Exit(1)
	}
}

// play does what the role says until SIGTERM, or until the producer has
// produced all it should. It ends at once when the process that started it is
// gone.
//
// It prints "ready", and at the end the number of goroutines before and after.
func (r *role) play() error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	slog.SetLogLoggerLevel(slog.LevelWarn)
	log, err := openLedger(r.Dir, r.Name)
	if err != nil {
		return err
	}
	before := runtime.NumGoroutine()

	stopped := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		select {
		case <-stop:
		case <-ended:
		}
		close(stopped)
	}()
	err = r.perform(log, stopped)
	close(ended)
	<-stopped
	if err != nil {
		return err
	}
	after := runtime.NumGoroutine()
	for deadline := time.Now().Add(5 * time.Second); after > before && time.Now().Before(deadline); after = runtime.NumGoroutine() {
		time.Sleep(10 * time.Millisecond) // they end soon after what they belong to
	}
	if after > before {
		stacks := make([]byte, 1<<20)
		fmt.Fprintf(os.Stderr, "left behind:\n%s\n", stacks[:runtime.Stack(stacks, true)])
	}
	fmt.Printf("goroutines %d %d\n", before, after)
	return nil
}

// perform opens the broker and enqueues, executes, or both.
func (r *role) perform(log *ledger, stopped <-chan struct{}) error {
	produced, worked := make(chan error, 1), make(chan error, 1)
	if r.Work != nil {
		go func() { worked <- r.Work.work(r.URL, log, stopped) }()
	} else {
		worked <- nil
	}
	if r.Produce != nil {
		go func() { produced <- r.Produce.produce(r.Name, r.URL, log, stopped) }()
	} else {
		produced <- nil
	}
	return cmp.Or(<-worked, <-produced)
}

// long reports whether this is the long form.
func long() bool { return os.Getenv("DTASK_CHAOS") == "long" }

// scale returns the first value in the short form and the second in the long.
func scale[T any](short, extended T) T {
	if long() {
		return extended
	}
	return short
}
