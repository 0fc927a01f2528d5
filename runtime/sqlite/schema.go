package sqlite

import (
	"fmt"
	"strings"
)

// A message is one row for as long as it lives: waiting, running, or dead. Times
// are Unix milliseconds.
//
// The columns of the message itself follow from columns. Once this version is
// released, a column that is added later comes by a migration of its own.
//
// Each partial index covers the rows of one state, so that every row is in one
// of them, and a claim costs the same whatever else the table holds. Queries
// spell the states out: a partial index serves only literal conditions.
var schemaV1 = `
CREATE TABLE dtask_messages (
  seq INTEGER PRIMARY KEY,
` + columnDefinitions() + `
  state      INTEGER NOT NULL DEFAULT 0,       -- 0 waiting, 1 running, 2 dead
  owner      INTEGER,                          -- running: the consumer (dtask_consumers)
  crashes    INTEGER NOT NULL DEFAULT 0,       -- attempts whose process died
  quarantine INTEGER NOT NULL DEFAULT 0        -- 1 to be run alone, 2 died alone
) STRICT;
CREATE INDEX dtask_waiting    ON dtask_messages (queue, priority, due) WHERE state = 0 AND quarantine = 0;
CREATE INDEX dtask_quarantine ON dtask_messages (queue, due) WHERE state = 0 AND quarantine > 0;
CREATE INDEX dtask_running    ON dtask_messages (owner, queue) WHERE state = 1;
CREATE INDEX dtask_dead       ON dtask_messages (queue, due) WHERE state = 2;
CREATE INDEX dtask_impossible ON dtask_messages (state) WHERE ` + impossible + `;

CREATE TABLE dtask_queues (
  name TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE dtask_consumers (
  id    INTEGER PRIMARY KEY AUTOINCREMENT,     -- never used twice
  queue TEXT    NOT NULL,
  lock  TEXT    NOT NULL,                      -- lock file of the process, beside the database
  pid   INTEGER NOT NULL,
  lease INTEGER NOT NULL                       -- counts only if the lock cannot be tested
) STRICT;

CREATE TABLE dtask_deaths (
  lock   TEXT PRIMARY KEY,                     -- of a process that died with messages in its hands
  finder TEXT    NOT NULL,                     -- lock of the one that noticed it
  newest INTEGER NOT NULL,                     -- consumer at that time
  at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE dtask_schedules (
  name TEXT PRIMARY KEY,
  tick INTEGER NOT NULL                        -- the newest one
) STRICT, WITHOUT ROWID;

CREATE TABLE dtask_results (
  seq     INTEGER PRIMARY KEY,
  id      TEXT    NOT NULL UNIQUE,             -- of the message, which is gone
  task    TEXT    NOT NULL,
  value   BLOB,                                -- JSON
  expires INTEGER NOT NULL,
  cancelled INTEGER NOT NULL DEFAULT 0         -- 1: it was, and there is no value
) STRICT;
CREATE INDEX dtask_expiring ON dtask_results (expires);
`

// schemaV2 adds what operators see, the processes that run tasks (registry.go) and the
// journal (journal.go, acts.go); and what controls the processes (controls.go).
const schemaV2 = `
CREATE TABLE dtask_processes (
  id    TEXT    PRIMARY KEY,
  seen  INTEGER NOT NULL,                      -- when the entry was renewed
  entry TEXT    NOT NULL                       -- a broker.Process, in JSON
) STRICT, WITHOUT ROWID;

CREATE TABLE dtask_cancelled (                 -- running messages that are not to run again
  id    TEXT    PRIMARY KEY,
  owner INTEGER NOT NULL                       -- of the message when it was cancelled
) STRICT, WITHOUT ROWID;

CREATE TABLE dtask_pauses (
  what  TEXT    NOT NULL,                      -- queue, task, schedule
  name  TEXT    NOT NULL,
  since INTEGER NOT NULL,
  until INTEGER,                               -- or until it is resumed
  PRIMARY KEY (what, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE dtask_orders (
  seq     INTEGER PRIMARY KEY AUTOINCREMENT,   -- never used twice
  process TEXT    NOT NULL,                    -- its id
  entry   TEXT    NOT NULL,                    -- a broker.Order, in JSON
  at      INTEGER NOT NULL
) STRICT;
CREATE TABLE dtask_journal (
  minute INTEGER NOT NULL,
  queue  TEXT    NOT NULL,
  task   TEXT    NOT NULL,
  entry  TEXT    NOT NULL,                     -- a broker.Tally, in JSON
  PRIMARY KEY (minute, queue, task)
) STRICT, WITHOUT ROWID;

CREATE TABLE dtask_serials (
  process TEXT    PRIMARY KEY,
  serial  INTEGER NOT NULL,                    -- of its newest batch
  seen    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE dtask_acts (
  seq   INTEGER PRIMARY KEY,
  id    TEXT    NOT NULL UNIQUE,
  began INTEGER NOT NULL,
  entry TEXT    NOT NULL                       -- a broker.Act, in JSON
) STRICT;
CREATE INDEX dtask_acting ON dtask_acts (began);
`

// schemaV3 adds what time it was when a process last consumed the file, see clock.go.
const schemaV3 = `
CREATE TABLE dtask_clock (
  one   INTEGER PRIMARY KEY,                   -- there is one row
  known INTEGER NOT NULL
) STRICT;
`

// schemaV4 gives the tables an identity, which moves with the file (whatis.go).
const schemaV4 = `
CREATE TABLE dtask_store (
  id TEXT PRIMARY KEY                          -- there is one row
) STRICT, WITHOUT ROWID;
INSERT INTO dtask_store VALUES (lower(hex(randomblob(16))));
`

// columnDefinitions defines the columns of the message itself.
func columnDefinitions() string {
	var lines []string
	for _, c := range columns {
		line := fmt.Sprintf("  %s %s,", c.name, c.sql)
		if c.comment != "" {
			line += " -- " + c.comment
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
