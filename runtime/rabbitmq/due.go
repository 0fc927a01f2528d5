package rabbitmq

import "context"

// Due implements [broker.Admin].
func (b *Broker) Due(ctx context.Context, queue string) (bool, error) {
	return inspect(ctx, b, func(s *session) (due bool, err error) {
		for _, c := range consumed {
			n, _, err := queueLength(ctx, s, b.topology.queue(c, queue))
			if err != nil {
				return false, err
			}
			due = due || n > 0
		}
		return due, nil
	})
}
