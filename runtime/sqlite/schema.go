package sqlite

import (
	"fmt"
	"math"
)

// migrations are the steps from an empty file to the current schema. A step
// that has been released is never changed; the schema version is their count.
var migrations = []string{schemaV1}

// A message is one row for as long as it lives: waiting, running, or dead. Times
// are Unix milliseconds.
//
// Each partial index covers the rows of one state, so that every row is in one
// of them, and a claim costs the same whatever else the table holds. Queries
// spell the states out: a partial index serves only literal conditions.
const schemaV1 = `
CREATE TABLE dtask_messages (
  seq            INTEGER PRIMARY KEY,
  id             TEXT    NOT NULL UNIQUE,
  task           TEXT    NOT NULL,
  queue          TEXT    NOT NULL,
  body           BLOB,                         -- the arguments, a JSON object
  schema         TEXT    NOT NULL DEFAULT '',
  priority       INTEGER NOT NULL DEFAULT 0,   -- -1 low, 0 default, 1 high
  attempt        INTEGER NOT NULL DEFAULT 1,
  attempts       INTEGER NOT NULL DEFAULT 1,
  enqueued_at    INTEGER NOT NULL,
  due            INTEGER NOT NULL,             -- waiting: not before; dead: since
  expires        INTEGER,
  keep           INTEGER NOT NULL DEFAULT 0,   -- how long to keep the result, in milliseconds
  headers        TEXT,                         -- a JSON object of strings
  failures       TEXT,                         -- a JSON array, oldest first
  handed_back       INTEGER NOT NULL DEFAULT 0,
  handed_back_since INTEGER,
  state          INTEGER NOT NULL DEFAULT 0,   -- 0 waiting, 1 running, 2 dead
  owner          INTEGER,                      -- running: the consumer (dtask_consumers)
  crashes        INTEGER NOT NULL DEFAULT 0,   -- attempts whose process died
  quarantine     INTEGER NOT NULL DEFAULT 0    -- 1 to be run alone, 2 died alone
) STRICT;
CREATE INDEX dtask_waiting    ON dtask_messages (queue, priority, due) WHERE state = 0 AND quarantine = 0;
CREATE INDEX dtask_quarantine ON dtask_messages (queue, due) WHERE state = 0 AND quarantine > 0;
CREATE INDEX dtask_running    ON dtask_messages (owner, queue) WHERE state = 1;
CREATE INDEX dtask_dead       ON dtask_messages (queue, due) WHERE state = 2;

CREATE TABLE dtask_queues (
  name   TEXT PRIMARY KEY,
  paused INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE dtask_consumers (
  id    INTEGER PRIMARY KEY AUTOINCREMENT,     -- never used twice
  queue TEXT    NOT NULL,
  lock  TEXT    NOT NULL,                      -- lock file of the process, beside the database
  pid   INTEGER NOT NULL,
  lease INTEGER NOT NULL                       -- counts only if the lock cannot be tested
) STRICT;

CREATE TABLE dtask_schedules (
  name TEXT PRIMARY KEY,
  tick INTEGER NOT NULL                        -- the newest one
) STRICT, WITHOUT ROWID;

CREATE TABLE dtask_results (
  seq     INTEGER PRIMARY KEY,
  id      TEXT    NOT NULL UNIQUE,             -- of the message, which is gone
  task    TEXT    NOT NULL,
  value   BLOB,                                -- JSON
  expires INTEGER NOT NULL
) STRICT;
CREATE INDEX dtask_expiring ON dtask_results (expires);
`

// migrate brings the tables to the current schema. It writes even if there is
// nothing to do: a file that cannot be written is of no use.
func migrate(c *conn) error {
	if _, err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := migrateLocked(c); err != nil {
		c.exec("ROLLBACK")
		return err
	}
	_, err := c.exec("COMMIT")
	return err
}

func migrateLocked(c *conn) error {
	version, err := schemaVersion(c)
	if err != nil {
		return err
	}
	if version == 0 {
		if err := c.script("CREATE TABLE dtask_schema (version INTEGER NOT NULL) STRICT; INSERT INTO dtask_schema VALUES (0)"); err != nil {
			return err
		}
	}
	for _, step := range migrations[version:] {
		if err := c.script(step); err != nil {
			return fmt.Errorf("schema version %d: %w", version+1, err)
		}
		version++
	}
	_, err = c.exec("UPDATE dtask_schema SET version = ?", int64(version))
	return err
}

// schemaVersion returns the version of the tables, 0 if there are none.
func schemaVersion(c *conn) (int, error) {
	n, err := c.int("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'dtask_schema'")
	if err != nil || n == 0 {
		return 0, err
	}
	version, err := c.int("SELECT max(version) FROM dtask_schema")
	if err != nil {
		return 0, err
	}
	if version < 1 || version > math.MaxInt32 {
		return 0, fmt.Errorf("table %s holds version %d; the file is damaged", inNamespace(c.namespace, "dtask_schema"), version)
	}
	if version > int64(len(migrations)) {
		return 0, fmt.Errorf("its tables have schema version %d, this build knows versions up to %d; use a newer build of the program", version, len(migrations))
	}
	return int(version), nil
}
