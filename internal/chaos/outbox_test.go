//go:build unix

package chaos

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/outbox"
)

// T18: producers enqueue in transactions of a database, of which every fifth is rolled
// back. They relay what is committed, and are killed while they do.
func TestOutbox(t *testing.T) {
	onBrokers(t, "T18 outbox", func(tr *trial) {
		db, err := openEffects(tr.dir)
		if err != nil {
			tr.Fatal(err)
		}
		defer db.Close()
		tr.work(tr.url, 1, crew{Concurrency: 16})
		l := load{Callers: 4, Pause: 5 * time.Millisecond, Outbox: tr.dir}
		for range 3 {
			tr.produce(tr.url, l)
		}
		kills := 0
		inject(
			scale(8*time.Second, 2*time.Minute),
			fault{500 * time.Millisecond, func() {
				kills++
				i := rand.IntN(len(tr.producers))
				tr.producers[i].kill()
				tr.produce(tr.url, l)
				last := len(tr.producers) - 1
				tr.producers[i] = tr.producers[last]
				tr.producers = tr.producers[:last]
			}},
		)
		// Somebody relays what the killed ones have left.
		box := outbox.SQL(db)
		client, err := open(tr.url, dtask.WithOutbox(box))
		if err != nil {
			tr.Fatal(err)
		}
		defer client.Close()
		for _, p := range tr.producers {
			tr.dismiss(p)
		}
		tr.producers = nil
		tr.eventually("the outbox is empty", func() bool {
			waiting, err := box.Waiting(tr.Context())
			return err == nil && len(waiting) == 0
		})
		a := tr.settle()
		tr.Logf("%d kills", kills)
		tr.require(a, allowance{failed: a.failed, duplicated: kills * 500})
	})
}

var errRolledBack = errors.New("the order is not possible")

// inTransaction enqueues one task in a transaction, which may be rolled back.
func (l *load) inTransaction(ctx context.Context, a args, options []dtask.Option) error {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := plain.Delay(outbox.WithTx(ctx, tx), a, options...); err != nil {
		return err
	}
	if rand.IntN(5) == 0 {
		return errRolledBack
	}
	return tx.Commit()
}
