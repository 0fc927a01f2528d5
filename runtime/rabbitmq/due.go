package rabbitmq

import "context"

// Due implements [dtask.Inspector].
func (b *Broker) Due(ctx context.Context, queue string) (due bool, err error) {
	err = b.inspect(ctx, func(s *session) error {
		due = false
		for _, c := range consumed {
			n, _, err := queueLength(s.conn, b.topology.queue(c, queue))
			if err != nil {
				return err
			}
			due = due || n > 0
		}
		return nil
	})
	return due, err
}
