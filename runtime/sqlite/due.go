package sqlite

import (
	"context"
	"time"
)

// anyDue asks for each part of the index of waiting messages whether it begins
// with one that is due.
const anyDue = "SELECT" +
	" EXISTS (SELECT 1 FROM dtask_messages INDEXED BY dtask_waiting WHERE state = 0 AND quarantine = 0 AND queue = ?1 AND priority = 0 AND due <= ?2)" +
	" OR EXISTS (SELECT 1 FROM dtask_messages INDEXED BY dtask_waiting WHERE state = 0 AND quarantine = 0 AND queue = ?1 AND priority = 1 AND due <= ?2)" +
	" OR EXISTS (SELECT 1 FROM dtask_messages INDEXED BY dtask_waiting WHERE state = 0 AND quarantine = 0 AND queue = ?1 AND priority = -1 AND due <= ?2)" +
	" OR EXISTS (SELECT 1 FROM dtask_messages INDEXED BY dtask_quarantine WHERE state = 0 AND quarantine > 0 AND queue = ?1 AND due <= ?2)"

// Due implements [broker.Admin].
func (b *Broker) Due(ctx context.Context, queue string) (due bool, err error) {
	err = b.read(ctx, func(c *conn) error {
		n, err := c.int(anyDue, queue, time.Now().UnixMilli())
		due = n != 0
		return err
	})
	return due, err
}
