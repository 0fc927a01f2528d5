package postgres

import (
	"hash/fnv"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
)

// defaultNamespace is the namespace of a URL that names none. All statements of this
// package are written for it.
const defaultNamespace = "dtask"

// names are the schema of the tables, and what their names begin with.
type names struct {
	schema    string // as it is, not quoted
	namespace string
}

// statements are those that were rewritten, by names and text: each is prepared by
// its text, so that there are few.
var statements sync.Map

type statement struct {
	names
	sql string
}

// in returns a statement that is written for the default namespace as it is for these
// names, with tables that the search path does not matter for. Values never stand in
// statements, so that nothing but names of tables changes.
func (n names) in(sql string) string {
	key := statement{n, sql}
	if s, ok := statements.Load(key); ok {
		return s.(string)
	}
	s := strings.ReplaceAll(sql, defaultNamespace+"_", pgx.Identifier{n.schema}.Sanitize()+"."+n.namespace+"_")
	statements.Store(key, s)
	return s
}

// table returns the name of a table, for errors.
func (n names) table(name string) string { return n.schema + "." + n.namespace + "_" + name }

// hash tells stores of one database apart where there are only numbers.
func (n names) hash(purpose string) int64 {
	h := fnv.New64a()
	h.Write([]byte(purpose + "\x00" + n.schema + "\x00" + n.namespace))
	return int64(h.Sum64())
}

// channel is the channel on which processes tell each other what has changed.
func (n names) channel() string {
	return "dtask_" + strconv.FormatUint(uint64(n.hash("channel")), 16)
}
