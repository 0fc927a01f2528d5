// Package limit holds the bounds that the generator and the runtime both enforce,
// or all brokers. The generator reports a value beyond one where it is written, and the
// runtime refuses it where it is made at run time. Bounds that only the runtime
// knows, of sizes and failures, are in runtime/broker/limits.go.
package limit

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The bounds.
const (
	MaxRetries   = 1_000_000 // attempts after the first one
	MaxBackoff   = time.Hour // pause before a retry
	MaxQueueName = 100       // bytes
	MaxTaskName  = 250       // bytes: a field type of AMQP holds 255
	MaxNamespace = 40        // bytes: names of PostgreSQL have 63, and more than it in them
)

// Queue reports whether a queue can have the name. If it cannot, remedy says
// what to do.
func Queue(name string) (remedy string, ok bool) {
	if name != "" && len(name) <= MaxQueueName && !strings.ContainsFunc(name, notOfQueue) {
		return "", true
	}
	return fmt.Sprintf("use 1 to %d letters, digits, '-', '_' or '.'", MaxQueueName), false
}

func notOfQueue(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_', r == '.':
		return false
	}
	return true
}

// Task reports whether a task can have the name. If it cannot, remedy says what
// to do.
func Task(name string) (remedy string, ok bool) {
	if name != "" && len(name) <= MaxTaskName && (plain(name) || utf8.ValidString(name) && !strings.ContainsFunc(name, notOfTask)) {
		return "", true
	}
	return fmt.Sprintf("use 1 to %d bytes of printable text without spaces", MaxTaskName), false
}

// plain reports whether s is ASCII that is printed, as almost every name is. It is
// asked for every message.
func plain(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

func notOfTask(r rune) bool { return r == ' ' || !unicode.IsPrint(r) }

// Namespace reports whether all that a service has at a broker can have names
// that begin with the given one: on every broker, so that a service can move. If
// it cannot, remedy says what to do.
func Namespace(name string) (remedy string, ok bool) {
	if name != "" && len(name) <= MaxNamespace && name[0] >= 'a' && !strings.ContainsFunc(name, notOfNamespace) && !reservedNamespace(name) {
		return "", true
	}
	return fmt.Sprintf("use a lower-case letter and then up to %d lower-case letters, digits or '_', but not amq or sqlite", MaxNamespace-1), false
}

// notOfNamespace excludes what would mix namespaces: the names of RabbitMQ's
// queues have dots, and SQLite takes capital letters for small ones.
func notOfNamespace(r rune) bool {
	return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '_')
}

// reservedNamespace reports whether a broker keeps names that begin so for itself.
func reservedNamespace(name string) bool {
	return name == "amq" || name == "sqlite" || strings.HasPrefix(name, "sqlite_")
}
