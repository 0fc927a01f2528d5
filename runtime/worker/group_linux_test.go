package worker

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
)

// killGroup kills a supervisor and its children at once, as the kernel does with a control
// group that is out of memory.
func killGroup(t *testing.T, p *proc) {
	t.Helper()
	pid := p.cmd.Process.Pid
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		children, _ := os.ReadFile(thread) // the thread may have ended
		for _, child := range strings.Fields(string(children)) {
			if n, err := strconv.Atoi(child); err == nil {
				syscall.Kill(n, syscall.SIGKILL)
			}
		}
	}
	syscall.Kill(pid, syscall.SIGKILL)
	<-p.ended
}

// Some tasks have all processes of a supervisor killed, whichever runs them. They become
// dead letters; none of those does that ran beside them, or alone in another process.
func TestGroupKilled(t *testing.T) {
	// fuse is how long a lethal task runs until all are killed: long enough for another
	// process to run alone what is suspected already.
	const fuse = 1300 * time.Millisecond
	lethal, harmless := 2, 30
	if os.Getenv("DTASK_CHAOS") == "long" {
		lethal, harmless = 5, 100
	}
	t.Parallel()
	b := newBench(t, rabbittest.URL(t))
	for i := range harmless {
		b.delay(napTask, "300ms")
		if i%(harmless/lethal) == 0 {
			b.delay(deafTask, "lethal")
		}
	}
	start := func() *proc { return b.start(nil, "-processes", "3", "-concurrency", "3") }
	p := start()
	kills, look := 0, time.NewTicker(500*time.Millisecond)
	defer look.Stop()
	deadline := time.After(2 * patience)
	for {
		_, more := b.ledger.all()
		if n := len(b.ledger.of("start", deafTask)); n > kills {
			kills = n
			time.Sleep(fuse)
			killGroup(t, p)
			kills = len(b.ledger.of("start", deafTask)) // others may have started meanwhile
			p = start()
			continue
		}
		done := make(map[string]bool)
		for _, e := range b.ledger.of("done", napTask) {
			done[e.id] = true
		}
		dead, err := b.admin().DeadLetters(t.Context(), "work", 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range dead {
			if d.Task != deafTask.Name() {
				t.Fatalf("after %d kills a harmless task is a dead letter: %+v", kills, d)
			}
		}
		if len(done) == harmless && len(dead) == lethal {
			break
		}
		select {
		case <-more:
		case <-look.C:
		case <-deadline:
			t.Fatalf("after %d kills %d of %d harmless tasks are done, and %d of %d lethal ones dead letters", kills, len(done), harmless, len(dead), lethal)
		}
	}
	t.Logf("%d kills", kills)
	if code := p.abort(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

// A task that may have killed its worker runs while no process of the group runs another
// one; then all go on.
func TestAloneInTheGroup(t *testing.T) {
	t.Parallel()
	b := newBench(t, rabbittest.URL(t))
	start := func() *proc { return b.start(nil, "-processes", "3", "-concurrency", "2") }
	const suspect = "3s"
	b.delay(napTask, suspect)
	killed := 0
	for last := false; !last; killed++ { // of four attempts; then it is a suspect
		p := start()
		last = b.ledger.await(t, killed+1, "start", napTask)[killed].attempt == 4
		killGroup(t, p)
	}
	const others = 60
	b.delay(otherNapTask, slices.Repeat([]string{"400ms"}, others)...)
	p := start()
	b.ledger.await(t, 1, "done", napTask)
	b.ledger.await(t, others, "done", otherNapTask)
	if code := p.abort(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	starts, dones := 0, 0
	all, _ := b.ledger.all()
	for _, e := range all {
		switch {
		case e.text == suspect && e.event == "start":
			starts++
		case e.text == suspect:
			dones++
		case e.event == "start" && starts > killed && dones == 0:
			t.Errorf("process %d starts a task beside the one that is to run alone", e.pid)
		}
	}
	if starts != killed+1 || dones != 1 {
		t.Errorf("the suspect has started %d times, want %d, and is done %d times", starts, killed+1, dones)
	}
}
