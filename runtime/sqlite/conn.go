package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"

	driversqlite "modernc.org/sqlite"
)

// conn is one connection to the file, for one goroutine at a time. It works on
// the interface that drivers offer to database/sql, which is not in between:
// on the writer's path its conversions and locks would cost about a fifth.
type conn struct {
	raw       driver.Conn
	namespace string
	stmts     map[string]*stmt // prepared, by their text in the default namespace
	args      []driver.NamedValue
}

type stmt struct {
	raw driver.Stmt
	row []driver.Value
}

// connect opens a connection.
func connect(ctx context.Context, t target) (*conn, error) {
	connector, err := driversqlite.NewConnector(t.dsn())
	if err != nil {
		return nil, err
	}
	raw, err := connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{raw: raw, namespace: t.namespace, stmts: make(map[string]*stmt)}, nil
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.raw.Close())
	}
	return errors.Join(append(errs, c.raw.Close())...)
}

// script executes several statements that have no parameters.
func (c *conn) script(sql string) error {
	_, err := c.raw.(driver.ExecerContext).ExecContext(context.Background(), inNamespace(c.namespace, sql), nil)
	return err
}

// exec executes a statement and returns how many rows it changed.
func (c *conn) exec(sql string, args ...driver.Value) (int, error) {
	n, _, err := c.insert(sql, args...)
	return n, err
}

// insert executes an INSERT and returns how many rows it inserted, and the
// rowid of the last one.
func (c *conn) insert(sql string, args ...driver.Value) (n int, rowid int64, err error) {
	s, err := c.prepare(sql)
	if err != nil {
		return 0, 0, err
	}
	r, err := s.raw.(driver.StmtExecContext).ExecContext(context.Background(), c.named(args))
	if err != nil {
		return 0, 0, err
	}
	changed, _ := r.RowsAffected() // of this driver: no errors
	rowid, _ = r.LastInsertId()
	return int(changed), rowid, nil
}

// query calls yield with each row of a result. The slice is reused.
func (c *conn) query(yield func(row []driver.Value) error, sql string, args ...driver.Value) (err error) {
	s, err := c.prepare(sql)
	if err != nil {
		return err
	}
	rows, err := s.raw.(driver.StmtQueryContext).QueryContext(context.Background(), c.named(args))
	if err != nil {
		return err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	if s.row == nil {
		s.row = make([]driver.Value, len(rows.Columns()))
	}
	for {
		switch err := rows.Next(s.row); {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		if err := yield(s.row); err != nil {
			return err
		}
	}
}

// int returns the integer that a query results in, 0 for NULL or no row.
func (c *conn) int(sql string, args ...driver.Value) (n int64, err error) {
	err = c.query(func(row []driver.Value) error {
		n, _ = row[0].(int64)
		return nil
	}, sql, args...)
	return n, err
}

// text returns the text that a query results in.
func (c *conn) text(sql string) (s string, err error) {
	err = c.query(func(row []driver.Value) error {
		s, _ = row[0].(string)
		return nil
	}, sql)
	return s, err
}

func (c *conn) prepare(sql string) (*stmt, error) {
	if s := c.stmts[sql]; s != nil {
		return s, nil
	}
	raw, err := c.raw.(driver.ConnPrepareContext).PrepareContext(context.Background(), inNamespace(c.namespace, sql))
	if err != nil {
		return nil, err
	}
	s := &stmt{raw: raw}
	c.stmts[sql] = s
	return s, nil
}

// named returns args as the driver takes them, in a slice that is reused.
func (c *conn) named(args []driver.Value) []driver.NamedValue {
	for len(c.args) < len(args) {
		c.args = append(c.args, driver.NamedValue{Ordinal: len(c.args) + 1})
	}
	for i, a := range args {
		c.args[i].Value = a
	}
	return c.args[:len(args)]
}
