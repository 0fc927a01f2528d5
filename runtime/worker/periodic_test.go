//go:build unix

package worker

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// longEnv sets how many seconds TestEachSecondOnce lasts; 60 is a thorough run.
const longEnv = "DTASK_TEST_TICKS"

// There are five workers and a tick each second. Five times, the worker that
// scheduled last is killed and another one is started. Each tick is run exactly
// once.
func TestEachSecondOnce(t *testing.T) {
	seconds, err := strconv.Atoi(cmp.Or(os.Getenv(longEnv), "20"))
	if err != nil {
		t.Fatal(err)
	}
	if testing.Short() {
		seconds = 10
	}
	onEachBroker(t, func(t *testing.T, b *bench) {
		env := []string{cronEnv + "=* * * * * *"}
		var workers []*proc // also those that were killed
		for range 5 {
			workers = append(workers, b.start(env, "-grace", "1s", "-concurrency", "2"))
		}
		_, begin := schedulerOf(t, awaitTicks(t, b, 1)[0], workers)
		for kill := range 5 {
			for n := 1 + (kill+1)*seconds/6; ; n++ {
				entries := awaitTicks(t, b, n)
				scheduler, _ := schedulerOf(t, entries[len(entries)-1], workers)
				select {
				case <-scheduler.ended: // an old tick, run again
					continue
				default:
				}
				scheduler.signal(t, syscall.SIGKILL)
				scheduler.exit(t)
				break
			}
			workers = append(workers, b.start(env, "-grace", "1s", "-concurrency", "2"))
		}
		last := begin.Add(time.Duration(seconds-1) * time.Second)
		awaitTick(t, b, tickIDOf(tickTask.Name(), last))
		for _, p := range workers {
			p.cmd.Process.Signal(syscall.SIGTERM) // some are gone
		}
		for _, p := range workers {
			p.exit(t)
			if strings.Contains(p.stderr.String(), "only executes") {
				t.Error("a worker that schedules warns that it does not")
			}
		}
		// The last worker runs what a killed one had enqueued or begun.
		if code := b.start(append(env, "DTASK_SCHEDULER=off"), "-drain").exit(t); code != exitOK {
			t.Errorf("drain: exit code %d", code)
		}
		// A killed worker costs an attempt, so the same attempt twice means
		// that the tick was enqueued twice.
		runs := make(map[string]bool)
		attempts := make(map[entry]bool)
		all, _ := b.ledger.all()
		for _, e := range all {
			e.pid = 0
			if attempts[e] {
				t.Errorf("attempt %d of message %s was made twice", e.attempt, e.id)
			}
			runs[e.id], attempts[e] = true, true
		}
		for i := range seconds {
			tick := begin.Add(time.Duration(i) * time.Second)
			if !runs[tickIDOf(tickTask.Name(), tick)] {
				t.Errorf("tick %v was never run", tick)
			}
		}
	})
}

// awaitTicks waits until n ticks have been run.
func awaitTicks(t *testing.T, b *bench, n int) []entry {
	t.Helper()
	deadline := time.After(patience)
	for {
		entries, more := b.ledger.all()
		if len(entries) >= n {
			return entries
		}
		select {
		case <-more:
		case <-deadline:
			t.Fatalf("%d ticks were run, want %d", len(entries), n)
		}
	}
}

// awaitTick waits until the tick with the id has been run.
func awaitTick(t *testing.T, b *bench, id string) {
	t.Helper()
	for n := 1; ; n++ {
		entries := awaitTicks(t, b, n)
		if entries[n-1].id == id {
			return
		}
	}
}

var tickPattern = regexp.MustCompile(`periodic task enqueued" .*tick=(\S+) id=(\S+)`)

// schedulerOf waits until a worker has logged that it enqueued a tick, and
// returns the worker, and the time of the tick.
func schedulerOf(t *testing.T, e entry, workers []*proc) (*proc, time.Time) {
	t.Helper()
	deadline := reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(time.After(patience))}
	for {
		events := []reflect.SelectCase{deadline}
		for _, p := range workers {
			log, more := p.stderr.read()
			for _, m := range tickPattern.FindAllStringSubmatch(log, -1) {
				if m[2] != e.id {
					continue
				}
				tick, err := time.Parse(time.RFC3339, m[1])
				if err != nil {
					t.Fatal(err)
				}
				return p, tick
			}
			events = append(events, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(more)})
		}
		if i, _, _ := reflect.Select(events); i == 0 {
			t.Fatal("no worker says that it enqueued the tick")
		}
	}
}

// Schedulers that are cut off from the broker in the moment of each tick still
// enqueue it once.
func TestTicksThroughCuts(t *testing.T) {
	t.Parallel()
	url := rabbittest.URL(t)
	b := newBench(t, url)
	proxy, cutURL := rabbittest.ProxyURL(t, url)
	b.url = cutURL
	for range 3 { // they schedule, and leave the ticks where they are
		b.start([]string{cronEnv + "=* * * * * *"}, "-queues", "other")
	}
	c, err := b.client.Broker().Consume(t.Context(), broker.ConsumeOptions{Queue: "work", Concurrency: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	const cuts = 10
	next := func() (tick time.Time) {
		select {
		case d := <-c.Deliveries():
			defer d.Settle(broker.Settlement{Verdict: broker.Done})
			if tick, err = time.Parse(time.RFC3339, d.Message().Headers[dtask.TickHeader]); err != nil {
				t.Fatal(err)
			}
			return tick
		case <-time.After(patience):
			t.Fatal("no further tick")
		}
		panic("unreachable")
	}
	begin := next()
	for i := range cuts {
		time.Sleep(time.Until(begin.Add(time.Duration(i+2)*time.Second + time.Duration(i)*time.Millisecond)))
		proxy.Cut()
	}
	left := make(map[time.Time]bool)
	for i := range cuts + 4 {
		left[begin.Add(time.Duration(i+1)*time.Second)] = true
	}
	for len(left) > 0 {
		tick := next()
		if tick.Sub(begin) <= (cuts+4)*time.Second && !left[tick] {
			t.Errorf("tick %v came twice", tick)
		}
		delete(left, tick)
	}
}

// tickIDOf returns the id of a tick's message as docs/wire.md defines it.
func tickIDOf(task string, tick time.Time) string {
	u := sha256.Sum256([]byte(task + "@" + tick.UTC().Format(time.RFC3339)))
	u[6] = 0x80 | u[6]&0x0f
	u[8] = 0x80 | u[8]&0x3f
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16])
}
