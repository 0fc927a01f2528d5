package operate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
)

// A Finding is what a check of [Operator.Diagnose] says.
type Finding = broker.Finding

const (
	// slowAnswer is longer than a broker that is well takes to list its queues.
	slowAnswer = 500 * time.Millisecond

	// longWait is how long nobody wants a message to wait that is due.
	longWait = 5 * time.Minute

	// clockApart is more than clocks that are kept by NTP differ.
	clockApart = 5 * time.Second
)

// Diagnose looks for what often goes wrong: a slow broker, queues without consumers,
// tasks that no living worker can run, old builds, clocks that differ.
func (o *Operator) Diagnose(ctx context.Context) []Finding {
	d := &diagnosis{o: o}
	d.answer(ctx)
	d.workers(ctx)
	d.orphans(ctx)
	d.waiting(ctx)
	d.outbox(ctx)
	return d.findings
}

// Examine has the broker look at its own settings. management is the URL of what tells
// more of it, or empty; [broker.Examiner] says which. A broker without settings that could
// be wrong finds nothing, unless there is nothing to ask at such a URL.
func (o *Operator) Examine(ctx context.Context, management string) []Finding {
	examiner, err := broker.As[broker.Examiner](o.broker)
	if err == nil {
		return examiner.Examine(ctx, management)
	}
	if management == "" {
		return nil
	}
	return []Finding{{Check: "management", State: broker.FindingUnknown, Text: "this broker has no management API", Do: "leave its URL out"}}
}

// A diagnosis are the findings so far, and what several checks need.
type diagnosis struct {
	o         *Operator
	findings  []Finding
	processes []broker.Process
}

func (d *diagnosis) add(check, state, do, format string, args ...any) {
	d.findings = append(d.findings, Finding{Check: check, State: state, Text: fmt.Sprintf(format, args...), Do: do})
}

// failed adds what a check could not find out, and reports whether it could not.
func (d *diagnosis) failed(check string, err error) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, broker.ErrUnsupported):
		d.add(check, broker.FindingUnknown, "", "%v", err)
	default:
		d.add(check, broker.FindingProblem, "see whether the broker runs, and what its user may do: docs/security.md", "%v", err)
	}
	return true
}

// answer checks that the broker answers, how fast, and what it says of its queues.
func (d *diagnosis) answer(ctx context.Context) {
	began := time.Now()
	queues, err := d.o.Queues(ctx)
	took := time.Since(began).Round(time.Millisecond)
	if d.failed("broker", err) {
		return
	}
	if took > slowAnswer {
		d.add("broker", broker.FindingWarning, "see what keeps the broker, or the network, busy", "it took %v to list %d queues", took, len(queues))
	} else {
		d.add("broker", broker.FindingOK, "", "%d queues, listed in %v", len(queues), took)
	}
	dead := 0
	for _, q := range queues {
		dead += q.Dead
		if q.Paused {
			d.add("paused", broker.FindingWarning, "queue resume "+q.Queue+", if that was not meant to last", "queue %s is paused", q.Queue)
		}
	}
	if dead > 0 {
		d.add("dead letters", broker.FindingWarning, "counts state:dead shows of which tasks, dead list shows why", "there are %d dead letters", dead)
	}
}

// workers checks who is there, with which builds and clocks.
func (d *diagnosis) workers(ctx context.Context) {
	processes, err := d.o.Workers(ctx)
	if d.failed("workers", err) {
		return
	}
	d.processes = processes
	if len(processes) == 0 {
		d.add("workers", broker.FindingProblem, "start a worker on this broker and namespace", "no worker is alive")
		return
	}
	d.add("workers", broker.FindingOK, "", "%d are alive", len(processes))
	builds := make(map[string]map[broker.Build]int) // of each program
	for _, p := range processes {
		if builds[p.Build.Module] == nil {
			builds[p.Build.Module] = make(map[broker.Build]int)
		}
		builds[p.Build.Module][p.Build]++
		d.clock(p)
	}
	for _, module := range slices.Sorted(maps.Keys(builds)) {
		if n := len(builds[module]); n > 1 {
			d.add("builds", broker.FindingWarning, "workers shows them; stop the old ones when the deploy is done", "workers of %s run %d builds", module, n)
		}
	}
}

// entryAge is how old an entry of the registry may get.
const entryAge = 15 * time.Second

// clock checks that the clock of a process shows about what the one here does.
func (d *diagnosis) clock(p broker.Process) {
	if p.Now.IsZero() {
		return // it does not say
	}
	switch ahead := time.Until(p.Now); {
	case ahead > clockApart:
		d.add("clocks", broker.FindingProblem, "run NTP on both machines", "the clock of %s is %v ahead of the one here", p.Host, ahead.Round(time.Second))
	case ahead < -entryAge-clockApart:
		d.add("clocks", broker.FindingProblem, "run NTP on both machines", "the clock of %s is up to %v behind the one here", p.Host, -ahead.Round(time.Second))
	}
}

// orphans checks that each queue with messages has a consumer.
func (d *diagnosis) orphans(ctx context.Context) {
	orphans, err := d.o.Orphans(ctx)
	if d.failed("consumers", err) {
		return
	}
	for _, q := range orphans {
		d.add("consumers", broker.FindingProblem, "start a worker with -queues "+q.Queue, "queue %s has %d messages and no consumer", q.Queue, q.Ready)
	}
	if len(orphans) == 0 {
		d.add("consumers", broker.FindingOK, "", "every queue with messages has one")
	}
}

// waiting checks that what waits can be run, and does not wait for long.
func (d *diagnosis) waiting(ctx context.Context) {
	s, err := selection.Parse("state:ready,delayed")
	if err != nil {
		panic(err) // impossible: it is well formed
	}
	counts, err := d.o.Counts(ctx, s)
	if d.failed("waiting", err) {
		return
	}
	fine := true
	for _, c := range counts {
		name := c.Task[strings.LastIndexByte(c.Task, '/')+1:]
		if c.State == broker.StateReady && time.Since(c.Oldest) > longWait {
			fine = false
			d.add("waiting", broker.FindingWarning, "add workers, or concurrency; workers --running shows what they do", "%d of %s wait on %s, the first for %v", c.Messages, name, c.Queue, time.Since(c.Oldest).Round(time.Second))
		}
		switch task, version := d.runs(c.Task, c.Schema); {
		case len(d.processes) == 0, version, c.Schema == "" && task:
		case task:
			fine = false
			d.add("versions", broker.FindingWarning, "ask the preflight command of the new worker what becomes of them",
				"%d of %s on %s have the arguments of version %s, which is the present one of no living worker", c.Messages, name, c.Queue, c.Schema)
		default:
			fine = false
			d.add("tasks", broker.FindingProblem, "start a worker that has it; or message move or delete them", "%d of %s wait on %s, and no living worker has the task", c.Messages, name, c.Queue)
		}
	}
	if fine {
		d.add("waiting", broker.FindingOK, "", "nothing that waits is late, or of an unknown task")
	}
}

// runs reports whether a living worker has a task, and this version of its arguments.
func (d *diagnosis) runs(name, schema string) (task, version bool) {
	for _, p := range d.processes {
		for _, t := range p.Tasks {
			task = task || t.Name == name
			version = version || t.Name == name && t.Schema == schema
		}
	}
	return task, version
}
