package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A lane is a range of an index in which messages follow one another by the time at
// which they are due.
type lane struct {
	shelf    shelf
	queue    string // of all shelves but running
	priority int    // of the shelf of waiting
}

// A shelf is a state of rows, which has an index of its own.
type shelf int

const (
	waiting shelf = iota
	quarantined
	running // few, and in no order: one lane, by number
	dead
)

// shelves are the conditions of each.
var shelves = [...]string{
	waiting:     "state = 0 AND quarantine = 0",
	quarantined: "state = 0 AND quarantine > 0",
	running:     "state = 1",
	dead:        "state = 2",
}

// lanes returns the lanes that may have selected messages, in order, from that of a
// spot on.
func (b *Broker) lanes(ctx context.Context, q querier, s *broker.Selection, from *spot) (list []lane, err error) {
	start := lane{priority: int(broker.PriorityHigh)}
	if from != nil {
		start = from.lane
	}
	for shelf := start.shelf; int(shelf) < len(shelves); shelf++ {
		if !wantsShelf(s, shelf) {
			continue
		}
		if shelf == running {
			list = append(list, lane{shelf: shelf})
			continue
		}
		queues, err := b.queuesOn(ctx, q, shelf)
		if err != nil {
			return nil, err
		}
		for _, queue := range queues {
			if !s.HasQueue(queue) || shelf == start.shelf && queue < start.queue {
				continue
			}
			if shelf != waiting {
				list = append(list, lane{shelf: shelf, queue: queue})
				continue
			}
			for p := broker.PriorityHigh; p >= broker.PriorityLow; p-- {
				if shelf == start.shelf && queue == start.queue && int(p) > start.priority {
					continue
				}
				list = append(list, lane{shelf, queue, int(p)})
			}
		}
	}
	return list, nil
}

func wantsShelf(s *broker.Selection, shelf shelf) bool {
	switch shelf {
	case running:
		return s.Has(broker.StateRunning)
	case dead:
		return s.Has(broker.StateDead)
	}
	return s.Has(broker.StateReady) || s.Has(broker.StateDelayed)
}

// queuesOn returns the queues that have messages on a shelf, sorted. It jumps from one
// to the next in the index.
func (b *Broker) queuesOn(ctx context.Context, q querier, s shelf) (queues []string, err error) {
	next := "(SELECT queue FROM dtask_messages WHERE " + shelves[s] + " %s ORDER BY queue LIMIT 1)"
	r, err := q.Query(ctx, b.in("WITH RECURSIVE names AS ("+fmt.Sprintf(next, "")+
		" UNION ALL SELECT "+fmt.Sprintf(next, "AND queue > names.queue")+" FROM names WHERE names.queue IS NOT NULL)"+
		" SELECT queue FROM names WHERE queue IS NOT NULL"))
	err = rows(r, err, func(r pgx.Rows) error {
		var queue string
		err := r.Scan(&queue)
		queues = append(queues, queue)
		return err
	})
	slices.Sort(queues)
	return queues, err
}
