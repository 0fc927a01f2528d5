package sqlite

import (
	"bytes"
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.Editor = (*Broker)(nil)

// asListed is the condition that a message has not moved on since it was listed.
// When it is due changes with every move that could come back to the same state.
const asListed = " WHERE id = ? AND queue = ? AND state = ? AND due = ?"

const (
	editMessage   = "UPDATE dtask_messages SET body = ?, schema = ?" + asListed + " AND body IS ? AND schema = ?"
	moveMessage   = "UPDATE dtask_messages SET queue = ?" + asListed
	hastenMessage = "UPDATE dtask_messages SET due = ?" + asListed + " AND due > ?"
	deleteMessage = "DELETE FROM dtask_messages" + asListed
	reviveMessage = "UPDATE dtask_messages SET " + revived + asListed
)

// Edit implements [broker.Editor].
func (b *Broker) Edit(ctx context.Context, r broker.Ref, old, new broker.Arguments) error {
	if err := broker.ValidateBody(new.Body); err != nil {
		return err
	}
	if r.State == broker.StateRunning {
		return fmt.Errorf("%s: %w: it is running", r.ID, broker.ErrChanged)
	}
	n := 0
	err := b.writer.do(ctx, func(c *conn) (err error) {
		n, err = c.exec(editMessage, append(append([]driver.Value{bytes.Clone(new.Body), new.Schema}, listed(r)...), old.Body, old.Schema)...)
		return err
	})
	if err == nil && n == 0 {
		err = fmt.Errorf("%s: %w; look again", r.ID, broker.ErrChanged)
	}
	return err
}

// Move implements [broker.Editor].
func (b *Broker) Move(ctx context.Context, queue string, rs ...broker.Ref) (int, error) {
	if err := broker.ValidateQueue(queue); err != nil {
		return 0, err
	}
	rs = slices.DeleteFunc(slices.Clone(rs), func(r broker.Ref) bool { return r.Queue == queue })
	return b.changeRefs(ctx, rs, func(broker.State) (string, []driver.Value, []driver.Value) {
		return moveMessage, []driver.Value{queue}, nil
	})
}

// Retry implements [broker.Editor].
func (b *Broker) Retry(ctx context.Context, rs ...broker.Ref) (int, error) {
	now := time.Now().UnixMilli()
	return b.changeRefs(ctx, rs, func(s broker.State) (string, []driver.Value, []driver.Value) {
		if s == broker.StateDead {
			return reviveMessage, []driver.Value{now, now}, nil
		}
		return hastenMessage, []driver.Value{now}, []driver.Value{now}
	})
}

// Delete implements [broker.Editor].
func (b *Broker) Delete(ctx context.Context, rs ...broker.Ref) (int, error) {
	return b.changeRefs(ctx, rs, func(broker.State) (string, []driver.Value, []driver.Value) {
		return deleteMessage, nil, nil
	})
}

// changeRefs executes a statement for each message that is still as it was listed,
// with arguments before those of asListed, and behind them.
func (b *Broker) changeRefs(ctx context.Context, rs []broker.Ref, change func(broker.State) (sql string, before, behind []driver.Value)) (int, error) {
	rs = slices.DeleteFunc(slices.Clone(rs), func(r broker.Ref) bool { return r.State == broker.StateRunning })
	return changeEach(ctx, b, rs, func(c *conn, r broker.Ref) (int, error) {
		sql, before, behind := change(r.State)
		return c.exec(sql, slices.Concat(before, listed(r), behind)...)
	})
}

// listed are the arguments of asListed.
func listed(r broker.Ref) []driver.Value {
	state := int64(0)
	if r.State == broker.StateDead {
		state = 2
	}
	return []driver.Value{r.ID, r.Queue, state, r.At.UnixMilli()}
}
