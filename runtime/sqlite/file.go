package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	driversqlite "modernc.org/sqlite"
)

// openIdentified opens the writing connection, and makes sure that it is to the file
// that the path leads to.
func openIdentified(ctx context.Context, t target, named string) (*conn, identity, error) {
	opened, err := inodeOf(t.file)
	if err != nil {
		return nil, identity{}, err
	}
	c, err := openFile(ctx, t)
	if err != nil {
		if isDamage(err) && inUse(t.file) {
			markDamaged(t.file, explain(t.file, err))
		}
		return nil, identity{}, err
	}
	id, err := identify(named, t.file, opened)
	if err != nil {
		c.close()
	}
	return c, id, err
}

// inUse reports whether a database is open in a process, or was when that died: it
// has a log. The last one that closes the database removes it.
func inUse(file string) bool {
	_, err := os.Stat(file + "-wal")
	return err == nil
}

// openFile opens the writing connection and brings the tables up to date.
func openFile(ctx context.Context, t target) (*conn, error) {
	driversqlite.Fdatasync(true) // not on every system: then fsync it is
	c, err := connect(ctx, t)
	if err != nil {
		return nil, err
	}
	// SQLite does not wait in every way in which connections that come and go get
	// in each other's way, and where it waits it does not look at ctx: it is to
	// wait only so long.
	for start := time.Now(); ; time.Sleep(lastLockWait) {
		err := prepareFile(c, t.file)
		switch {
		case err == nil:
			return c, nil
		case isBusy(err) && ctx.Err() != nil:
			err = fmt.Errorf("%w: %w", ctx.Err(), err)
		case isBusy(err) && time.Since(start) < openPatience:
			continue
		}
		c.close()
		return nil, err
	}
}

// openPatience is how long Open waits for a process that keeps the file locked:
// it may only be suspended, or the machine be busy.
const openPatience = 30 * time.Second

// prepareFile sets up a writing connection.
func prepareFile(c *conn, file string) error {
	if err := c.script("PRAGMA busy_timeout = 50"); err != nil {
		return err
	}
	if err := proveSound(c, file); err != nil {
		return err
	}
	pages, err := c.int("PRAGMA page_count")
	if err != nil {
		return err
	}
	if pages == 0 { // ours to lay out: space can be given back
		if err := c.script("PRAGMA auto_vacuum = INCREMENTAL"); err != nil {
			return err
		}
	}
	if err := useWAL(c); err != nil {
		return err
	}
	if err := c.script("PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON; PRAGMA foreign_keys = OFF; PRAGMA cache_size = -16000; PRAGMA journal_size_limit = 8000000"); err != nil {
		return err
	}
	return migrate(c)
}

// useWAL puts the file in WAL mode, where it stays.
func useWAL(c *conn) error {
	var mode driver.Value
	err := c.query(func(row []driver.Value) error { mode = row[0]; return nil }, "PRAGMA journal_mode = WAL")
	if err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("the file system does not allow WAL mode (journal mode stays %v); use a local disk", mode)
	}
	return nil
}

// resolve follows symbolic links to the real file, which need not exist yet.
// SQLite keeps its own files beside that one, and so do we: all processes must
// agree on where the locks are. With an error it returns the path that has it.
func resolve(file string) (string, error) {
	for range maxLinks {
		dir, err := filepath.EvalSymlinks(filepath.Dir(file))
		if errors.Is(err, fs.ErrNotExist) {
			return file, errors.New("its directory does not exist; make it first")
		}
		if err != nil {
			return file, fmt.Errorf("its directory cannot be reached (%w)", err)
		}
		file = filepath.Join(dir, filepath.Base(file))
		link, err := os.Readlink(file)
		if err != nil {
			return file, nil // it is none
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(dir, link)
		}
		file = link
	}
	return file, errors.New("symbolic links lead in circles; make them lead to a file")
}

// maxLinks is how many symbolic links Linux follows.
const maxLinks = 40

// create makes an empty file, readable to its owner alone, if there is none.
// An existing file is not opened: closing it would drop the locks that SQLite
// holds on it in this process (https://www.sqlite.org/howtocorrupt.html, 2.2).
func create(file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("it cannot be made; let this user write the directory, or name another one (%w)", cause(err))
	}
	return f.Close()
}

// cause returns the error without the path, which the message says anyway.
func cause(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
