package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

func init() {
	for _, scheme := range schemes {
		broker.RegisterMigrator(scheme, openMigrator)
	}
}

// migrator is a [broker.Migrator].
type migrator struct {
	target
	conn *pgx.Conn
}

func openMigrator(ctx context.Context, url string) (broker.Migrator, error) {
	t, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	m := &migrator{target: t}
	if m.conn, err = m.connect(ctx); err != nil {
		return nil, m.explain(err)
	}
	if _, err := m.identify(ctx, m.conn); err != nil {
		m.Close()
		return nil, m.explain(err)
	}
	return m, nil
}

// Close implements [broker.Migrator].
func (m *migrator) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return m.conn.Close(ctx)
}

// Up implements [broker.Migrator].
func (m *migrator) Up(ctx context.Context) (before, after int, err error) {
	if before, err = m.version(ctx, m.conn); err != nil {
		return 0, 0, m.explain(err)
	}
	if err := m.ensure(ctx, m.conn); err != nil {
		return before, before, m.explain(err)
	}
	return before, len(migrations), nil
}

// Script implements [broker.Migrator].
func (m *migrator) Script(ctx context.Context) (string, error) {
	version, err := m.version(ctx, m.conn)
	if err != nil {
		return "", m.explain(err)
	}
	if version >= len(migrations) {
		return "", m.explain(m.checkVersion(version))
	}
	list := append([]string{"BEGIN", "CREATE SCHEMA IF NOT EXISTS " + pgx.Identifier{m.schema}.Sanitize()}, m.script(version)...)
	var b strings.Builder
	for _, s := range append(list, "COMMIT") {
		b.WriteString(strings.TrimSuffix(s, ";") + ";\n")
	}
	return b.String(), nil
}
