package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.Lister = (*Broker)(nil)

// examineAtMost is how many rows are read for one page: other pages wait for the
// connection, and the log of the database cannot be cut meanwhile.
const examineAtMost = 20_000

// List implements [broker.Lister]. First come the messages that wait, in the order
// of their delivery, then those that run, then the dead letters.
func (b *Broker) List(ctx context.Context, s broker.Selection, after broker.Cursor, limit int) (page broker.Page, err error) {
	if limit < 1 {
		return page, fmt.Errorf("limit %d: ask for at least one message", limit)
	}
	if len(s.IDs) > 0 {
		return b.listIDs(ctx, s, after, limit)
	}
	from, err := parsePlace(after)
	if err != nil {
		return page, err
	}
	err = b.snapshotOn(ctx, &b.pages, func(c *conn) error {
		w := newWalk(&b.pages, c, s)
		w.most = examineAtMost
		return w.page(ctx, from, limit, &page)
	})
	return page, err
}

// page fills a page with what follows a place.
func (w *walk) page(ctx context.Context, from *place, limit int, page *broker.Page) error {
	var seqs []int64
	err := w.visit(ctx, from, func(s broker.Stored, seq int64) error {
		if w.where == nil { // it is overwritten, and read again
			s.Message = nil
		}
		page.Messages = append(page.Messages, s)
		if seqs = append(seqs, seq); len(seqs) == limit {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		page.Next, err = w.at.cursor(), nil
	}
	if err != nil || w.where != nil { // then all of them were read
		return err
	}
	for i, seq := range seqs {
		if err := w.whole(&page.Messages[i], seq); err != nil {
			return err
		}
	}
	return nil
}

// listIDs is List for messages that are named: one by one, in the order of the ids.
func (b *Broker) listIDs(ctx context.Context, s broker.Selection, after broker.Cursor, limit int) (page broker.Page, err error) {
	first := 0
	if after != "" {
		if first, err = strconv.Atoi(string(after)); err != nil || first < 0 || first > len(s.IDs) {
			return page, badCursor(after)
		}
	}
	err = b.snapshotOn(ctx, &b.pages, func(c *conn) error {
		for i, id := range s.IDs[first:] {
			if len(page.Messages) == limit {
				page.Next = broker.Cursor(strconv.Itoa(first + i))
				return nil
			}
			m, ok, err := storedAs(c, id)
			if err != nil {
				return err
			}
			if ok && s.Matches(m) {
				page.Messages = append(page.Messages, m)
			}
		}
		return nil
	})
	return page, err
}

// Stored implements [broker.Lister].
func (b *Broker) Stored(ctx context.Context, id string) (m broker.Stored, err error) {
	err = b.read(ctx, func(c *conn) (err error) {
		found := false
		if m, found, err = storedAs(c, id); err == nil && !found {
			err = fmt.Errorf("%.100q: %w", id, broker.ErrNoMessage)
		}
		return err
	})
	return m, err
}

var selectStored = "SELECT state, due, " + namesOf(everyColumn) + " FROM dtask_messages WHERE id = ?"

// storedAs returns the message with the given id, if there is one.
func storedAs(c *conn, id string) (s broker.Stored, ok bool, err error) {
	err = c.query(func(row []driver.Value) error {
		due := row[1].(int64)
		on := lane{shelf: waiting}
		switch row[0].(int64) {
		case 1:
			on.shelf = running
		case 2:
			on.shelf = dead
		}
		s.State, s.At, ok = on.state(due, time.Now()), time.UnixMilli(due), true
		s.Message = wholeMessage(row[2:], s.State)
		return nil
	}, selectStored, id)
	return s, ok, err
}

// cursor returns the place as a caller keeps it.
func (p place) cursor() broker.Cursor {
	return broker.Cursor(fmt.Sprintf("%d,%d,%d,%d,%s", p.lane.shelf, p.lane.priority, p.due, p.seq, url.QueryEscape(p.lane.queue)))
}

// parsePlace returns the place of a cursor, nil for the beginning.
func parsePlace(c broker.Cursor) (*place, error) {
	if c == "" {
		return nil, nil
	}
	parts := strings.SplitN(string(c), ",", 5)
	var numbers [4]int64
	if len(parts) != 5 {
		return nil, badCursor(c)
	}
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
	return &place{lane{shelf(numbers[0]), queue, int(numbers[1])}, numbers[2], numbers[3]}, nil
}

func badCursor(c broker.Cursor) error {
	return fmt.Errorf("cursor %.60q is not one of this broker; begin without a cursor", string(c))
}
