package top

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/dtaskhq/dtask/internal/printable"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
)

func workers(m *model) table {
	t := table{titles: []string{"HOST", "PID", "UP", "BUILD", "STATE", "RUNNING", "DONE", "DEAD", "QUEUES"}, nothing: "there are no workers"}
	for _, w := range m.picture.workers {
		build := cmp.Or(w.Build.Revision[:min(12, len(w.Build.Revision))], w.Build.Program, w.Build.Version)
		var names []string
		for _, q := range w.Queues {
			names = append(names, fmt.Sprintf("%s=%d", q.Name, q.Concurrency))
		}
		t.rows = append(t.rows, []string{
			clean(w.Host), strconv.Itoa(w.PID), printable.Since(w.Started), clean(build), clean(string(w.State)), strconv.Itoa(w.RunningTotal),
			strconv.FormatInt(w.Done, 10), strconv.FormatInt(w.Dead, 10), clean(strings.Join(names, ",")),
		})
	}
	return t
}

func oneWorker(m *model, row int) []string {
	w := m.picture.workers[row]
	lines := []string{
		fmt.Sprintf("worker     %s, process %d on %s, up for %s", clean(w.ID), w.PID, clean(w.Host), printable.Since(w.Started)),
		fmt.Sprintf("build      %s %s %s %s", clean(w.Build.Module), clean(w.Build.Version), clean(w.Build.Revision), clean(w.Build.Program)),
		"state      " + clean(string(w.State)),
		fmt.Sprintf("messages   %d done, %d retried, %d dead, %d snoozed, %d handed back, %d cancelled", w.Done, w.Retried, w.Dead, w.Snoozed, w.HandedBack, w.Cancelled),
		"", fmt.Sprintf("runs %d", w.RunningTotal),
	}
	for _, r := range w.Running {
		lines = append(lines, fmt.Sprintf("  %-4s %s  %s, attempt %d", printable.Since(r.Since), clean(r.ID), clean(shortTask(r.Task)), r.Attempt))
	}
	lines = append(lines, "", "tasks")
	for _, t := range w.Tasks {
		lines = append(lines, "  "+clean(t.Schema)+"  "+clean(t.Name))
	}
	return lines
}

// workerOrders are what the keys of the screen order.
var workerOrders = map[string]struct {
	kind       broker.OrderKind
	what, done string
}{
	"Q": {broker.OrderQuiet, "have %s fetch no more", "%s is quiet"},
	"U": {broker.OrderResume, "have %s fetch again", "%s fetches again"},
	"T": {broker.OrderStop, "stop %s", "%s is stopping"},
}

// changeWorker returns what gives an order to the marked worker.
func (m *model) changeWorker(key string) func(context.Context) (*change, error) {
	i, order := m.marked[workersScreen], workerOrders[key]
	if i >= len(m.picture.workers) {
		return nil
	}
	w := m.picture.workers[i]
	name := "worker " + operate.Address(w)
	what := fmt.Sprintf(order.what, name) + fmt.Sprintf(", which runs %d", w.RunningTotal)
	return func(context.Context) (*change, error) {
		return &change{-1, what, func(ctx context.Context) (string, error) {
			return said(fmt.Sprintf(order.done, name), m.operator.Command(ctx, w, broker.Order{Kind: order.kind}))
		}}, nil
	}
}
