package dashboard

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
)

// A queueRow is a queue as the page has it.
type queueRow struct {
	broker.QueueState
	Says, Class string // what is to be known of it, and how much to care
	Icon        string
	Oldest      string
	OldestAt    time.Time
	Slots       int // how many run at once at most
	Workers     int
	Minute      int64 // done in a minute, of late
	Waits       *spark

	worst int // what needs somebody comes first
	long  time.Duration
}

// queuesPage is what the page of queues shows.
type queuesPage struct {
	Verdict, Rest string
	Rows          []queueRow
	At            time.Time
	Bounded       bool // some count is not known
	Sort          sorting
}

var queueColumns = map[string]func(a, b *queueRow) int{
	"queue":   func(a, b *queueRow) int { return cmp.Compare(a.Queue, b.Queue) },
	"waiting": func(a, b *queueRow) int { return cmp.Compare(a.Ready, b.Ready) },
	"oldest":  func(a, b *queueRow) int { return cmp.Compare(a.long, b.long) },
	"running": func(a, b *queueRow) int { return cmp.Compare(a.Running, b.Running) },
	"done":    func(a, b *queueRow) int { return cmp.Compare(a.Minute, b.Minute) },
	"delayed": func(a, b *queueRow) int { return cmp.Compare(a.Delayed, b.Delayed) },
	"dead":    func(a, b *queueRow) int { return cmp.Compare(a.Dead, b.Dead) },
}

// behindAfter is how long a message waits at least before its queue is said to be behind.
const behindAfter = time.Minute

func (v *visit) queues() (any, error) {
	seen := see(v, v.looks.queues)
	if !seen.known() && (seen.err == nil || seen.unsupported()) {
		return nil, seen.unseen()
	}
	p := queuesPage{Rows: v.queueRows(seen.value), At: seen.at, Sort: v.sorting("")}
	waiting, known := 0, true
	var behind, idle []string
	for _, q := range p.Rows {
		waiting += max(q.Ready, 0)
		known = known && q.Ready >= 0
		p.Bounded = p.Bounded || min(q.Ready, q.Running, q.Delayed, q.Dead) < 0
		switch q.worst {
		case worstAlone:
			idle = append(idle, q.Queue)
		case worstBehind:
			behind = append(behind, q.Queue)
		}
	}
	switch {
	case len(p.Rows) == 0:
		p.Verdict = "There is no queue yet."
	case waiting == 0 && known:
		p.Verdict, p.Rest = "Nothing waits.", "All "+plural(len(p.Rows), "queue")+" are empty of what is due."
		if len(p.Rows) == 1 {
			p.Rest = "The queue is empty of what is due."
		}
	default:
		p.Verdict = fmt.Sprintf("%s in %s.", waitWord(waiting), plural(len(p.Rows), "queue"))
		p.Rest = "None of them is behind."
	}
	if why := behindBecause(p.Rows); len(behind) > 0 {
		p.Rest = why
	}
	if len(idle) > 0 {
		p.Rest = fmt.Sprintf("No worker consumes %s. %s", listed(idle), strings.TrimPrefix(p.Rest, "None of them is behind."))
	}
	sortRows(p.Sort, p.Rows, queueColumns)
	return p, nil
}

func waitWord(n int) string {
	if n == 1 {
		return "1 waits"
	}
	return number(n) + " wait"
}

// behindBecause says of the worst queue that is behind whether it is work or workers.
func behindBecause(rows []queueRow) string {
	for _, q := range rows {
		if q.worst != worstBehind {
			continue
		}
		switch {
		case q.Slots > 0 && q.Running >= q.Slots:
			return fmt.Sprintf("%s is behind: all of its %s are busy, and more comes in than gets done.", q.Queue, plural(q.Slots, "slot"))
		case q.Slots > 0:
			return fmt.Sprintf("%s is behind, although %d of its %s are free.", q.Queue, q.Slots-max(q.Running, 0), plural(q.Slots, "slot"))
		}
		return q.Queue + " is behind."
	}
	return ""
}

// How bad it is with a queue.
const (
	worstNot = iota
	worstPaused
	worstBehind
	worstAlone
)

// queueRows joins what is known of the queues, the worst first.
func (v *visit) queueRows(states []broker.QueueState) []queueRow {
	workers, hour := see(v, v.looks.workers), see(v, v.looks.hour)
	oldest, week := see(v, v.looks.oldest), v.looks.week.peek()
	var rows []queueRow
	for _, s := range states {
		q := queueRow{QueueState: s}
		for _, p := range workers.value {
			for _, c := range p.Queues {
				if c.Name == s.Queue {
					q.Workers++
					q.Slots += c.Concurrency
				}
			}
		}
		mine := of(hour.value, s.Queue)
		q.Minute = doneAMinute(mine, v.now)
		if at := oldest.value[s.Queue]; !at.IsZero() && s.Ready != 0 {
			q.OldestAt, q.long = at, max(v.now.Sub(at), 0)
			q.Oldest = ago(q.long)
		}
		v.judge(&q, workers.known(), week)
		class := ""
		if q.worst == worstBehind {
			class = "look"
		}
		q.Waits = newSpark(class, waits(mine, v.now, 60))
		rows = append(rows, q)
	}
	slices.SortStableFunc(rows, func(a, b queueRow) int {
		return cmp.Or(cmp.Compare(b.worst, a.worst), cmp.Compare(b.Ready, a.Ready), cmp.Compare(a.Queue, b.Queue))
	})
	return rows
}

// judge says what is to be known of a queue.
func (v *visit) judge(q *queueRow, registry bool, w sight[week]) {
	usual, known := w.value.usual(q.Queue)
	switch {
	case q.Paused:
		q.worst, q.Icon, q.Says = worstPaused, "paused", "paused until somebody resumes it"
		if !q.PausedUntil.IsZero() {
			q.Says = fmt.Sprintf("paused until %s, %s left", clock(q.PausedUntil, v.now), ago(q.PausedUntil.Sub(v.now)))
		}
	case registry && q.Workers == 0 && q.Ready > 0 && v.alone(q.Queue):
		q.worst, q.Icon, q.Class, q.Says = worstAlone, "look", "act", "no worker consumes it"
	case q.long > behindAfter && (!known || q.long > 2*usual):
		q.worst, q.Icon, q.Class, q.Says = worstBehind, "look", "look", "waits long"
		if known {
			q.Says = fmt.Sprintf("waits longer than this week: 95 %% waited less than %s", took(usual))
		}
	case q.Workers > 0:
		q.Says = plural(q.Workers, "worker")
	case registry:
		q.Says = "no worker"
	}
}

// alone reports whether the broker, too, says that nobody consumes a queue: workers that
// are no process of package worker are not in the registry.
func (v *visit) alone(queue string) bool {
	orphans := see(v, v.looks.orphans)
	return !orphans.known() && orphans.err != nil || slices.ContainsFunc(orphans.value, func(q broker.QueueState) bool { return q.Queue == queue })
}

// pauseQueue pauses a queue, for a time or until it is resumed.
func (v *visit) pauseQueue() (said, to string, err error) {
	p := broker.Pause{What: broker.PauseQueue, Name: v.r.PostForm.Get("queue")}
	said = p.Name + " is paused. What runs goes on."
	if text := v.r.PostForm.Get("for"); text != "" {
		d, err := selection.ParseAge(text)
		if err != nil {
			return "", "queues", err
		}
		p.Until = v.now.Add(d)
		said = fmt.Sprintf("%s is paused until %s. What runs goes on.", p.Name, clock(p.Until, v.now))
	}
	return said, "queues", v.operator.Pause(v.ctx(), p)
}

func (v *visit) resumeQueue() (said, to string, err error) {
	name := v.r.PostForm.Get("queue")
	return name + " goes on.", "queues", v.operator.Resume(v.ctx(), broker.PauseQueue, name)
}
