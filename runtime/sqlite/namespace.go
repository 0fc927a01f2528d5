package sqlite

import "strings"

// defaultNamespace is the namespace of a URL that names none. All statements of
// this package are written for it; a connection of another namespace puts its own
// in their place when it prepares them.
const defaultNamespace = "dtask"

// inNamespace returns a statement that is written for the default namespace as it
// is for another one. Values never stand in statements, so that nothing but names
// of tables and indexes changes.
func inNamespace(namespace, sql string) string {
	if namespace == defaultNamespace {
		return sql
	}
	return strings.ReplaceAll(sql, defaultNamespace+"_", namespace+"_")
}
