package dashboard

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A need is something that waits for a person.
type need struct {
	Class, Icon  string
	What, Why    string
	Link, Says   string // the page that shows it
	Error        bool   // why is in the words of an error
	worst, count int
}

// needs are what waits for a person, the worst first.
func (v *visit) needs(rows []queueRow, workers sight[[]broker.Process], hour sight[[]broker.Tally]) []need {
	var list []need
	if workers.known() && len(workers.value) == 0 {
		list = append(list, need{
			Class: "act", Icon: "dead", What: "No worker is here", Why: "What is enqueued waits until one comes.",
			Link: "workers", Says: "Open the workers", worst: 9,
		})
	}
	for _, q := range rows {
		switch {
		case q.worst == worstAlone && len(workers.value) > 0:
			list = append(list, need{
				Class: "act", Icon: "dead", What: fmt.Sprintf("%s in %s that no worker consumes", plural(q.Ready, "message"), q.Queue),
				Why: "Start a worker with -queues " + q.Queue + oldestWords(q) + ".", Link: "queues", Says: "Open the queue", worst: 8, count: q.Ready,
			})
		case q.worst == worstBehind:
			list = append(list, need{
				Class: "look", Icon: "look", What: "Queue " + q.Queue + " is behind",
				Why: "Its oldest message has waited for " + q.Oldest + usualWords(v.looks.week.peek(), q.Queue) + ".", Link: "queues", Says: "Open the queue", worst: 3, count: q.Ready,
			})
		}
	}
	for _, t := range byTask(hour.value) {
		if t.Dead > 0 {
			n := need{
				Class: "act", Icon: "dead", What: fmt.Sprintf("%s: %s in the last hour", short(t.Task), plural(t.Dead, "dead letter")),
				Link: "dead?q=" + queryTerm("task", t.Task), Says: "Open the dead letters", worst: 6, count: int(t.Dead), Error: true,
			}
			if len(t.Failures) > 0 {
				n.Why = withoutKind(t.Failures[0].Kind, t.Failures[0].Error)
			}
			list = append(list, n)
		}
	}
	if len(workers.value) > 0 {
		list = append(list, v.unrunnable(rows)...)
	}
	slices.SortStableFunc(list, func(a, b need) int { return cmp.Or(cmp.Compare(b.worst, a.worst), cmp.Compare(b.count, a.count)) })
	return list
}

func oldestWords(q queueRow) string {
	if q.Oldest == "" {
		return ""
	}
	return "; its oldest message has waited for " + q.Oldest
}

func usualWords(w sight[week], queue string) string {
	usual, known := w.value.usual(queue)
	if !known {
		return ""
	}
	return "; this week 95 % waited less than " + took(usual)
}

// unrunnable are messages that wait, and that no living worker takes. Those of a queue that
// nobody consumes are said already.
func (v *visit) unrunnable(rows []queueRow) (list []need) {
	for _, r := range v.looks.deploy.peek().value.Rows {
		if !r.Nobody() || r.Waiting < 1 || slices.ContainsFunc(rows, func(q queueRow) bool { return q.worst == worstAlone && slices.Contains(r.Queues, q.Queue) }) {
			continue
		}
		list = append(list, need{
			Class: "act", Icon: "dead", What: plural(r.Waiting, "message") + " that nobody can run",
			Why: fmt.Sprintf("%s with schema %s. %s", short(r.Task), cmp.Or(r.Schema, "none"), whyNobody(r)), Link: "deploy", Says: "Open the deploy", worst: 7, count: r.Waiting,
		})
	}
	return list
}

// has reports whether some process has a task, and this version of its arguments.
func has(ps []broker.Process, name, schema string) (task, version bool) {
	for _, p := range ps {
		for _, t := range p.Tasks {
			task = task || t.Name == name
			version = version || t.Name == name && t.Schema == schema
		}
	}
	return task, version
}
