// Package codec gives messages the form that they have in AMQP, and reads it.
// docs/wire.md describes it for producers in other languages.
package codec

import "strings"

// The headers of a message.
const (
	HeaderSchema          = "dtask-schema"
	HeaderPriority        = "dtask-priority" // 1 or -1
	HeaderAttempt         = "dtask-attempt"
	headerAttempts        = "dtask-attempts"
	headerNotBefore       = "dtask-not-before"        // Unix milliseconds
	HeaderExpires         = "dtask-expires"           // Unix milliseconds
	headerKeep            = "dtask-keep"              // milliseconds
	HeaderFailures        = "dtask-failures"          // JSON
	headerHandedBack      = "dtask-handed-back"       // how often
	headerHandedBackSince = "dtask-handed-back-since" // Unix milliseconds
	HeaderRenewed         = "dtask-renewed"           // of a copy: which one it is
	headerEscape          = "dtask-header-"           // prefix of a user's header whose name is reserved
	headerTimestamp       = "timestamp_in_ms"         // as RabbitMQ's own timestamp plugin has it

	// RabbitMQ's, of quorum queues. From 4.3 on only the second one counts what
	// the consumer_timeout has taken from a worker.
	headerDeliveryCount = "x-delivery-count"
	headerAcquiredCount = "x-acquired-count"
)

// defaultAttempts is how many attempts a message is allowed that does not say.
const defaultAttempts = 6

// lastMilli is the last Unix millisecond of the year 9999.
const lastMilli = 253402300799999

// reserved reports whether a header name has a meaning to dtask or RabbitMQ.
func reserved(name string) bool {
	return strings.HasPrefix(name, "dtask-") || name == headerTimestamp || reservedByRabbitMQ(name)
}

// reservedByRabbitMQ reports whether a header name has a meaning to RabbitMQ. By
// CC and BCC it copies a message to more queues
// (https://www.rabbitmq.com/docs/sender-selected); if such a header is not an array
// it closes the channel, and with it fails what others publish.
func reservedByRabbitMQ(name string) bool {
	return strings.HasPrefix(name, "x-") || name == "CC" || name == "BCC"
}
