package broker

import (
	"context"
	"fmt"
	"strings"
	"sync"
)

// A Migrator makes the tables of a broker in a database that others look after, and
// brings them up to date. It works where the broker cannot be opened, for want of
// these tables.
type Migrator interface {
	// Up brings the tables to the version of this build. It returns the versions
	// before and after; 0 is no tables.
	Up(ctx context.Context) (before, after int, err error)

	// Script returns the statements that Up would execute now, none if there are none.
	Script(ctx context.Context) (string, error)

	// Check returns in what the tables differ from those of this build.
	Check(ctx context.Context) ([]Difference, error)

	Close() error
}

// A Difference is in what tables differ from what they should be.
type Difference struct {
	What   string // one line
	Repair string // statements, or the command to run
}

var (
	migratorsMu sync.RWMutex
	migrators   = make(map[string]OpenMigratorFunc)
)

// An OpenMigratorFunc opens the migrator of the broker that a URL names.
type OpenMigratorFunc func(ctx context.Context, url string) (Migrator, error)

// RegisterMigrator makes a migrator available to [OpenMigrator] under a URL scheme.
func RegisterMigrator(scheme string, open OpenMigratorFunc) {
	migratorsMu.Lock()
	defer migratorsMu.Unlock()
	migrators[scheme] = open
}

// OpenMigrator opens the migrator of the broker that url names. Its error wraps
// [ErrUnsupported] if the broker needs none.
func OpenMigrator(ctx context.Context, url string) (Migrator, error) {
	scheme, _, _ := strings.Cut(url, ":")
	migratorsMu.RLock()
	open := migrators[scheme]
	migratorsMu.RUnlock()
	if open != nil {
		return open(ctx, url)
	}
	if !validScheme.MatchString(scheme) {
		scheme = ""
	}
	return nil, fmt.Errorf("migrate: %w: %s has no tables to migrate, or looks after them by itself", ErrUnsupported, scheme)
}
