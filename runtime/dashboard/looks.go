package dashboard

import (
	"context"
	"errors"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
)

// looks are what the pages ask of the broker, each as often as it changes and as what it
// costs allows.
type looks struct {
	queues    *look[[]broker.QueueState]
	workers   *look[[]broker.Process]
	pauses    *look[[]broker.Pause]
	oldest    *look[map[string]time.Time] // since when the first message of a queue waits
	orphans   *look[[]broker.QueueState]
	schedules *look[[]operate.Schedule]
	hour      *look[[]broker.Tally]
	week      *look[week]
	tasks     *look[[]operate.Task]
	deploy    *look[operate.Deploy]
	acts      shelf[[]broker.Act]
	lists     shelf[listing]
	counts    shelf[[]broker.Count]
	messages  shelf[broker.Stored]
	groups    shelf[operate.Groups]
}

// maxOldest is of how many queues the oldest message is looked up.
const maxOldest = 100

func newLooks(d *Dashboard) *looks {
	o := d.operator
	l := &looks{
		queues:    newLook(d, time.Second, o.Queues),
		workers:   newLook(d, time.Second, o.Workers),
		pauses:    newLook(d, time.Second, o.Pauses),
		tasks:     newLook(d, 5*time.Second, o.Tasks),
		deploy:    newDearLook(d, 20*time.Second, o.Deploy),
		acts:      shelf[[]broker.Act]{board: d, every: 2 * time.Second},
		lists:     shelf[listing]{board: d, every: time.Second},
		counts:    shelf[[]broker.Count]{board: d, every: 2 * time.Second},
		groups:    shelf[operate.Groups]{board: d, every: 2 * time.Second},
		messages:  shelf[broker.Stored]{board: d, every: time.Second},
		schedules: newLook(d, 2*time.Second, o.Schedules),
		orphans:   newDearLook(d, time.Minute, o.Orphans),
		hour: newLook(d, 2*time.Second, func(ctx context.Context) ([]broker.Tally, error) {
			return o.Journal(ctx, time.Now().Add(-time.Hour))
		}),
		week: newDearLook(d, 5*time.Minute, func(ctx context.Context) (week, error) {
			ts, err := o.Journal(ctx, time.Now().Add(-7*24*time.Hour))
			return summedWeek(ts), err
		}),
	}
	l.oldest = newLook(d, time.Second, func(ctx context.Context) (map[string]time.Time, error) {
		return oldestOf(ctx, d.broker, l.queues.get(time.Now().Add(askPatience)).value)
	})
	return l
}

// oldestOf returns since when the first message of each queue waits, as far as the
// broker knows.
func oldestOf(ctx context.Context, b broker.Broker, queues []broker.QueueState) (map[string]time.Time, error) {
	ager, err := broker.As[broker.Ager](b)
	if err != nil {
		return nil, err
	}
	oldest := make(map[string]time.Time)
	for _, q := range queues {
		if q.Ready == 0 || len(oldest) == maxOldest {
			continue
		}
		at, err := ager.OldestDue(ctx, q.Queue)
		if errors.Is(err, broker.ErrUnsupported) {
			continue // of this queue
		}
		if err != nil {
			return nil, err
		}
		oldest[q.Queue] = at
	}
	return oldest, nil
}

// changed lets pages ask anew: somebody has changed something here, and wants to see it.
func (l *looks) changed() {
	l.queues.again()
	l.workers.again()
	l.pauses.again()
	l.schedules.again()
	l.lists.again()
	l.counts.again()
	l.messages.again()
	l.groups.again()
	l.acts.again()
	l.deploy.again()
}
