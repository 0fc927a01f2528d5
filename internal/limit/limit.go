// Package limit holds the bounds that the generator and the runtime both
// enforce. The generator reports a value beyond one where it is written, and the
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
	if name != "" && len(name) <= MaxTaskName && utf8.ValidString(name) && !strings.ContainsFunc(name, notOfTask) {
		return "", true
	}
	return fmt.Sprintf("use 1 to %d bytes of printable text without spaces", MaxTaskName), false
}

func notOfTask(r rune) bool { return r == ' ' || !unicode.IsPrint(r) }
