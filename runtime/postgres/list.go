package postgres

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.Lister = (*Broker)(nil)

const (
	// examineAtMost is how many messages a Where looks at for one page.
	examineAtMost = 20_000

	// chunk is how many messages are fetched at one time for a Where.
	chunk = 200
)

// A spot is behind a message, in the order of a list.
type spot struct {
	lane lane
	due  time.Time
	seq  int64
}

// List implements [broker.Lister]. First come the messages that wait, in the order of
// their delivery, then those that run, then the dead letters.
func (b *Broker) List(ctx context.Context, s broker.Selection, after broker.Cursor, limit int) (page broker.Page, err error) {
	if limit < 1 {
		return page, fmt.Errorf("limit %d: ask for at least one message", limit)
	}
	if len(s.IDs) > 0 {
		return b.listIDs(ctx, s, after, limit)
	}
	from, err := parseSpot(after)
	if err != nil {
		return page, err
	}
	err = b.call(ctx, func(ctx context.Context, q querier) error {
		page = broker.Page{}
		return b.page(ctx, q, &s, from, limit, &page)
	})
	return page, err
}

// page fills a page with what follows a spot.
func (b *Broker) page(ctx context.Context, q querier, s *broker.Selection, from *spot, limit int, page *broker.Page) error {
	lanes, err := b.lanes(ctx, q, s, from)
	if err != nil {
		return err
	}
	var now time.Time
	if err := q.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&now); err != nil {
		return err
	}
	examined := 0
	for _, l := range lanes {
		at := spot{lane: l}
		var after *spot
		if from != nil && from.lane == l {
			after = from
		}
		for {
			fetch := limit - len(page.Messages)
			if s.Where != nil {
				fetch = chunk
			}
			n, err := 0, error(nil)
			full := false
			sql, args := b.later(l, s, after, now, fetch)
			r, err := q.Query(ctx, sql, args...)
			if err := rows(r, err, func(r pgx.Rows) error {
				if full {
					return nil
				}
				m, seq, err := readStoredRow(r, now)
				if err != nil {
					return err
				}
				n++
				examined++
				at.due, at.seq = m.At, seq
				if s.Matches(m) {
					page.Messages = append(page.Messages, m)
				}
				full = len(page.Messages) == limit || examined >= examineAtMost
				return nil
			}); err != nil {
				return err
			}
			if full {
				page.Next = at.cursor()
				return nil
			}
			if n < fetch {
				break
			}
			behind := at
			after = &behind
		}
	}
	return nil
}

// later returns the statement that reads what follows in a lane.
func (b *Broker) later(l lane, s *broker.Selection, after *spot, now time.Time, n int) (string, []any) {
	var c conditions
	c.add(shelves[l.shelf])
	order := "due, seq"
	switch l.shelf {
	case running:
		order = "seq"
	case waiting:
		c.add(fmt.Sprintf("priority = %d", l.priority))
	}
	if l.shelf != running {
		c.add("queue = " + c.arg(l.queue))
	}
	switch {
	case after == nil:
	case l.shelf == running:
		c.add("seq > " + c.arg(after.seq))
	default:
		c.add("(due, seq) > (" + c.arg(after.due) + "::timestamptz, " + c.arg(after.seq) + "::bigint)")
	}
	if l.shelf == waiting || l.shelf == quarantined {
		if !s.Has(broker.StateReady) {
			c.add("due > " + c.arg(now))
		}
		if !s.Has(broker.StateDelayed) {
			c.add("due <= " + c.arg(now))
		}
	}
	rest := *s
	if l.shelf != running {
		rest.Queues = nil // known by the lane
	}
	c.selects(&rest)
	return b.in("SELECT seq, state, due, " + allNames + " FROM dtask_messages" + c.where() + " ORDER BY " + order + " LIMIT " + c.arg(n)), c.args
}

var selectStored = "SELECT seq, state, due, " + allNames + " FROM dtask_messages WHERE id = ANY ($1::text[])"

// listIDs is List for messages that are named, in the order of the ids.
func (b *Broker) listIDs(ctx context.Context, s broker.Selection, after broker.Cursor, limit int) (page broker.Page, err error) {
	first := 0
	if after != "" {
		if first, err = strconv.Atoi(string(after)); err != nil || first < 0 || first > len(s.IDs) {
			return page, badCursor(after)
		}
	}
	last := min(first+limit, len(s.IDs))
	found, err := b.stored(ctx, s.IDs[first:last])
	if err != nil {
		return page, err
	}
	for _, id := range s.IDs[first:last] {
		if m, ok := found[id]; ok && s.Matches(m) {
			page.Messages = append(page.Messages, m)
		}
	}
	if last < len(s.IDs) {
		page.Next = broker.Cursor(strconv.Itoa(last))
	}
	return page, nil
}

// stored returns the messages with the ids, those that there are.
func (b *Broker) stored(ctx context.Context, ids []string) (found map[string]broker.Stored, err error) {
	err = b.call(ctx, func(ctx context.Context, q querier) error {
		found = make(map[string]broker.Stored)
		var now time.Time
		if err := q.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&now); err != nil {
			return err
		}
		r, err := q.Query(ctx, b.in(selectStored), ids)
		return rows(r, err, func(r pgx.Rows) error {
			m, _, err := readStoredRow(r, now)
			if err == nil {
				found[m.Message.ID] = m
			}
			return err
		})
	})
	return found, err
}

// Stored implements [broker.Lister].
func (b *Broker) Stored(ctx context.Context, id string) (broker.Stored, error) {
	found, err := b.stored(ctx, []string{id})
	m, ok := found[id]
	if err == nil && !ok {
		err = fmt.Errorf("%.100q: %w", id, broker.ErrNoMessage)
	}
	return m, err
}

// cursor returns the spot as a caller keeps it.
func (p spot) cursor() broker.Cursor {
	return broker.Cursor(fmt.Sprintf("%d,%d,%d,%d,%s", p.lane.shelf, p.lane.priority, p.due.UnixMicro(), p.seq, url.QueryEscape(p.lane.queue)))
}

// parseSpot returns the spot of a cursor, nil for the beginning.
func parseSpot(c broker.Cursor) (*spot, error) {
	if c == "" {
		return nil, nil
	}
	parts := strings.SplitN(string(c), ",", 5)
	if len(parts) != 5 {
		return nil, badCursor(c)
	}
	var numbers [4]int64
	for i := range numbers {
		var err error
		if numbers[i], err = strconv.ParseInt(parts[i], 10, 64); err != nil {
			return nil, badCursor(c)
		}
	}
	queue, err := url.QueryUnescape(parts[4])
	if err != nil || numbers[0] < 0 || numbers[0] >= int64(len(shelves)) {
		return nil, badCursor(c)
	}
	return &spot{lane{shelf(numbers[0]), queue, int(numbers[1])}, time.UnixMicro(numbers[2]), numbers[3]}, nil
}

func badCursor(c broker.Cursor) error {
	return fmt.Errorf("cursor %.60q is not one of this broker; begin without a cursor", string(c))
}
