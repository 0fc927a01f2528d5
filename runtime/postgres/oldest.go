package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.Ager = (*Broker)(nil)

// oldestDue asks since when the first message of any class has been due.
var oldestDue = func() string {
	var parts []string
	for _, where := range waits {
		parts = append(parts, "(SELECT due FROM dtask_messages WHERE "+where+" AND due <= statement_timestamp() ORDER BY due, seq LIMIT 1)")
	}
	return "SELECT least(" + strings.Join(parts, ", ") + ")"
}()

// OldestDue implements [broker.Ager].
func (b *Broker) OldestDue(ctx context.Context, queue string) (since time.Time, err error) {
	err = b.call(ctx, func(ctx context.Context, q querier) error {
		var oldest *time.Time
		err := q.QueryRow(ctx, b.in(oldestDue), queue).Scan(&oldest)
		if since = (time.Time{}); oldest != nil {
			since = *oldest
		}
		return err
	})
	return since, err
}
