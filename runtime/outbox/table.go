package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// A dialect is how a database says what the outbox wants of it. Times are Unix
// milliseconds by the clock of the database, as the processes may be on several hosts.
type dialect struct {
	create  []string
	mark    string // begins a numbered parameter
	insert  string // place, message
	pending string // place → whether there is something to claim
	claim   string // place
	forget  string // %s: parameters
	retry   string
	places  string // → place, messages, the number of the first
	first   string // number → message, whether it was not claimed within a minute
}

var (
	postgres = newDialect("$", "(extract(epoch FROM clock_timestamp()) * 1000)::bigint", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", " FOR UPDATE SKIP LOCKED")
	sqlite   = newDialect("?", "CAST(unixepoch('subsec') * 1000 AS INTEGER)", "INTEGER PRIMARY KEY", "")
)

func newDialect(mark, now, key, skipLocked string) *dialect {
	d := &dialect{
		mark: mark,
		create: []string{
			"CREATE TABLE IF NOT EXISTS dtask_outbox (seq " + key + ", place TEXT NOT NULL, message TEXT NOT NULL, claimed BIGINT NOT NULL DEFAULT 0)",
			"CREATE INDEX IF NOT EXISTS dtask_outbox_place ON dtask_outbox (place, seq)",
		},
		forget: "DELETE FROM dtask_outbox WHERE seq IN (%s)",
		places: "SELECT place, count(*), min(seq) FROM dtask_outbox GROUP BY place ORDER BY place",
		retry:  fmt.Sprintf("UPDATE dtask_outbox SET claimed = %s + %d WHERE seq IN (%%s)", now, retryAfter.Milliseconds()),
	}
	one := d.params(1)
	free := "place = " + one + " AND claimed <= " + now
	d.pending = "SELECT count(*) FROM (SELECT 1 FROM dtask_outbox WHERE " + free + " LIMIT 1) AS pending"
	d.claim = fmt.Sprintf("UPDATE dtask_outbox SET claimed = %s + %d WHERE seq IN (SELECT seq FROM dtask_outbox WHERE %s ORDER BY seq LIMIT %d%s) RETURNING seq, message",
		now, claimFor.Milliseconds(), free, batch, skipLocked)
	d.first = fmt.Sprintf("SELECT message, claimed < %s - %d FROM dtask_outbox WHERE seq = %s", now, watchEvery.Milliseconds(), one)
	d.insert = "INSERT INTO dtask_outbox (place, message) VALUES (" + d.params(2) + ")"
	return d
}

// params returns n parameters.
func (d *dialect) params(n int) string {
	var all []string
	for i := range n {
		if d.mark == "?" {
			all = append(all, "?")
		} else {
			all = append(all, fmt.Sprint(d.mark, i+1))
		}
	}
	return strings.Join(all, ", ")
}

const look = "SELECT count(*) FROM dtask_outbox WHERE place = '' AND seq < 0"

// prepare returns the dialect of the database. It makes the table if that is missing.
// For a transaction of the application it asks no other connection: that transaction may
// hold the only one, or the only lock.
func (o *Outbox) prepare(ctx context.Context, inTx exec) (*dialect, error) {
	if d := o.dialect.Load(); d != nil {
		return d, nil
	}
	try := o.exec
	if inTx != nil {
		try = inTx.try
	}
	d := postgres
	if try(ctx, "SELECT sqlite_version()") == nil {
		d = sqlite
	}
	if try(ctx, look) != nil {
		err := create(ctx, try, d)
		switch {
		case err == nil || try(ctx, look) == nil: // two may make it at once
		case try(ctx, "SELECT 1") != nil:
			return nil, fmt.Errorf("outbox: the database does not answer: %w", err)
		default:
			return nil, fmt.Errorf("outbox: table dtask_outbox cannot be made; let its owner run %q, and grant this user SELECT, INSERT, UPDATE and DELETE (%w)",
				strings.Join(d.create, "; "), err)
		}
	}
	if inTx == nil { // what a transaction sees may be rolled back
		o.dialect.Store(d)
	}
	return d, nil
}

func create(ctx context.Context, try exec, d *dialect) error {
	for _, statement := range d.create {
		if err := try(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func (o *Outbox) exec(ctx context.Context, statement string, args ...any) error {
	_, err := o.db.ExecContext(ctx, statement, args...)
	return err
}

// try executes a statement whose error does not spoil the transaction.
func (e exec) try(ctx context.Context, statement string, args ...any) error {
	if err := e(ctx, "SAVEPOINT dtask_outbox"); err != nil {
		return err
	}
	err := e(ctx, statement, args...)
	if err != nil {
		if failed := e(ctx, "ROLLBACK TO SAVEPOINT dtask_outbox"); failed != nil {
			return errors.Join(err, failed)
		}
	}
	return errors.Join(err, e(ctx, "RELEASE SAVEPOINT dtask_outbox"))
}
