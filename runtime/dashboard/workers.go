package dashboard

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
)

// workersPage is what the page of workers shows.
type workersPage struct {
	Verdict, Rest string
	Rows          []workerRow
	Older         []string // ids of those of older builds
	Longest       []runningRow
	Running       int
	At            time.Time
	Sort          sorting
}

var workerColumns = map[string]func(a, b *workerRow) int{
	"worker":  func(a, b *workerRow) int { return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.PID, b.PID)) },
	"build":   func(a, b *workerRow) int { return cmp.Compare(a.Build+a.Revision, b.Build+b.Revision) },
	"running": func(a, b *workerRow) int { return cmp.Compare(a.Running, b.Running) },
	"done":    func(a, b *workerRow) int { return cmp.Compare(a.Done, b.Done) },
	"failed":  func(a, b *workerRow) int { return cmp.Compare(a.Failed, b.Failed) },
	"up":      func(a, b *workerRow) int { return b.Started.Compare(a.Started) },
}

// A workerRow is a process as the page has it.
type workerRow struct {
	ID, Host        string
	PID             int
	State           state
	Says, Class     string
	Build, Revision string
	Queues          string
	Running, Slots  int
	Done, Failed    int64
	Up              string
	Started         time.Time
	Working         bool

	worst int
}

// A runningRow is a message that runs, with the process that has it.
type runningRow struct {
	broker.ProcessRunning
	Worker string
	For    string
	Of     string // the bound of its time, if that is known
	Class  string

	long time.Duration
}

const (
	maxLongest = 10

	// stuckAfter is how much longer than it may a task runs before it is said to ignore
	// its timeout.
	stuckAfter = 30 * time.Second
)

func (v *visit) workers() (any, error) {
	seen := see(v, v.looks.workers)
	if !seen.known() {
		return nil, seen.unseen()
	}
	p := workersPage{At: seen.at, Older: older(seen.value), Sort: v.sorting("")}
	slots, busy, quiet, stuck := 0, 0, 0, 0
	for _, w := range seen.value {
		row := v.workerRow(w)
		slots, busy = slots+row.Slots, busy+row.Running
		switch row.State.Word {
		case "quiet", "stopping":
			quiet++
		case "stuck":
			stuck++
		}
		p.Rows = append(p.Rows, row)
		for _, r := range w.Running {
			p.Longest = append(p.Longest, v.runningRow(w, r))
		}
	}
	p.Running = busy
	slices.SortStableFunc(p.Rows, func(a, b workerRow) int { return cmp.Compare(b.worst, a.worst) })
	sortRows(p.Sort, p.Rows, workerColumns)
	slices.SortStableFunc(p.Longest, func(a, b runningRow) int { return cmp.Compare(b.long, a.long) })
	p.Longest = p.Longest[:min(len(p.Longest), maxLongest)]
	if len(p.Rows) == 0 {
		p.Verdict, p.Rest = "No worker is here.", "One shows up within five seconds of its start."
		return p, nil
	}
	p.Verdict = fmt.Sprintf("%s, %s of %s busy.", plural(len(p.Rows), "worker"), number(busy), plural(slots, "slot"))
	var rest []string
	if stuck > 0 {
		rest = append(rest, plural(stuck, "worker")+" "+hasOrHave(stuck)+" a task that ignores its timeout.")
	}
	if quiet > 0 {
		rest = append(rest, number(quiet)+" "+takesOrTake(quiet)+" nothing more.")
	}
	switch n := len(p.Older); {
	case n == 1:
		rest = append(rest, "1 runs an older build.")
	case n > 1:
		rest = append(rest, number(n)+" run an older build.")
	}
	if p.Rest = strings.Join(rest, " "); p.Rest == "" {
		p.Rest = "All of them take messages."
	}
	return p, nil
}

func hasOrHave(n int) string {
	if n == 1 {
		return "has"
	}
	return "have"
}

func takesOrTake(n int) string {
	if n == 1 {
		return "takes"
	}
	return "take"
}

func (v *visit) workerRow(p broker.Process) workerRow {
	row := workerRow{
		ID: p.ID, Host: p.Host, PID: p.PID, Build: cmp.Or(buildName(p.Build), "not known"), Running: p.RunningTotal,
		Done: p.Done, Failed: p.Retried + p.Dead, Up: ago(v.now.Sub(p.Started)), Started: p.Started, Working: p.State == broker.ProcessWorking,
		State: state{"running", "running", "running", ""},
	}
	if rev := p.Build.Revision[:min(len(p.Build.Revision), 7)]; rev != row.Build {
		row.Revision = rev
	}
	var names []string
	for _, q := range p.Queues {
		names = append(names, q.Name)
		row.Slots += q.Concurrency
	}
	row.Queues = strings.Join(names, ", ")
	switch {
	case p.State == broker.ProcessStopping:
		row.State, row.Says, row.worst = state{"", "paused", "stopping", ""}, "finishes what it has, and ends", 1
	case p.State == broker.ProcessQuiet && p.RunningTotal == 0:
		row.State, row.Says, row.worst = state{"", "paused", "quiet", ""}, "takes nothing more and has nothing in hand: safe to stop", 2
	case p.State == broker.ProcessQuiet:
		row.State, row.Says, row.worst = state{"", "paused", "quiet", ""}, "takes nothing more; "+number(p.RunningTotal)+" still in hand", 2
	}
	for _, r := range p.Running {
		if limit := v.timeout(r.Task); limit > 0 && v.now.Sub(r.Since) > limit+stuckAfter {
			row.State, row.Class, row.worst = state{"retried", "look", "stuck", ""}, "look", 3
			row.Says = fmt.Sprintf("%s %s ignores its timeout since %s", short(r.Task), tail(r.ID), ago(v.now.Sub(r.Since)-limit))
			break
		}
	}
	return row
}

// timeout returns how long an attempt of a task may take, if this program has the task.
func (v *visit) timeout(task string) time.Duration {
	for _, t := range v.own {
		if t.Name == task {
			return t.Spec.Timeout
		}
	}
	return 0
}

func (v *visit) runningRow(p broker.Process, r broker.ProcessRunning) runningRow {
	row := runningRow{ProcessRunning: r, Worker: operate.Address(p), long: max(v.now.Sub(r.Since), 0)}
	row.For = took(row.long)
	if limit := v.timeout(r.Task); limit > 0 {
		row.Of = took(limit)
		switch {
		case row.long > limit:
			row.Class = "act"
		case row.long > limit*3/4:
			row.Class = "look"
		}
	}
	return row
}

// older returns the processes that run, beside a build that was begun later, an older one
// of the same program.
func older(ps []broker.Process) (ids []string) {
	newest := make(map[string]broker.Process) // by program: whose build was seen first last
	first := make(map[broker.Build]time.Time)
	for _, p := range ps {
		if at, known := first[p.Build]; !known || p.Started.Before(at) {
			first[p.Build] = p.Started
		}
	}
	for _, p := range ps {
		if n, known := newest[p.Build.Module]; !known || first[p.Build].After(first[n.Build]) {
			newest[p.Build.Module] = p
		}
	}
	for _, p := range ps {
		if p.Build != newest[p.Build.Module].Build && p.State == broker.ProcessWorking {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

func (v *visit) quietWorkers() (string, string, error) {
	return v.steer(broker.OrderQuiet, "takes nothing more", "take nothing more")
}

func (v *visit) resumeWorkers() (string, string, error) {
	return v.steer(broker.OrderResume, "goes on", "go on")
}

func (v *visit) stopWorkers() (string, string, error) {
	return v.steer(broker.OrderStop, "finishes what it has, and ends", "finish what they have, and end")
}

// steer gives an order to the processes that a form names.
func (v *visit) steer(order broker.OrderKind, one, several string) (said, to string, err error) {
	ids := v.r.PostForm["worker"]
	if len(ids) == 0 {
		return "", "workers", errors.New("no worker is named")
	}
	all, err := v.operator.Workers(v.ctx())
	if err != nil {
		return "", "workers", err
	}
	some, err := operate.FindWorkers(all, ids...)
	if err != nil {
		return "", "workers", err
	}
	for _, p := range some {
		if err := v.operator.Command(v.ctx(), p, broker.Order{Kind: order}); err != nil {
			return "", "workers", err
		}
	}
	if len(some) == 1 {
		return operate.Address(some[0]) + " " + one + ".", "workers", nil
	}
	return plural(len(some), "worker") + " " + several + ".", "workers", nil
}
