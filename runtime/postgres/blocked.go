package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// errBlocked: a transaction holds an id.
var errBlocked = &pgconn.PgError{Severity: "ERROR", Code: codeLockTimeout, Message: "a transaction that has not ended has enqueued the same id"}

// blockedPause is how often messages are tried whose ids a transaction holds.
const blockedPause = 50 * time.Millisecond

// block takes messages whose ids a transaction holds. One goroutine tries all of them,
// one by one.
func (i *inserter) block(in *insert) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.blocked = append(i.blocked, in)
	if !i.trying {
		i.trying = true
		i.b.goes(i.tryBlocked)
	}
}

// tryBlocked tries until nothing is blocked.
func (i *inserter) tryBlocked(ctx context.Context) {
	for {
		open := sleep(ctx, blockedPause)
		i.mu.Lock()
		ins := i.blocked
		i.blocked = nil
		i.trying = len(ins) > 0 && open
		again := i.trying
		i.mu.Unlock()
		for _, in := range i.left(ins, errBlocked) {
			i.store(ctx, []*insert{in}) // it may come back
		}
		if !again {
			return
		}
	}
}
