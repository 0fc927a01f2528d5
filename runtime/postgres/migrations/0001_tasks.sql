-- A message is one row for as long as it lives: waiting, running, or dead.
--
-- What has a fixed size comes first: every statement, and every index that covers a part
-- of the rows, reads it, and finds it at once there.
--
-- Each partial index covers the rows of one state, so that a claim costs the same
-- whatever else the table holds.
CREATE TABLE dtask_messages (
  seq               bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  enqueued_at       timestamptz NOT NULL DEFAULT now(),
  due               timestamptz NOT NULL DEFAULT now(),  -- waiting: not before; dead: since
  keep              bigint      NOT NULL DEFAULT 0 CHECK (keep >= 0), -- how long to keep the result, in milliseconds
  attempt           integer     NOT NULL DEFAULT 1 CHECK (attempt > 0),
  attempts          integer     NOT NULL DEFAULT 1 CHECK (attempts > 0),
  claim             integer     NOT NULL DEFAULT 0,      -- how often it was claimed: an outcome counts for its claim
  crashes           integer     NOT NULL DEFAULT 0,      -- attempts whose process died
  handed_back       integer     NOT NULL DEFAULT 0,
  priority          smallint    NOT NULL DEFAULT 0 CHECK (priority BETWEEN -1 AND 1), -- -1 low, 0 default, 1 high
  state             smallint    NOT NULL DEFAULT 0,      -- 0 waiting, 1 running, 2 dead
  quarantine        smallint    NOT NULL DEFAULT 0,      -- 1 to be run alone, 2 died alone
  cancelled         boolean     NOT NULL DEFAULT false,  -- running: not to run again
  owner             bigint,                              -- running: the consumer (dtask_consumers)
  id                text        NOT NULL UNIQUE,
  task              text        NOT NULL,
  queue             text        NOT NULL,
  schema            text        NOT NULL DEFAULT '',
  body              bytea       NOT NULL DEFAULT '',     -- the arguments, a JSON object
  expires           timestamptz,
  headers           text,                                -- a JSON object of strings
  failures          text,                                -- a JSON array, oldest first
  handed_back_since timestamptz
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX dtask_waiting    ON dtask_messages (queue, priority, due, seq) WHERE state = 0 AND quarantine = 0;
CREATE INDEX dtask_quarantine ON dtask_messages (queue, due, seq) WHERE state = 0 AND quarantine > 0;
CREATE INDEX dtask_running    ON dtask_messages (owner) WHERE state = 1;
CREATE INDEX dtask_dead       ON dtask_messages (queue, due, seq) WHERE state = 2;
CREATE INDEX dtask_cancelled  ON dtask_messages (state) WHERE cancelled;

CREATE TABLE dtask_queues (
  name text PRIMARY KEY
);

CREATE TABLE dtask_pauses (
  what  text        NOT NULL, -- queue, task, schedule
  name  text        NOT NULL,
  since timestamptz NOT NULL,
  ends  timestamptz,          -- NULL: when it is resumed
  PRIMARY KEY (what, name)
);

-- The processes that consume. One that is not seen for some seconds is dead.
CREATE TABLE dtask_workers (
  id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  seen    timestamptz NOT NULL,
  session boolean     NOT NULL DEFAULT false -- it holds an advisory lock while it lives
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

CREATE TABLE dtask_consumers (
  id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  worker bigint NOT NULL,
  queue  text   NOT NULL
);

-- The processes that died with messages in their hands.
CREATE TABLE dtask_deaths (
  worker bigint      PRIMARY KEY,
  finder bigint      NOT NULL, -- the one that noticed it
  newest bigint      NOT NULL, -- consumer at that time
  seen   timestamptz NOT NULL, -- the last sign of life
  at     timestamptz NOT NULL
);

CREATE TABLE dtask_schedules (
  name text        PRIMARY KEY,
  tick timestamptz NOT NULL    -- the newest one
);

CREATE TABLE dtask_results (
  id        text        PRIMARY KEY, -- of the message, which is gone
  task      text        NOT NULL,
  value     bytea,                   -- JSON
  expires   timestamptz NOT NULL,
  cancelled boolean     NOT NULL DEFAULT false -- it was, and there is no value
);
CREATE INDEX dtask_expiring ON dtask_results (expires);

-- The processes that run tasks, as operators see them.
CREATE TABLE dtask_processes (
  id    text        PRIMARY KEY,
  seen  timestamptz NOT NULL,      -- when the entry was renewed
  entry text        NOT NULL       -- a broker.Process, in JSON
);

CREATE TABLE dtask_orders (
  seq     bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  process text        NOT NULL,    -- its id
  entry   text        NOT NULL,    -- a broker.Order, in JSON
  at      timestamptz NOT NULL DEFAULT statement_timestamp()
);

-- What became of messages, minute by minute, and what operators did.
CREATE TABLE dtask_journal (
  minute timestamptz NOT NULL,
  queue  text        NOT NULL,
  task   text        NOT NULL,
  entry  text        NOT NULL,     -- a broker.Tally, in JSON
  PRIMARY KEY (minute, queue, task)
);

CREATE TABLE dtask_journal_serials (
  process text        PRIMARY KEY,
  serial  bigint      NOT NULL,    -- of its newest batch
  seen    timestamptz NOT NULL DEFAULT statement_timestamp()
);

CREATE TABLE dtask_acts (
  seq   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id    text        NOT NULL UNIQUE,
  began timestamptz NOT NULL,
  entry text        NOT NULL       -- a broker.Act, in JSON
);
CREATE INDEX dtask_acting ON dtask_acts (began);
