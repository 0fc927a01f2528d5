package rabbitmq

import "context"

// batchWindow is how many messages of a batch are outstanding. It is less than
// the window, so that a batch leaves room for others.
const batchWindow = window / 2

// publishMany publishes all publications that are not nil, and sets their
// errors.
//
// Only one batch runs at a time. Two of them, each with half a window
// outstanding and looking for room, would wait for each other for ever.
func (b *Broker) publishMany(ctx context.Context, ms []*publication, errs []error) {
	type inFlight struct {
		i int
		a *attempt
		w pending
	}
	var again []inFlight // to be tried again, after all others
	settle := func(f inFlight) {
		done, err := f.a.judge(ctx, f.w)
		if done {
			errs[f.i] = err
		} else {
			again = append(again, f)
		}
	}

	select {
	case b.batch <- struct{}{}:
	case <-ctx.Done():
		for i := range ms {
			if ms[i] != nil {
				errs[i] = ctx.Err()
			}
		}
		return
	}
	var sent []inFlight
	for i, m := range ms {
		if m == nil {
			continue
		}
		if len(sent) == batchWindow {
			settle(sent[0])
			sent = sent[1:]
		}
		a := &attempt{b: b, m: m}
		w, err := a.send(ctx)
		if err != nil {
			errs[i] = err
			continue
		}
		sent = append(sent, inFlight{i, a, w})
	}
	for _, f := range sent {
		settle(f)
	}
	<-b.batch

	for _, f := range again {
		errs[f.i] = f.a.run(ctx)
	}
}
