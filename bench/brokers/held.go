package brokers

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
)

// heldFor is how long each of the measures of a step goes on.
const heldFor = 2 * time.Second

// Held measures a queue in PostgreSQL beside a transaction that somebody leaves open, so
// that the server cannot remove what is done: in steps, G and E, of dtask and of the bare
// client, each on a server of its own.
func Held(ctx context.Context, steps int, out io.Writer) error {
	fmt.Fprintf(out, "| gone, and not removed | G | E p50 | |\n|---|---|---|---|\n")
	for _, r := range []row{
		{name: "dtask", open: openDtask, on: postgreSQLServer},
		{name: "plain pgx", open: openRawPgx, on: postgreSQLServer},
	} {
		if err := held(ctx, r, steps, out); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	return nil
}

// held prints the lines of one row.
func held(ctx context.Context, r row, steps int, out io.Writer) error {
	url, stop, err := r.on.start(ctx, "")
	if err != nil {
		return err
	}
	defer stop()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "SELECT FROM pg_class"); err != nil { // from here on it sees what there is
		return err
	}
	for range steps {
		results := make(map[letter]float64)
		for _, me := range measures {
			if me.letters[0] != letterG && me.letters[0] != letterE {
				continue
			}
			if _, err := take(ctx, r, me, url, heldFor, results); err != nil {
				return err
			}
		}
		gone, err := deleted(ctx, url)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "| %dk | %.1fk/s | %.2f ms | %s |\n", gone/1000, results[letterG]/1000, results[letterE], r.name)
	}
	return nil
}

// deleted returns how many rows of the table of tasks were deleted, as the server counts
// them: a moment late.
func deleted(ctx context.Context, url string) (rows int64, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, "SELECT max(n_tup_del) FROM pg_stat_user_tables").Scan(&rows)
	return rows, err
}
