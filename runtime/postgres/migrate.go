package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrations are the steps from nothing to the current schema. A step that has been
// released is never changed; the schema version is their count.
var migrations = func() (steps []string) {
	entries, err := fs.ReadDir(migrationFiles, "migrations")
	if err != nil {
		panic(err)
	}
	for _, e := range entries { // sorted by their numbers
		text, err := fs.ReadFile(migrationFiles, "migrations/"+e.Name())
		if err != nil {
			panic(err)
		}
		steps = append(steps, string(text))
	}
	return steps
}()

// Two errors of Open, and of dtask migrate check.
var (
	errOlder = errors.New("run dtask migrate up, as a user who may make tables, or open it without migrate=off")
	errNewer = errors.New("use a newer build of the program")
)

// step returns a migration as it is for these names, in a transaction whose search
// path is the schema: the name of an index has no schema in CREATE INDEX.
func (n names) step(sql string) string {
	return strings.ReplaceAll(sql, defaultNamespace+"_", n.namespace+"_")
}

// version returns the version of the tables, 0 if there are none.
func (n names) version(ctx context.Context, q querier) (version int, err error) {
	var exists bool
	table := pgx.Identifier{n.schema}.Sanitize() + "." + n.namespace + "_schema"
	if err := q.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", table).Scan(&exists); err != nil || !exists {
		return 0, err
	}
	if err := q.QueryRow(ctx, n.in("SELECT coalesce(max(version), 0) FROM dtask_schema")).Scan(&version); err != nil {
		return 0, err
	}
	if version < 1 {
		return 0, fmt.Errorf("table %s holds no version; it is damaged", n.table("schema"))
	}
	return version, nil
}

// checkVersion returns an error if this build cannot work with tables of a version.
func (n names) checkVersion(version int) error {
	newest := len(migrations)
	switch {
	case version > newest:
		return fmt.Errorf("its tables %s have schema version %d, this build knows versions up to %d; %w", n.table("*"), version, newest, errNewer)
	case version == 0:
		return fmt.Errorf("it has no tables %s; %w", n.table("*"), errOlder)
	case version < newest:
		return fmt.Errorf("its tables %s have schema version %d, this build needs %d; %w", n.table("*"), version, newest, errOlder)
	}
	return nil
}

// ensure brings the tables to the current schema, unless they have it. Many processes
// may do so at once.
func (n names) ensure(ctx context.Context, c *pgx.Conn) error {
	version, err := n.version(ctx, c)
	if err != nil {
		return err
	}
	if version >= len(migrations) {
		return n.checkVersion(version)
	}
	return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error { return n.up(ctx, tx) })
}

// up brings the tables to the current schema, in a transaction.
func (n names) up(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", n.hash("migrate")); err != nil {
		return err
	}
	if err := n.makeSchema(ctx, tx); err != nil {
		return err
	}
	version, err := n.version(ctx, tx)
	if err != nil {
		return err
	}
	if version > len(migrations) {
		return n.checkVersion(version)
	}
	for _, sql := range n.script(version) {
		// Several statements are executed by the simple protocol alone.
		if _, err := tx.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
	}
	return nil
}

// makeSchema makes the schema if there is none. CREATE SCHEMA IF NOT EXISTS would
// need a privilege even if there is one.
func (n names) makeSchema(ctx context.Context, tx pgx.Tx) error {
	var exists bool
	if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", n.schema).Scan(&exists); err != nil || exists {
		return err
	}
	_, err := tx.Exec(ctx, "CREATE SCHEMA "+pgx.Identifier{n.schema}.Sanitize())
	return err
}

// script returns the statements that bring tables of a version to the current schema.
func (n names) script(version int) []string {
	// What functions find is what is found here; temporary tables come last.
	list := []string{"SET LOCAL search_path = " + pgx.Identifier{n.schema}.Sanitize() + ", pg_temp"}
	if version == 0 {
		list = append(list, n.step("CREATE TABLE dtask_schema (\n  version integer NOT NULL,\n  store   uuid    NOT NULL DEFAULT gen_random_uuid() -- tells copies of a database apart from others\n);\nINSERT INTO dtask_schema (version) VALUES (0)"))
	}
	for i, step := range migrations[version:] {
		list = append(list, strings.TrimSpace(n.step(step)), n.step(fmt.Sprintf("UPDATE dtask_schema SET version = %d", version+i+1)))
	}
	return list
}
