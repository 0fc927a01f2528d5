package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// errRollback ends a transaction that was to change nothing.
var errRollback = errors.New("rolled back")

// Check implements [broker.Migrator]. It makes the tables as they should be in a
// schema of its own, compares, and rolls back.
func (m *migrator) Check(ctx context.Context) (list []broker.Difference, err error) {
	version, err := m.version(ctx, m.conn)
	if err != nil {
		return nil, m.explain(err)
	}
	if err := m.checkVersion(version); err != nil {
		return []broker.Difference{{What: m.explain(err).Error(), Repair: "dtask migrate up"}}, nil
	}
	err = pgx.BeginFunc(ctx, m.conn, func(tx pgx.Tx) error {
		if list, err = m.compare(ctx, tx); err != nil {
			return err
		}
		return errRollback
	})
	if !errors.Is(err, errRollback) {
		return nil, m.explain(err)
	}
	return list, nil
}

func (m *migrator) compare(ctx context.Context, tx pgx.Tx) (list []broker.Difference, err error) {
	model := names{fmt.Sprintf("dtask_check_%d", m.conn.PgConn().PID()), m.namespace}
	if err := model.makeSchema(ctx, tx); err != nil {
		return nil, err
	}
	for _, sql := range model.script(0) {
		if _, err := tx.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			return nil, err
		}
	}
	want, err := model.catalog(ctx, tx)
	if err != nil {
		return nil, err
	}
	got, err := m.catalog(ctx, tx)
	if err != nil {
		return nil, err
	}
	for name, maker := range want.makers { // as it is to be here
		maker += "; REVOKE ALL ON FUNCTION " + model.schema + "." + name + " FROM PUBLIC;"
		maker = strings.ReplaceAll(maker, "'"+model.schema+"'", pgx.Identifier{m.schema}.Sanitize())
		want.makers[name] = strings.ReplaceAll(maker, model.schema+".", pgx.Identifier{m.schema}.Sanitize()+".")
	}
	return m.differences(want, got), nil
}

// A catalog is the tables, indexes and functions of some names, as PostgreSQL describes them.
type catalog struct {
	columns map[string]map[string]columnIs // by table and column
	indexes map[string]indexIs
	bodies  map[string]string // of functions, by name
	makers  map[string]string // the statements that make them
}

type columnIs struct {
	kind, fallback string // type, default
	required       bool
}

type indexIs struct {
	definition string
	valid      bool
}

const (
	describeColumns = "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull," +
		" CASE WHEN a.attidentity <> '' THEN 'identity' ELSE coalesce(pg_get_expr(d.adbin, d.adrelid), '') END" +
		" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid" +
		" LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum" +
		" WHERE n.nspname = $1 AND starts_with(c.relname, $2) AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped"
	describeIndexes = "SELECT i.relname, pg_get_indexdef(i.oid), x.indisvalid" +
		" FROM pg_class i JOIN pg_namespace n ON n.oid = i.relnamespace JOIN pg_index x ON x.indexrelid = i.oid" +
		" WHERE n.nspname = $1 AND starts_with(i.relname, $2)"
	describeFunctions = "SELECT p.proname, p.prosrc, pg_get_functiondef(p.oid) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace" +
		" WHERE n.nspname = $1 AND starts_with(p.proname, $2)"
)

// catalog describes what there is under these names. Schemas are left out of it.
func (n names) catalog(ctx context.Context, tx pgx.Tx) (c catalog, err error) {
	c.columns, c.indexes = make(map[string]map[string]columnIs), make(map[string]indexIs)
	c.bodies, c.makers = make(map[string]string), make(map[string]string)
	plain := func(text string) string {
		text = strings.ReplaceAll(text, pgx.Identifier{n.schema}.Sanitize()+".", "")
		return strings.ReplaceAll(text, n.schema+".", "")
	}
	r, err := tx.Query(ctx, describeColumns, n.schema, n.namespace+"_")
	if err := rows(r, err, func(r pgx.Rows) error {
		var table, name string
		var is columnIs
		err := r.Scan(&table, &name, &is.kind, &is.required, &is.fallback)
		if c.columns[table] == nil {
			c.columns[table] = make(map[string]columnIs)
		}
		is.fallback = plain(is.fallback)
		c.columns[table][name] = is
		return err
	}); err != nil {
		return c, err
	}
	r, err = tx.Query(ctx, describeIndexes, n.schema, n.namespace+"_")
	if err := rows(r, err, func(r pgx.Rows) error {
		var name string
		var is indexIs
		err := r.Scan(&name, &is.definition, &is.valid)
		is.definition = plain(is.definition)
		c.indexes[name] = is
		return err
	}); err != nil {
		return c, err
	}
	r, err = tx.Query(ctx, describeFunctions, n.schema, n.namespace+"_")
	return c, rows(r, err, func(r pgx.Rows) error {
		var name, body, maker string
		err := r.Scan(&name, &body, &maker)
		c.bodies[name], c.makers[name] = body, maker
		return err
	})
}

// differences returns what is missing, or other than it should be. What is there
// beside is nobody's business.
func (n names) differences(want, got catalog) (list []broker.Difference) {
	note := func(repair, what string, args ...any) {
		list = append(list, broker.Difference{What: fmt.Sprintf(what, args...), Repair: repair})
	}
	quoted := func(name string) string { return pgx.Identifier{n.schema, name}.Sanitize() }
	for _, table := range slices.Sorted(maps.Keys(want.columns)) {
		if got.columns[table] == nil {
			note(n.createTable(table), "table %s is missing", table)
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(want.columns[table])) {
			w, alter := want.columns[table][name], "ALTER TABLE "+quoted(table)
			g, ok := got.columns[table][name]
			switch {
			case !ok:
				note(alter+" ADD COLUMN "+name+" "+w.definition()+";", "column %s.%s is missing", table, name)
			case g.kind != w.kind:
				note(alter+" ALTER COLUMN "+name+" TYPE "+w.kind+";", "column %s.%s is %s, should be %s", table, name, g.kind, w.kind)
			case g.required != w.required:
				note(alter+" ALTER COLUMN "+name+map[bool]string{true: " SET", false: " DROP"}[w.required]+" NOT NULL;", "column %s.%s: NOT NULL is %v, should be %v", table, name, g.required, w.required)
			case g.fallback != w.fallback:
				note(alter+" ALTER COLUMN "+name+" "+w.setDefault()+";", "column %s.%s has the default %q, should have %q", table, name, g.fallback, w.fallback)
			}
		}
	}
	for _, index := range slices.Sorted(maps.Keys(want.indexes)) {
		w := want.indexes[index]
		g, ok := got.indexes[index]
		create := strings.Replace(w.definition, " ON ", " ON "+pgx.Identifier{n.schema}.Sanitize()+".", 1) + ";"
		switch {
		case !ok:
			note(create, "index %s is missing", index)
		case g.definition != w.definition || !g.valid:
			note("DROP INDEX "+quoted(index)+"; "+create, "index %s is not valid, or another one", index)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want.bodies)) {
		if body, ok := got.bodies[name]; !ok {
			note(want.makers[name], "function %s is missing", name)
		} else if body != want.bodies[name] {
			note(want.makers[name], "function %s is another one", name)
		}
	}
	return list
}

func (c columnIs) definition() string {
	text := c.kind
	if c.fallback == "identity" {
		return text + " GENERATED ALWAYS AS IDENTITY"
	}
	if c.fallback != "" {
		text += " DEFAULT " + c.fallback
	}
	if c.required {
		text += " NOT NULL"
	}
	return text
}

func (c columnIs) setDefault() string {
	switch c.fallback {
	case "":
		return "DROP DEFAULT"
	case "identity":
		return "ADD GENERATED ALWAYS AS IDENTITY"
	}
	return "SET DEFAULT " + c.fallback
}

// createTable returns the statement of the migrations that makes a table.
func (n names) createTable(table string) string {
	statement := regexp.MustCompile(`(?s)CREATE TABLE (` + regexp.QuoteMeta(table) + `) \(.*?\n\)[^\n]*`)
	for _, step := range n.script(0) {
		if found := statement.FindString(step); found != "" {
			return strings.TrimSuffix(strings.Replace(found, table, pgx.Identifier{n.schema, table}.Sanitize(), 1), ";") + ";"
		}
	}
	return "dtask migrate print"
}
