package top

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/internal/printable"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
)

// A screen is one of those that the page has.
type screen struct {
	name   string
	keys   string
	table  func(*model) table
	detail func(m *model, row int) []string // nil: there is none
}

const (
	overviewScreen = iota
	queuesScreen
	messagesScreen
	deadScreen
	workersScreen
	schedulesScreen
	journalScreen
	screenCount
)

// screens are all screens. They are set in init, for they refer to one another.
var screens [screenCount]screen

func init() {
	screens = [...]screen{
		overviewScreen:  {"Overview", "1-7 screen", overview, nil},
		queuesScreen:    {"Queues", "P pause  U resume  X purge", queues, nil},
		messagesScreen:  {"Messages", "/ select  enter show  R retry  D delete", listed, oneMessage},
		deadScreen:      {"Dead", "/ select  enter show  R retry  D delete  A all  X delete all", listed, oneMessage},
		workersScreen:   {"Workers", "enter show  Q quiet  U resume  T stop", workers, oneWorker},
		schedulesScreen: {"Schedules", "enter show  P pause  U resume  R run now  X reset", schedules, oneSchedule},
		journalScreen:   {"Journal", "o operators  enter show", journal, oneEntry},
	}
}

const helpText = `
  1-7, tab        screens
  j k, up down    rows; space and pgup by pages; g first, G last
  enter, esc      show the row; back
  /               select messages, as task:mail.* error~"timeout" args.user.id:7
  o               in Journal: what operators did
  q               quit

  Upper-case keys change something. They count first; type the number to do it.

  Queues          P pause, U resume, X delete what is ready and delayed
  Messages, Dead  R retry this one, D delete this one
  Dead            A retry all that are selected, X delete them
  Workers         Q fetch no more, U fetch again, T stop
  Schedules       P pause, U resume, R run once now, X leave out what was missed

  Any key goes back.`

func overview(m *model) table {
	p := &m.picture
	sum, minutes := p.recent("")
	rate := func(n int64) string { return perMinute(n, minutes) }
	var oldest time.Time
	var orphans []string
	for _, q := range p.queues {
		if at, ok := p.oldest[q.Queue]; ok && (oldest.IsZero() || at.Before(oldest)) {
			oldest = at
		}
		if p.orphaned(q) {
			orphans = append(orphans, clean(q.Queue))
		}
	}
	nobody := "none"
	if len(orphans) > 0 {
		nobody = bad.Render(strings.Join(orphans, ", "))
	}
	t := table{
		above: []string{
			"",
			"a minute       " + rate(sum.Done) + " done, " + rate(sum.Retried) + " retried, " + rate(sum.Dead) + " dead",
			"most           waited " + below(sum.Waited) + ", ran " + below(sum.Ran),
			"oldest waits   " + printable.Since(oldest),
			"no consumer    " + nobody,
			"",
		},
		titles: []string{"FAILURES", "NEWEST", "TASK", "ERROR"}, nothing: "no failures in the last hour",
	}
	for _, s := range operate.Sum(p.tallies) {
		for _, f := range s.Failures {
			t.rows = append(t.rows, []string{strconv.FormatInt(f.Messages, 10), printable.Since(f.At), clean(shortTask(s.Task)), clean(f.Kind + ": " + f.Error)})
		}
	}
	return t
}

func queues(m *model) table {
	p := &m.picture
	t := table{titles: []string{"QUEUE", "READY", "RUNNING", "DELAYED", "DEAD", "OLDEST", "DONE/MIN", "WORKERS", ""}, nothing: "there are no queues", bad: make(map[int]bool)}
	for i, q := range p.queues {
		sum, minutes := p.recent(q.Queue)
		note := ""
		switch {
		case q.Paused:
			note = "paused"
		case p.orphaned(q):
			note, t.bad[i] = "no consumer", true
		}
		t.rows = append(t.rows, []string{
			clean(q.Queue), number(q.Ready), number(q.Running), number(q.Delayed), number(q.Dead), printable.Since(p.oldest[q.Queue]),
			perMinute(sum.Done, minutes), strconv.Itoa(p.consumers(q.Queue)), note,
		})
	}
	return t
}

func listed(m *model) table {
	t := table{titles: []string{"TASK", "QUEUE", "STATE", "FOR", "ATTEMPT", "ERROR"}, nothing: "none"}
	if m.filter != "" {
		t.above = append(t.above, "selected: "+clean(m.filter)+faint.Render("  esc shows all"))
	}
	messages := m.messages()
	switch {
	case listedAs(*m.listing()) != m.picture.listed:
		t.nothing = "asking the broker…"
	case m.picture.refused != nil:
		t.nothing = clean(m.picture.refused.Error())
	}
	if m.picture.more && len(messages) > 0 {
		t.above = append(t.above, fmt.Sprintf("the first %d", len(messages)))
	}
	for _, s := range messages {
		text := ""
		if f := newest(s.Message); f != nil {
			text = f.Kind + ": " + f.Error
		}
		t.rows = append(t.rows, []string{
			clean(shortTask(s.Message.Task)), clean(s.Message.Queue), string(s.State), printable.Since(s.At),
			fmt.Sprintf("%d/%d", s.Message.Attempt, s.Message.Attempts), clean(text),
		})
	}
	return t
}

// oneMessage shows all of a message but its arguments, of which some may be secret.
func oneMessage(m *model, row int) []string {
	s := m.messages()[row]
	lines := []string{
		"id         " + clean(s.Message.ID),
		"task       " + clean(s.Message.Task),
		"queue      " + clean(s.Message.Queue),
		"state      " + string(s.State) + ", " + printable.Since(s.At),
		"enqueued   " + printable.Since(s.Message.EnqueuedAt) + " ago",
		fmt.Sprintf("attempt    %d of %d", s.Message.Attempt, s.Message.Attempts),
		"schema     " + clean(s.Message.Schema),
		"arguments  dtask message show " + clean(s.Message.ID),
	}
	for i := len(s.Message.Failures) - 1; i >= 0; i-- {
		f := s.Message.Failures[i]
		lines = append(lines, "", fmt.Sprintf("attempt %d, %s ago: %s", f.Attempt, printable.Since(f.At), clean(f.Kind)), "  "+clean(f.Error))
		for line := range strings.Lines(f.Stack) {
			lines = append(lines, "  "+clean(strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "\t", "    ")))
		}
	}
	return lines
}

func newest(m *broker.Message) *broker.Failure {
	if len(m.Failures) == 0 {
		return nil
	}
	return &m.Failures[len(m.Failures)-1]
}

// number returns a count that may be unknown.
func number(n int) string {
	if n < 0 {
		return "?"
	}
	return strconv.Itoa(n)
}

func perMinute(n int64, minutes float64) string {
	if minutes <= 0 {
		return "0"
	}
	rate, digits := float64(n)/minutes, 0
	if n > 0 && rate < 10 {
		digits = 1
	}
	return strconv.FormatFloat(rate, 'f', digits, 64)
}

// below returns the bound that 95 of 100 durations are below.
func below(h broker.Histogram) string {
	if h.Count() == 0 {
		return "-"
	}
	return "<" + bound(h.Below(0.95))
}

func bound(d time.Duration) string {
	if d >= time.Minute {
		d = d.Round(time.Second)
	}
	return d.String()
}

// shortTask returns what is behind the last slash of the name of a task.
func shortTask(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }
