package sqlite

import "strings"

// defaultNamespace is the namespace of a URL that names none. All statements of
// this package are written for it; a connection of another namespace puts its own
// in their place when it prepares them.
const defaultNamespace = "dtask"

// maxNamespace is how many bytes a namespace may have. The names of lock files
// have it in them.
const maxNamespace = 60

func validNamespace(s string) bool {
	for i, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case i > 0 && ('0' <= c && c <= '9' || c == '_'):
		default:
			return false
		}
	}
	lower := strings.ToLower(s)
	return s != "" && len(s) <= maxNamespace && lower != "sqlite" && !strings.HasPrefix(lower, "sqlite_")
}

// inNamespace returns a statement that is written for the default namespace as it
// is for another one. Values never stand in statements, so that nothing but names
// of tables and indexes changes.
func inNamespace(namespace, sql string) string {
	if namespace == defaultNamespace {
		return sql
	}
	return strings.ReplaceAll(sql, defaultNamespace+"_", namespace+"_")
}
