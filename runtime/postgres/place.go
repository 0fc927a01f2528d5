package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// place is what Open learns of the database.
type place struct {
	store    string // the id of the tables
	database string

	// direct: a connection is to a server, and not through a pooler, which may give
	// each transaction another session. Through one there is no LISTEN, and no lock
	// that shows that this process lives.
	direct bool
}

const (
	oldestVersion = 13

	// startPatience is how long Open waits for a server that starts.
	startPatience = 10 * time.Second
	startPause    = 100 * time.Millisecond
)

// look connects for the first time. It completes the target, and brings the tables
// up to date.
func (b *Broker) look(ctx context.Context) (p place, err error) {
	for begin := time.Now(); ; {
		c, err := b.connect(ctx)
		if err == nil {
			p, err = b.lookOn(ctx, c)
			c.Close(context.WithoutCancel(ctx))
			return p, err
		}
		if again := code(err) == codeStarting || code(err) == codeManyConnections; !again || time.Since(begin) > startPatience || !sleep(ctx, startPause) {
			return p, err
		}
	}
}

// connect makes a connection outside of the pool, on which nothing is prepared: it
// may be one of a pooler.
func (t *target) connect(ctx context.Context) (*pgx.Conn, error) {
	config := t.pool.ConnConfig.Copy()
	if !t.mode {
		config.DefaultQueryExecMode = pgx.QueryExecModeExec
	}
	return pgx.ConnectConfig(ctx, config)
}

func (b *Broker) lookOn(ctx context.Context, c *pgx.Conn) (p place, err error) {
	if p, err = b.identify(ctx, c); err != nil {
		return p, err
	}
	if !p.direct && !b.mode {
		b.target.pool.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	if b.migrate {
		err = b.ensure(ctx, c)
	} else {
		var version int
		if version, err = b.version(ctx, c); err == nil {
			err = b.checkVersion(version)
		}
	}
	if err != nil {
		return p, err
	}
	return p, c.QueryRow(ctx, b.in("SELECT store::text FROM dtask_schema")).Scan(&p.store)
}

// identify asks what database it is, and finds the schema if the URL names none.
func (t *target) identify(ctx context.Context, c *pgx.Conn) (p place, err error) {
	var pid, version int
	var schema *string
	var encoding string
	if err := c.QueryRow(ctx, "SELECT pg_backend_pid(), current_schema()::text, current_setting('server_encoding'), current_setting('server_version_num')::int, current_database()::text").
		Scan(&pid, &schema, &encoding, &version, &p.database); err != nil {
		return p, err
	}
	p.direct = pid == int(c.PgConn().PID())
	if version/10000 < oldestVersion {
		return p, fmt.Errorf("it is PostgreSQL %d; use %d or newer", version/10000, oldestVersion)
	}
	if encoding != "UTF8" {
		return p, fmt.Errorf("its encoding is %s, and tasks are UTF-8; make a database with ENCODING 'UTF8'", encoding)
	}
	if t.schema == "" {
		if schema == nil {
			return p, errors.New("no schema of the search path exists; name one in the URL with schema=")
		}
		t.schema = *schema
	}
	return p, nil
}
