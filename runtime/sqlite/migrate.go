package sqlite

import (
	"fmt"
	"math"
)

// migrations are the steps from an empty file to the current schema. A step
// that has been released is never changed; the schema version is their count.
var migrations = []string{schemaV1, schemaV2, schemaV3, schemaV4}

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
