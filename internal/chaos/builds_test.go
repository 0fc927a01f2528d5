//go:build unix

package chaos

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// The arguments of two tasks in three builds. They look alike in JSON, and do not
// mean the same: an amount of money becomes a number of cents, then with a currency;
// a wait in seconds becomes a duration.
type (
	pay1 struct {
		Amount string `json:"amount"`
		Due    int64  `json:"due"`
	}
	pay2 struct {
		Amount int64 `json:"amount"` // cents
		Due    int64 `json:"due"`
	}
	pay3 struct {
		Amount   int64  `json:"amount"`
		Currency string `json:"currency"`
		Due      int64  `json:"due"`
	}
	wait1 struct {
		Wait int64 `json:"wait"` // seconds
		Due  int64 `json:"due"`
	}
	wait2 struct {
		Wait time.Duration `json:"wait"`
		Due  int64         `json:"due"`
	}
)

func pay2from1(old pay1) (v pay2, err error) {
	v.Due = old.Due
	v.Amount, err = strconv.ParseInt(strings.ReplaceAll(old.Amount, ".", ""), 10, 64)
	return v, err
}

func pay3from2(old pay2) (pay3, error) { return pay3{old.Amount, "EUR", old.Due}, nil }

func wait2from1(old wait1) (wait2, error) {
	return wait2{time.Duration(old.Wait) * time.Second, old.Due}, nil
}

// spec returns the policy of a task, as dtaskgen writes it for a version of its
// arguments.
func spec(schema string, earlier ...dtask.Earlier) dtask.Spec {
	return dtask.Spec{Queue: queue, Retries: 5, Timeout: time.Minute, Backoff: time.Second, Schema: schema, Earlier: earlier}
}

var (
	payOf1  = dtask.Define[pay1, dtask.None]("chaos.Pay", spec("pay1"))
	payOf2  = dtask.Define[pay2, dtask.None]("chaos.Pay", spec("pay2", dtask.Earlier{Schema: "pay1", Upcast: dtask.Upcast(pay2from1)}))
	payOf3  = dtask.Define[pay3, dtask.None]("chaos.Pay", spec("pay3", dtask.Earlier{Schema: "pay2", Upcast: dtask.Upcast(pay3from2)}, dtask.Earlier{Schema: "pay1", Upcast: dtask.Upcast(dtask.Compose(pay2from1, pay3from2))}))
	waitOf1 = dtask.Define[wait1, dtask.None]("chaos.Wait", spec("wait1"))
	waitOf2 = dtask.Define[wait2, dtask.None]("chaos.Wait", spec("wait2", dtask.Earlier{Schema: "wait1", Upcast: dtask.Upcast(wait2from1)}))
)

// worth returns the number that a task has in its id, which its arguments repeat.
func worth(id string) int64 {
	n, _ := strconv.ParseInt(id[strings.LastIndexByte(id, '-')+1:], 10, 64)
	return n
}

// delayOf enqueues a task as a build of a producer does: every other one is a
// payment.
func delayOf(ctx context.Context, build int, id string, due int64, options []dtask.Option) (err error) {
	n := worth(id)
	switch isPay := n%2 == 0; {
	case isPay && build == 1:
		_, err = payOf1.Delay(ctx, pay1{fmt.Sprintf("%d.%02d", n/100, n%100), due}, options...)
	case isPay && build == 2:
		_, err = payOf2.Delay(ctx, pay2{n, due}, options...)
	case isPay:
		_, err = payOf3.Delay(ctx, pay3{n, "EUR", due}, options...)
	case build == 1:
		_, err = waitOf1.Delay(ctx, wait1{n, due}, options...)
	default:
		_, err = waitOf2.Delay(ctx, wait2{time.Duration(n) * time.Second, due}, options...)
	}
	return err
}

// tableOf returns the dispatch table of a build. A task that runs with a value other
// than that of its id is noted under an id that nobody has enqueued.
func tableOf(build int, log *ledger) dtask.Table {
	note := func(ctx context.Context, due int64, right func(n int64) bool) (dtask.None, error) {
		info, _ := dtask.InfoFromContext(ctx)
		id := info.ID
		if !right(worth(id)) {
			id += "-with-a-wrong-value"
		}
		log.note(executed, id, fmt.Sprint(time.Now().UnixMilli()-due, info.Attempt))
		return dtask.None{}, nil
	}
	wait := func(ctx context.Context, a wait2) (dtask.None, error) {
		return note(ctx, a.Due, func(n int64) bool { return a.Wait == time.Duration(n)*time.Second })
	}
	switch build {
	case 1:
		return dtask.Table{
			payOf1.Bind(func(ctx context.Context, a pay1) (dtask.None, error) {
				return note(ctx, a.Due, func(n int64) bool { return a.Amount == fmt.Sprintf("%d.%02d", n/100, n%100) })
			}),
			waitOf1.Bind(func(ctx context.Context, a wait1) (dtask.None, error) {
				return note(ctx, a.Due, func(n int64) bool { return a.Wait == n })
			}),
		}
	case 2:
		return dtask.Table{
			payOf2.Bind(func(ctx context.Context, a pay2) (dtask.None, error) {
				return note(ctx, a.Due, func(n int64) bool { return a.Amount == n })
			}),
			waitOf2.Bind(wait),
		}
	}
	return dtask.Table{
		payOf3.Bind(func(ctx context.Context, a pay3) (dtask.None, error) {
			return note(ctx, a.Due, func(n int64) bool { return a.Amount == n && a.Currency == "EUR" })
		}),
		waitOf2.Bind(wait),
	}
}
