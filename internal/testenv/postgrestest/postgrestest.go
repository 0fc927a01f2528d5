// Package postgrestest gives tests a PostgreSQL to use.
package postgrestest

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/internal/testenv/postgresnode"
	"github.com/dtaskhq/dtask/internal/testenv/skip"
)

// patience is how long a server may take to start or to answer: seconds, but on a
// machine with much else to do minutes.
const patience = 3 * time.Minute

// URL returns the URL of a schema of the test's own on the shared server. It is
// dropped at the end of the test. Without a server the test is skipped.
func URL(t testing.TB) string {
	t.Helper()
	name := unique()
	t.Cleanup(func() { Exec(t, Server(t), "DROP SCHEMA IF EXISTS "+name+" CASCADE") })
	return Server(t) + "&schema=" + name
}

// Database returns the URL of a database of the test's own on the shared server. It
// takes longer than a schema.
func Database(t testing.TB) string {
	t.Helper()
	name := unique()
	checkpointed(t, "CREATE DATABASE "+name)
	t.Cleanup(func() { checkpointed(t, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	return postgresnode.Database(Server(t), name)
}

// checkpointed executes what needs a checkpoint of the server, until it succeeds: a
// checkpoint fails while another test has filled its disk.
func checkpointed(t testing.TB, sql string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	err := exec(Server(t), sql)
	for ; err != nil && time.Now().Before(deadline); err = exec(Server(t), sql) {
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		t.Errorf("%s: %v", sql, err)
	}
}

// Server returns the URL of the shared server, whose user may do everything.
func Server(t testing.TB) string {
	t.Helper()
	url := os.Getenv(postgresnode.EnvURL)
	if url == "" {
		skip.Test(t, postgresnode.EnvURL+" is not set: no PostgreSQL to test with; use: make test")
	}
	return url
}

// StartNode starts a server that ends with the test. It skips, or fails, as [URL]
// does.
func StartNode(t testing.TB, o postgresnode.Options) *postgresnode.Node {
	t.Helper()
	Server(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	n, err := postgresnode.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	return n
}

// Exec executes statements beside the broker.
func Exec(t testing.TB, url, sql string, args ...any) {
	t.Helper()
	if err := exec(url, sql, args...); err != nil {
		t.Errorf("%s: %v", sql, err)
	}
}

func exec(url, sql string, args ...any) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, withoutOurs(url))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql, args...)
	return err
}

// withoutOurs returns a URL without what only the broker knows.
func withoutOurs(url string) string {
	url, _, _ = strings.Cut(url, "&schema=")
	return url
}

func unique() string { return "test_" + strings.ToLower(rand.Text()[:10]) }
