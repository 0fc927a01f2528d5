package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// EnqueueTx implements [broker.Transactor].
func (r *relay) EnqueueTx(ctx context.Context, tx any, ms []*broker.Message) []error {
	inTx, ok := tx.(exec)
	if !ok {
		return slices.Repeat([]error{fmt.Errorf("%w: it is not from WithTx of package outbox", broker.ErrTransaction)}, len(ms))
	}
	d, err := r.prepare(ctx, inTx)
	if err != nil {
		return slices.Repeat([]error{err}, len(ms))
	}
	place := r.place()
	errs := make([]error, len(ms))
	for i, m := range ms {
		errs[i] = insert(ctx, inTx, d, place, m)
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
	return errs
}

func insert(ctx context.Context, inTx exec, d *dialect, place string, m *broker.Message) error {
	if err := m.Validate(); err != nil {
		return err
	}
	row, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := inTx(ctx, d.insert, place, string(row)); err != nil {
		return fmt.Errorf("in the transaction of the application: %w", err)
	}
	return nil
}

// place returns where the messages of the relay go. Each row has it, so that those who
// share the database, and not the broker, leave it alone.
func (r *relay) place() string {
	if r.name != "" {
		return "name:" + r.name
	}
	if i, ok := r.broker.(broker.Identified); ok {
		return i.Identity().Store
	}
	return ""
}
