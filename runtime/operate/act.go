package operate

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/user"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/internal/printable"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// ErrNotKept: something was done, and the journal could not keep that.
var ErrNotKept = errors.New("it was done, but the journal does not say so")

// keepPatience is how long a change waits for the journal, before it and after it.
// While RabbitMQ takes no messages for want of disk, it can still be purged.
const keepPatience = 3 * time.Second

type personKey struct{}

// A person is who acts, and from where.
type person struct{ user, host string }

// As returns a context in which it is this user, at this host, who changes something.
// Otherwise it is the user of the process.
func As(ctx context.Context, user, host string) context.Context {
	return context.WithValue(ctx, personKey{}, person{user, host})
}

// actor returns who acts with a context.
func actor(ctx context.Context) person {
	if who, ok := ctx.Value(personKey{}).(person); ok {
		return who
	}
	return self()
}

// self is the user of this process.
var self = sync.OnceValue(func() (p person) {
	p.host, _ = os.Hostname()
	if u, err := user.Current(); err == nil {
		p.user = u.Username
	}
	if sudo := os.Getenv("SUDO_USER"); sudo != "" && sudo != p.user {
		p.user = sudo + " as " + p.user
	}
	p.user = cmp.Or(p.user, "unknown")
	return p
})

// act changes something, and keeps in the journal who did it: when it begins, so that
// it is known if the process dies, and how it ended. do says in the act what it has
// done. A broker without a journal keeps nothing.
func (o *Operator) act(ctx context.Context, a broker.Act, do func(*broker.Act) error) error {
	journal, err := broker.As[broker.Journal](o.broker)
	if err != nil {
		return do(&a)
	}
	who := actor(ctx)
	a.ID, a.User, a.Host = rand.Text(), who.user, who.host
	if a.Began.IsZero() {
		a.Began = time.Now()
	}
	a.On = printable.Cut(a.On, broker.MaxActText)
	keep(ctx, journal, a) // if it cannot now, maybe it can in the end
	failed := do(&a)
	a.Ended = time.Now()
	if failed != nil {
		a.Error = printable.Cut(printable.Masked(failed.Error()), broker.MaxActText)
	}
	switch err := keep(ctx, journal, a); {
	case err == nil:
		return failed
	case failed == nil:
		return fmt.Errorf("%w: %w", ErrNotKept, err)
	default:
		return fmt.Errorf("%w (and the journal does not say so: %w)", failed, err)
	}
}

// keep keeps an act, also if the operator has interrupted it.
func keep(ctx context.Context, journal broker.Journal, a broker.Act) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepPatience)
	defer cancel()
	return journal.NoteAct(ctx, a)
}

// actOn is act for what changes one thing: queue:mail, say.
func (o *Operator) actOn(ctx context.Context, did, on string, do func() error) error {
	return o.act(ctx, broker.Act{Did: did, On: on, Planned: -1}, func(*broker.Act) error { return do() })
}
