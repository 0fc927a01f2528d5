package dashboard

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
)

// An event is a step in the life of a message.
type event struct {
	Class, Icon, Title string
	At                 time.Time
	Kind, Error        string
	Says               string
	Stack, Log         string
	Gap                string // the time before it
	Open               bool
}

// life tells what has happened to a message, as far as it is kept with it.
func (v *visit) life(m broker.Stored) []event {
	msg := m.Message
	list := []event{{Icon: "from", Title: "Enqueued", At: msg.EnqueuedAt, Says: cmp.Or(withSchema(msg.Schema), "without a schema")}}
	for i, f := range msg.Failures {
		last := i == len(msg.Failures)-1
		e := event{Class: "look", Icon: "retried", At: f.At, Kind: f.Kind, Error: withoutKind(f.Kind, f.Error), Stack: f.Stack, Log: f.Log}
		outcome := "retried"
		switch {
		case last && m.State == broker.StateDead:
			e.Class, e.Icon, outcome, e.Open = "act", "dead", "dead", true
		case !last && msg.Failures[i+1].Attempt <= f.Attempt, last && msg.Attempt <= f.Attempt && m.State != broker.StateDead:
			e.Class, e.Icon, outcome = "act", "dead", "dead, and retried by an operator"
		}
		e.Title = fmt.Sprintf("Attempt %d: %s", f.Attempt, outcome)
		list = append(list, e)
	}
	if msg.HandedBack > 0 {
		list = append(list, event{
			Class: "look", Icon: "handed", Title: "Handed back " + times(msg.HandedBack), At: msg.HandedBackSince,
			Says: "No worker that had it knows this task with this schema. That costs no attempt.",
		})
	}
	if m.State != broker.StateDead {
		list = append(list, v.present(m))
	}
	slices.SortStableFunc(list[1:], func(a, b event) int { return a.At.Compare(b.At) })
	for i := 1; i < len(list); i++ {
		if d := list[i].At.Sub(list[i-1].At); d > 0 && !list[i-1].At.IsZero() {
			list[i].Gap = took(d) + " later"
		}
	}
	return list
}

func withSchema(schema string) string {
	if schema == "" {
		return ""
	}
	return "with schema " + schema
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return number(n) + " times"
}

// present is what the message does now.
func (v *visit) present(m broker.Stored) event {
	s := stateOf(m)
	e := event{Icon: s.Icon, At: m.At, Title: "Waiting on " + m.Message.Queue + " for attempt " + fmt.Sprint(m.Message.Attempt)}
	switch m.State {
	case broker.StateRunning:
		e.Class, e.Title = "", fmt.Sprintf("Attempt %d: running", m.Message.Attempt)
		for _, p := range see(v, v.looks.workers).value {
			for _, r := range p.Running {
				if r.ID == m.Message.ID {
					e.Says = strings.Join(slices.DeleteFunc([]string{operate.Address(p), buildName(p.Build)}, func(s string) bool { return s == "" }), " · ")
				}
			}
		}
	case broker.StateDelayed:
		e.Title = fmt.Sprintf("Attempt %d: runs in %s", m.Message.Attempt, ago(m.At.Sub(v.now)))
	}
	return e
}
