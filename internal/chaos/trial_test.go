//go:build unix

package chaos

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// patience is how long a trial waits for something before it assumes that it will
// never happen. Every fault is over long before.
const patience = 2 * time.Minute

// A trial is a broker, processes that use it, and the account of what they do.
type trial struct {
	*testing.T
	name      string
	dir       string
	url       string       // of the broker, not through a proxy
	broker    broker.Admin // to inspect; nil until needed
	ledger    *ledger
	record    *record
	producers []*process
	workers   []*process
	serial    int

	before, after int // goroutines of the processes that ended in good order

	summary string // the account, once it is settled
}

// newTrial returns a trial on the broker with the given URL.
func newTrial(t *testing.T, name, url string) *trial {
	t.Helper()
	dir := t.TempDir()
	l, err := openLedger(dir, "trial")
	if err != nil {
		t.Fatal(err)
	}
	r, err := openRecord(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.file.Close(); r.file.Close() })
	tr := &trial{T: t, name: name, dir: dir, url: url, ledger: l, record: r}
	t.Cleanup(tr.showLogs)
	return tr
}

// onBrokers runs a test on every broker.
func onBrokers(t *testing.T, name string, test func(*trial)) {
	t.Helper()
	t.Parallel()
	t.Run("RabbitMQ", func(t *testing.T) {
		t.Parallel()
		test(newTrial(t, name+", RabbitMQ", rabbitURL(t)))
	})
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(newTrial(t, name+", SQLite", sqliteURL(t)))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		test(newTrial(t, name+", PostgreSQL", postgrestest.URL(t)))
	})
}

func sqliteURL(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "tasks.db") }

// produce starts a producer on the broker at url.
func (tr *trial) produce(url string, l load) *process {
	tr.Helper()
	if l.Task == "" {
		l.Task = plain.Name()
	}
	tr.serial++
	p := start(tr.T, role{Name: fmt.Sprintf("producer%d", tr.serial), URL: url, Dir: tr.dir, Produce: &l})
	tr.producers = append(tr.producers, p)
	return p
}

// work starts n workers on the broker at url, and waits until they consume.
func (tr *trial) work(url string, n int, c crew) {
	tr.Helper()
	first := len(tr.workers)
	for range n {
		tr.workers = append(tr.workers, tr.hire(url, c))
	}
	for _, w := range tr.workers[first:] {
		w.awaitReady()
	}
}

// hire starts a worker.
func (tr *trial) hire(url string, c crew) *process {
	tr.Helper()
	tr.serial++
	return start(tr.T, role{Name: fmt.Sprintf("worker%d", tr.serial), URL: url, Dir: tr.dir, Work: &c})
}

// dismiss stops a process in good order. It waits until the process is ready,
// because one that is not may not react to signals yet.
func (tr *trial) dismiss(p *process) {
	tr.Helper()
	p.awaitReady()
	p.stop()
	tr.before += p.before
	tr.after += p.after
}

// finish waits until the producers have produced all they should, and then
// settles the account.
func (tr *trial) finish() account {
	tr.Helper()
	for _, p := range tr.producers {
		tr.outlast(p)
	}
	return tr.settle()
}

// outlast waits until a process has ended, as long as anything happens.
func (tr *trial) outlast(p *process) {
	tr.Helper()
	for last := time.Now(); time.Since(last) < patience; {
		select {
		case <-p.gone:
			return
		case <-time.After(time.Second):
			if tr.update() {
				last = time.Now()
			}
		}
	}
	tr.Errorf("%s does not come to an end", p.name)
}

// settle stops the producers, waits until everything confirmed is executed or
// a dead letter, stops the workers, and prints the account.
func (tr *trial) settle() account {
	tr.Helper()
	for _, p := range tr.producers {
		tr.dismiss(p)
	}
	tr.drain()
	for _, w := range tr.workers {
		tr.dismiss(w)
	}
	s := tr.state()
	tr.update()
	a := tr.record.account(tr.name, tr.dead())
	if s.Delayed < 0 {
		// RabbitMQ does not tell what it delays, nor what it takes back from a worker
		// that was cut off. What comes now was executed: else it is counted as lost.
		a.duplicated += s.Ready
	} else if s.Ready > 0 || s.Running > 0 || s.Delayed > 0 {
		tr.Errorf("left in the queue: %+v", s)
	}
	a.before, a.after = tr.before, tr.after
	tr.summary = a.String()
	fmt.Fprintln(tr.Output(), tr.summary)
	for i, err := range tr.record.errs {
		if i == 3 {
			break
		}
		tr.Logf("an enqueue failed: %s", err)
	}
	return a
}

// drain waits until everything confirmed is executed or a dead letter, and the
// queue is empty. It gives up when nothing happens any more.
func (tr *trial) drain() {
	tr.Helper()
	for last := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if tr.update() {
			last = time.Now()
			if tr.record.open > 0 {
				continue
			}
		}
		s := tr.state()
		if tr.record.open <= max(s.Dead, 0) && s.Ready <= 0 && s.Running <= 0 && s.Delayed <= 0 && tr.allAccounted() {
			return
		}
		if time.Since(last) > patience {
			tr.Errorf("nothing happens any more: %d confirmed and not executed, %+v", tr.record.open, s)
			return
		}
	}
}

// allAccounted reports whether everything confirmed is executed or a dead
// letter.
func (tr *trial) allAccounted() bool {
	tr.Helper()
	if tr.record.open == 0 {
		return true
	}
	return tr.record.account(tr.name, tr.dead()).lost == 0
}

// update reads what the processes have noted meanwhile, and reports whether
// there was anything.
func (tr *trial) update() bool {
	tr.Helper()
	news, err := tr.record.update()
	if err != nil {
		tr.Fatal(err)
	}
	return news
}

// await waits until the ledger says what it should.
func (tr *trial) await(what string, done func(*record) bool) {
	tr.Helper()
	tr.eventually(what, func() bool { tr.update(); return done(tr.record) })
}

// eventually waits until done reports true.
func (tr *trial) eventually(what string, done func() bool) {
	tr.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			tr.Fatalf("it never happens: %s", what)
		}
	}
}

// admin returns the broker, to look into it.
func (tr *trial) admin() broker.Admin {
	tr.Helper()
	if tr.broker == nil {
		ctx, cancel := context.WithTimeout(tr.Context(), patience)
		defer cancel()
		b, err := broker.Open(ctx, tr.url, broker.Config{})
		if err != nil {
			tr.Fatal(err)
		}
		tr.Cleanup(func() {
			if err := b.Close(); err != nil {
				tr.Error(err)
			}
		})
		if tr.broker, err = broker.As[broker.Admin](b); err != nil {
			tr.Fatal(err)
		}
	}
	return tr.broker
}

// state returns the state of the queue.
func (tr *trial) state() broker.QueueState {
	tr.Helper()
	ctx, cancel := context.WithTimeout(tr.Context(), patience)
	defer cancel()
	states, err := tr.admin().Queues(ctx)
	if err != nil {
		tr.Fatal(err)
	}
	for _, s := range states {
		if s.Queue == queue {
			return s
		}
	}
	return broker.QueueState{}
}

// dead returns the ids of the dead letters.
func (tr *trial) dead() map[string]bool {
	tr.Helper()
	ctx, cancel := context.WithTimeout(tr.Context(), patience)
	defer cancel()
	letters, err := tr.admin().DeadLetters(ctx, queue, 100_000)
	if err != nil {
		tr.Fatal(err)
	}
	ids := make(map[string]bool)
	for i, m := range letters {
		if m.ID == "" {
			m.ID = fmt.Sprintf("without id %d", i)
		}
		ids[m.ID] = true
	}
	return ids
}

// An allowance is how much may go wrong in a trial. The zero value allows nothing.
type allowance struct {
	duplicated int
	dead       int
	failed     int // to enqueue
}

// require fails the test if something was lost, or another promise broken.
func (tr *trial) require(a account, allowed allowance) {
	tr.Helper()
	for _, v := range []struct {
		what      string
		got, most int
	}{
		{"lost", a.lost, 0},
		{"failed to enqueue", a.failed, allowed.failed},
		{"duplicated", a.duplicated, allowed.duplicated},
		{"unexpected", a.unexpected, 0},
		{"executed early", a.early, 0},
		{"dead letters", a.dead, allowed.dead},
		{"goroutines left", a.after - a.before, 0},
	} {
		if v.got > v.most {
			tr.Errorf("%s: %d, at most %d allowed", v.what, v.got, v.most)
		}
	}
	if a.duplicated > allowed.duplicated {
		for id, by := range tr.record.runs {
			if len(by) > 1 {
				tr.Logf("%s was executed by %s", id, strings.Join(by, ", "))
			}
		}
	}
	if a.dead < allowed.dead {
		tr.Errorf("dead letters: %d, want %d", a.dead, allowed.dead)
	}
	if a.confirmed == 0 {
		tr.Error("nothing was enqueued")
	}
}

// burst is how many tasks that take no time a worker may have done when it is killed,
// and not recorded: what it does in the 20 ms for which it fetches ahead, at 5,000 a
// second.
const burst = 100

// onePercent is the duplicates allowed by faults that are not aimed at tasks
// in execution.
func onePercent(a account) allowance { return allowance{duplicated: a.executed / 100} }

// showLogs shows the end of what the processes of a failed trial have logged, and
// again, at the end, what came of it: who looks at the end of a long output sees that.
func (tr *trial) showLogs() {
	if !tr.Failed() {
		return
	}
	files, _ := filepath.Glob(filepath.Join(tr.dir, "*.log"))
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		const most = 4000
		if info, err := f.Stat(); err == nil && info.Size() > most {
			f.Seek(-most, io.SeekEnd)
		}
		b, _ := io.ReadAll(f)
		f.Close()
		if text := strings.TrimSpace(string(b)); text != "" {
			tr.Logf("%s:\n%s", filepath.Base(name), text)
		}
	}
	tr.Logf("failed: %s", cmp.Or(tr.summary, "the trial has not come to its end"))
}
