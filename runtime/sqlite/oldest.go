package sqlite

import (
	"context"
	"database/sql/driver"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.Ager = (*Broker)(nil)

// OldestDue implements [broker.Ager].
func (b *Broker) OldestDue(ctx context.Context, queue string) (since time.Time, err error) {
	oldest := never
	err = b.read(ctx, func(c *conn) error {
		return c.query(func(row []driver.Value) error {
			for _, v := range row {
				if due := dueTime(v); due.Before(oldest) {
					oldest = due
				}
			}
			return nil
		}, dueOfAll, queue)
	})
	if err != nil || oldest.After(time.Now()) {
		return time.Time{}, err
	}
	return oldest, nil
}
