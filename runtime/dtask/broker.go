package dtask

import "github.com/dtaskhq/dtask/runtime/broker"

// Names of package broker that applications need, too.
type (
	// A Message is a task that was enqueued, as middleware sees it.
	Message = broker.Message

	// A Failure is one thing that went wrong with a message.
	Failure = broker.Failure

	// A PriorityLevel is a class of messages within a queue. A worker takes more
	// messages of a higher class, but always some of a lower one too.
	PriorityLevel = broker.Priority
)

// The priority classes.
const (
	PriorityLow     = broker.PriorityLow
	PriorityDefault = broker.PriorityDefault
	PriorityHigh    = broker.PriorityHigh
)

// MaxBodySize is the largest size that the arguments or the result of a task may
// have, in bytes of JSON.
const MaxBodySize = broker.MaxBodySize
