package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.Editor = (*Broker)(nil)

// asListed is the condition that a message, m, has not moved on since it was listed,
// as l. When it is due changes with every move that could come back to the same state.
const asListed = " FROM unnest($1::text[], $2::text[], $3::smallint[], $4::timestamptz[]) AS l (id, queue, state, due)" +
	" WHERE m.id = l.id AND m.queue = l.queue AND m.state = l.state AND m.due = l.due"

var (
	editMessage    = "UPDATE dtask_messages m SET body = $5, schema = $6" + asListed + " AND m.body = $7 AND m.schema = $8"
	moveMessages   = "UPDATE dtask_messages m SET queue = $5" + asListed
	hastenMessages = "UPDATE dtask_messages m SET due = statement_timestamp()" + asListed + " AND m.state = 0 AND m.due > statement_timestamp()"
	reviveMessages = "UPDATE dtask_messages m SET " + revived + asListed + " AND m.state = 2"
	deleteMessages = "DELETE FROM dtask_messages m USING" + asListed[len(" FROM"):]
)

// Edit implements [broker.Editor].
func (b *Broker) Edit(ctx context.Context, r broker.Ref, old, new broker.Arguments) error {
	if err := broker.ValidateBody(new.Body); err != nil {
		return err
	}
	if r.State == broker.StateRunning {
		return fmt.Errorf("%s: %w: it is running", r.ID, broker.ErrChanged)
	}
	var n int64
	err := b.call(ctx, func(ctx context.Context, q querier) error {
		tag, err := q.Exec(ctx, b.in(editMessage), append(listed([]broker.Ref{r}), orEmpty(new.Body), new.Schema, orEmpty(old.Body), old.Schema)...)
		n = tag.RowsAffected()
		return err
	})
	if err == nil && n == 0 {
		err = fmt.Errorf("%s: %w; look again", r.ID, broker.ErrChanged)
	}
	return err
}

func orEmpty(body []byte) []byte {
	if body == nil {
		return []byte{}
	}
	return body
}

// Move implements [broker.Editor].
func (b *Broker) Move(ctx context.Context, queue string, rs ...broker.Ref) (int, error) {
	if err := broker.ValidateQueue(queue); err != nil {
		return 0, err
	}
	rs = slices.DeleteFunc(slices.Clone(rs), func(r broker.Ref) bool { return r.Queue == queue })
	defer b.mayWait(queue)
	return b.changeRefs(ctx, rs, []string{moveMessages}, queue)
}

// Retry implements [broker.Editor].
func (b *Broker) Retry(ctx context.Context, rs ...broker.Ref) (int, error) {
	n, err := b.changeRefs(ctx, rs, []string{hastenMessages, reviveMessages})
	for _, queue := range queuesOf(rs) {
		b.mayWait(queue)
	}
	return n, err
}

// Delete implements [broker.Editor].
func (b *Broker) Delete(ctx context.Context, rs ...broker.Ref) (int, error) {
	return b.changeRefs(ctx, rs, []string{deleteMessages})
}

// changeRefs executes statements for the messages that are still as they were listed,
// with arguments behind those of asListed.
func (b *Broker) changeRefs(ctx context.Context, rs []broker.Ref, statements []string, args ...any) (total int, err error) {
	rs = slices.DeleteFunc(slices.Clone(rs), func(r broker.Ref) bool { return r.State == broker.StateRunning })
	// Of two who change the same, each takes the locks in the same order.
	slices.SortFunc(rs, func(a, b broker.Ref) int { return cmp.Compare(a.ID, b.ID) })
	for chunk := range slices.Chunk(rs, step) {
		n := 0
		if err := b.call(ctx, func(ctx context.Context, q querier) error {
			var batch pgx.Batch
			batch.Queue(planned)
			for _, s := range statements {
				batch.Queue(b.in(s), append(listed(chunk), args...)...)
			}
			var err error
			n, err = affected(ctx, q, &batch)
			return err
		}); err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// listed are the arguments of asListed.
func listed(rs []broker.Ref) []any {
	ids, queues := make([]string, len(rs)), make([]string, len(rs))
	states, dues := make([]int16, len(rs)), make([]time.Time, len(rs))
	for i, r := range rs {
		ids[i], queues[i], dues[i] = r.ID, r.Queue, r.At
		if r.State == broker.StateDead {
			states[i] = 2
		}
	}
	return []any{ids, queues, states, dues}
}

func queuesOf(rs []broker.Ref) (queues []string) {
	for _, r := range rs {
		if !slices.Contains(queues, r.Queue) {
			queues = append(queues, r.Queue)
		}
	}
	return queues
}
