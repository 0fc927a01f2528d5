package top

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
)

// A change is one that was counted and is to be confirmed.
type change struct {
	messages int // -1: it changes none
	what     string
	do       func(context.Context) (text string, err error)
}

// planned says what a change would change.
type planned struct {
	change *change
	err    error
}

// changed says how a change ended.
type changed struct{ text string }

// begin counts what the change of an upper-case key would change.
func (m *model) begin(key string) tea.Cmd {
	if m.working || m.picture.at.IsZero() {
		return nil
	}
	var plan func(context.Context) (*change, error)
	switch {
	case m.screen == queuesScreen && len(key) == 1 && strings.Contains("PUX", key):
		plan = m.changeQueue(key)
	case m.screen == workersScreen && len(key) == 1 && strings.Contains("QUT", key):
		plan = m.changeWorker(key)
	case m.screen == schedulesScreen && len(key) == 1 && strings.Contains("PURX", key):
		plan = m.changeSchedule(key)
	case m.lists() && len(key) == 1 && strings.Contains("RD", key):
		if i := m.marked[m.screen]; i < len(m.messages()) {
			id := m.messages()[i].Message.ID
			plan = m.changeMessages(key, func(ctx context.Context, a operate.Action) (*operate.Plan, error) {
				return m.operator.PlanIDs(ctx, []string{id}, a)
			})
		}
	case m.screen == deadScreen && (key == "A" || key == "X"):
		s := *m.listing()
		plan = m.changeMessages(map[string]string{"A": "R", "X": "D"}[key], func(ctx context.Context, a operate.Action) (*operate.Plan, error) {
			return m.operator.Plan(ctx, s, a)
		})
	}
	if plan == nil {
		return nil
	}
	m.working, m.said = true, "counting…"
	return func() tea.Msg {
		c, err := plan(m.ctx)
		return planned{c, err}
	}
}

// changeQueue returns what pauses, resumes (U) or purges the marked queue.
func (m *model) changeQueue(key string) func(context.Context) (*change, error) {
	i := m.marked[queuesScreen]
	if i >= len(m.picture.queues) {
		return nil
	}
	queue := m.picture.queues[i].Queue
	return func(ctx context.Context) (*change, error) {
		switch key {
		case "P":
			return &change{-1, "pause queue " + queue, func(ctx context.Context) (string, error) {
				return said("queue "+queue+" is paused", m.operator.Pause(ctx, broker.Pause{What: broker.PauseQueue, Name: queue}))
			}}, nil
		case "U":
			return &change{-1, "resume queue " + queue, func(ctx context.Context) (string, error) {
				return said("queue "+queue+" is resumed", m.operator.Resume(ctx, broker.PauseQueue, queue))
			}}, nil
		}
		states, err := m.operator.Queues(ctx)
		if err != nil {
			return nil, err
		}
		for _, s := range states {
			if s.Queue == queue {
				return m.purge(s), nil
			}
		}
		return nil, fmt.Errorf("there is no queue %s any more", queue)
	}
}

// said returns a text unless there is an error.
func said(text string, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return text, nil
}

func (m *model) purge(s broker.QueueState) *change {
	what := "delete what is ready and delayed of queue " + s.Queue
	if s.Delayed < 0 {
		what += ", and an unknown number of delayed ones,"
	}
	return &change{s.Ready + max(s.Delayed, 0), what, func(ctx context.Context) (string, error) {
		n, err := m.operator.Purge(ctx, s.Queue)
		return fmt.Sprintf("%d deleted", n), err
	}}
}

// changeMessages returns what retries or deletes messages.
func (m *model) changeMessages(key string, find func(context.Context, operate.Action) (*operate.Plan, error)) func(context.Context) (*change, error) {
	action, what := operate.Retry, "retry"
	if key == "D" {
		action, what = operate.Delete, "delete"
	}
	return func(ctx context.Context) (*change, error) {
		plan, err := find(ctx, action)
		if err != nil {
			return nil, err
		}
		if plan.Messages == 0 {
			return nil, fmt.Errorf("no message can be %s", action.Done)
		}
		return &change{plan.Messages, what, func(ctx context.Context) (string, error) {
			done, err := plan.Do(ctx, operate.Pace{})
			text := fmt.Sprintf("%d %s", done.Changed, action.Done)
			if done.Skipped > 0 {
				text += fmt.Sprintf(", %d skipped, for they had moved on", done.Skipped)
			}
			return text, err
		}}, nil
	}
}

// confirm asks whether what was counted is to be done: the number is to be typed, or
// yes where there is none.
func (m *model) confirm(p planned) tea.Cmd {
	m.working, m.said = false, ""
	if p.err != nil {
		m.said = p.err.Error()
		return nil
	}
	m.asking = p.change
	want, prompt := "yes", p.change.what+"? type yes: "
	if n := p.change.messages; n >= 0 {
		want = strconv.Itoa(n)
		prompt = fmt.Sprintf("%s: %d messages? type %d: ", p.change.what, n, n)
	}
	m.typing = &typing{prompt: prompt, done: func(text string) tea.Cmd {
		c := m.asking
		m.asking = nil
		if strings.TrimSpace(text) != want {
			m.said = "not confirmed, nothing was changed"
			return nil
		}
		m.working, m.said = true, "changing…"
		return func() tea.Msg {
			text, err := c.do(m.ctx)
			if err != nil {
				text += ", and then: " + err.Error()
			}
			return changed{strings.TrimPrefix(text, ", and then: ")}
		}
	}}
	return nil
}
