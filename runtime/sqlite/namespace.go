package sqlite

import "strings"

// defaultNamespace is also the one in which the statements of this package are
// written: dtask_messages is the table of messages in whichever namespace.
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

// inNamespace returns a statement as it is for the tables of a namespace.
func inNamespace(namespace, sql string) string {
	if namespace == defaultNamespace {
		return sql
	}
	return strings.ReplaceAll(sql, defaultNamespace+"_", namespace+"_")
}
