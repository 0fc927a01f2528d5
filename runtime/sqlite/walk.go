package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"math"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A walk goes through the selected messages by the indexes, lane by lane. If the
// selection says something of their tasks, say, it reads that first, and the whole
// row only of what is left: bodies are large.
type walk struct {
	reader  *reader // that has the connection
	conn    *conn
	wanted  broker.Selection // but for its Where
	where   func(broker.Stored) bool
	columns []int // to read in the lanes
	now     time.Time
	most    int // how many rows to look at; 0: all

	examined int   // rows so far
	at       place // of the last one
}

// newWalk returns a walk on a connection, which is to be in a transaction.
func newWalk(r *reader, c *conn, s broker.Selection) *walk {
	w := &walk{reader: r, conn: c, wanted: s, where: s.Where, columns: briefColumns, now: time.Now()}
	w.wanted.Where = nil
	timed := !s.EnqueuedAfter.IsZero() || !s.EnqueuedBefore.IsZero()
	switch {
	case timed:
		w.columns = timedColumns
	case s.Where != nil && len(s.Tasks)+len(s.Schemas) == 0:
		w.columns = everyColumn
	}
	return w
}

// A place is behind a message, in the order of a walk.
type place struct {
	lane     lane
	due, seq int64
}

// errEnough ends a walk before its end.
var errEnough = errors.New("enough")

// visit calls f for each selected message after a place. The message that f gets
// is overwritten by the next one, and has no more than its columns, unless the selection has a Where; whole reads the rest. The error is errEnough if w has looked at most rows, or
// if f returns that.
func (w *walk) visit(ctx context.Context, after *place, f func(s broker.Stored, seq int64) error) error {
	lanes, err := w.lanes(after)
	if err != nil {
		return err
	}
	for i, l := range lanes {
		from, until := w.bounds(l)
		if i == 0 && after != nil && after.lane == l {
			if l.shelf == running {
				from = after.seq
			} else {
				if err := w.stretch(ctx, l, l.sameDue(w.columns), f, after.due, after.seq); err != nil {
					return err
				}
				from = max(from, after.due)
			}
		}
		if err := w.stretch(ctx, l, l.later(w.columns), f, from, until); err != nil {
			return err
		}
	}
	return nil
}

// bounds returns between which times, the first excluded, the messages of a lane
// are due that may be selected.
func (w *walk) bounds(l lane) (from, until int64) {
	from, until = math.MinInt64, math.MaxInt64
	if !l.waits() {
		return from, until
	}
	if !w.wanted.Has(broker.StateReady) {
		from = w.now.UnixMilli()
	}
	if !w.wanted.Has(broker.StateDelayed) {
		until = w.now.UnixMilli()
	}
	return from, until
}

// lookUpEvery is after how many rows a walk looks whether it is still wanted.
const lookUpEvery = 256

// stretch calls f for the selected messages of a part of a lane.
func (w *walk) stretch(ctx context.Context, l lane, sql string, f func(s broker.Stored, seq int64) error, due, bound int64) error {
	args := []driver.Value{due, bound}
	if l.shelf != running {
		args = append(args, l.queue)
	}
	m := new(broker.Message)
	return w.conn.query(func(row []driver.Value) error {
		if w.examined++; w.examined%lookUpEvery == 0 {
			if err := w.interrupted(ctx); err != nil {
				return err
			}
		}
		seq, due := row[0].(int64), row[1].(int64)
		w.at = place{l, due, seq}
		s := broker.Stored{Message: m, State: l.state(due, w.now), At: time.UnixMilli(due)}
		if len(w.columns) == len(everyColumn) {
			s.Message = wholeMessage(row[2:], s.State)
		} else {
			readColumns(m, w.columns, row[2:])
		}
		ok, err := w.selects(&s, seq)
		if err == nil && ok {
			err = f(s, seq)
		}
		if err == nil && w.examined == w.most {
			err = errEnough
		}
		return err
	}, sql, args...)
}

// interrupted returns why a walk is to end early, or nil.
func (w *walk) interrupted(ctx context.Context) error {
	if w.reader.closed.Load() {
		return broker.ErrClosed
	}
	return ctx.Err()
}

// selects reports whether a message is selected, and reads all of it if the
// selection asks for more than the brief columns.
func (w *walk) selects(s *broker.Stored, seq int64) (bool, error) {
	if ok := w.wanted.Matches(*s); !ok || w.where == nil {
		return ok, nil
	}
	if len(w.columns) < len(everyColumn) {
		if err := w.whole(s, seq); err != nil {
			return false, err
		}
	}
	return w.where(*s), nil
}

// whole reads all of a message. What cannot be read of a damaged row is left zero.
func (w *walk) whole(s *broker.Stored, seq int64) error {
	return w.conn.query(func(row []driver.Value) error {
		s.Message = wholeMessage(row[2:], s.State)
		return nil
	}, selectWhole, seq)
}

// wholeMessage returns the message of all columns.
func wholeMessage(row []driver.Value, state broker.State) *broker.Message {
	m := new(broker.Message)
	readMessage(m, row)
	if state == broker.StateDead {
		m.NotBefore = time.Time{} // the column says since when it is dead
	}
	return m
}
