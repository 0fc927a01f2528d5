package top

import (
	"context"
	"errors"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
)

const (
	// lookAgain is the time between an answer of the broker and the next question.
	lookAgain = 900 * time.Millisecond

	// lookPatience bounds a look.
	lookPatience = 5 * time.Second

	// rarely is how often it is asked what changes slowly, or is dear to ask.
	rarely = 3 * time.Second

	// span is the time of which rates are shown, and history that of the journal.
	span    = 5 * time.Minute
	history = time.Hour

	// maxMessages is how many messages are listed.
	maxMessages = 200

	// maxOldest is of how many queues the oldest message is looked up.
	maxOldest = 20
)

// A picture is what the broker said last.
type picture struct {
	at      time.Time
	queues  []broker.QueueState
	workers []broker.Process
	tallies []broker.Tally // of the last hour
	acts    []broker.Act
	oldest  map[string]time.Time // since when the first message of a queue is ready
	rareAt  time.Time            // of workers, tallies, acts and oldest

	schedules   []operate.Schedule
	noSchedules error // why there are none

	listed   string // the selection of messages
	messages []broker.Stored
	more     bool
	refused  error // why there are no messages
}

// looked says that a look is over.
type looked struct {
	picture picture
	err     error
}

// lookNow says that it is time for the next look.
type lookNow struct{}

// pause waits until it is time for the next look. What the screen needs is known then:
// keys may change it meanwhile.
func (m *model) pause() tea.Cmd {
	return func() tea.Msg {
		select {
		case <-time.After(lookAgain):
		case <-m.soon:
		case <-m.ctx.Done():
		}
		return lookNow{}
	}
}

// look asks the broker what the screen needs.
func (m *model) look() tea.Cmd {
	last, listing, screen, acts := m.picture, m.listing(), m.screen, m.screen == journalScreen && m.showActs
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(m.ctx, lookPatience)
		defer cancel()
		p := last
		err := p.look(ctx, m.operator, acts)
		if err == nil && screen == schedulesScreen {
			err = p.lookAtSchedules(ctx, m.operator)
		}
		if err == nil && listing != nil {
			err = p.list(ctx, m.operator, *listing)
		}
		return looked{p, err}
	}
}

func (p *picture) look(ctx context.Context, o *operate.Operator, acts bool) (err error) {
	if p.queues, err = o.Queues(ctx); err != nil {
		return err
	}
	now := time.Now()
	if acts {
		if p.acts, err = o.Acts(ctx, now.Add(-7*24*time.Hour)); unless(&err) != nil {
			return err
		}
	}
	p.at = now
	if now.Sub(p.rareAt) < rarely {
		return nil
	}
	if p.workers, err = o.Workers(ctx); unless(&err) != nil {
		return err
	}
	if p.tallies, err = o.Journal(ctx, now.Add(-history)); unless(&err) != nil {
		return err
	}
	p.rareAt = now
	return p.findOldest(ctx, o)
}

// unless drops the error of a broker that lacks a capability: less is shown then.
func unless(err *error) error {
	if unsupported(*err) {
		*err = nil
	}
	return *err
}

func unsupported(err error) bool { return errors.Is(err, broker.ErrUnsupported) }

// findOldest looks up the first ready message of queues, where the broker can.
func (p *picture) findOldest(ctx context.Context, o *operate.Operator) error {
	p.oldest = make(map[string]time.Time)
	for _, q := range p.queues {
		if q.Ready == 0 || len(p.oldest) == maxOldest {
			continue
		}
		s, err := selection.Parse("state:ready queue:" + q.Queue)
		if err != nil {
			continue
		}
		for m, err := range o.Messages(ctx, s, 1) {
			if errors.Is(err, broker.ErrUnsupported) {
				return nil
			}
			if err != nil {
				return err
			}
			p.oldest[q.Queue] = m.At
		}
	}
	return nil
}

// listedAs returns what tells lists apart; it is never empty.
func listedAs(s selection.Selection) string { return "messages " + s.String() }

// list lists the messages of a selection. A broker that cannot is no error.
func (p *picture) list(ctx context.Context, o *operate.Operator, s selection.Selection) error {
	p.listed, p.messages, p.more, p.refused = listedAs(s), nil, false, nil
	for m, err := range o.Messages(ctx, s, maxMessages+1) {
		switch {
		case errors.Is(err, broker.ErrUnsupported):
			p.refused = err
			return nil
		case err != nil:
			return err
		case len(p.messages) == maxMessages:
			p.more = true
			return nil
		}
		p.messages = append(p.messages, m)
	}
	return nil
}

// consumers returns how many processes consume a queue.
func (p *picture) consumers(queue string) (n int) {
	for _, w := range p.workers {
		for _, q := range w.Queues {
			if q.Name == queue {
				n++
			}
		}
	}
	return n
}

// orphaned reports whether messages of a queue wait for a worker that is not there.
func (p *picture) orphaned(q broker.QueueState) bool {
	return !q.Paused && q.Ready+max(q.Delayed, 0) > 0 && p.consumers(q.Queue) == 0
}

// recent returns the sum of the tallies of the last minutes, of a queue or of all.
func (p *picture) recent(queue string) (sum broker.Tally, minutes float64) {
	since := p.at.Add(-span).Truncate(time.Minute)
	for i := range p.tallies {
		if t := &p.tallies[i]; !t.Minute.Before(since) && (queue == "" || t.Queue == queue) {
			sum.Add(t)
		}
	}
	return sum, p.rareAt.Sub(since).Minutes()
}
