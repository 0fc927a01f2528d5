package dtask

import "github.com/dtaskhq/dtask/runtime/broker"

// Names of package broker that applications need, too.
type (
	// A Message is a task on its way, as middleware sees it.
	Message = broker.Message

	// A Failure is one thing that went wrong with a message.
	Failure = broker.Failure

	// A PriorityLevel is a class of messages within a queue. A worker takes more
	// messages of a higher class, but never starves a lower one.
	PriorityLevel = broker.Priority
)

// The priority classes.
const (
	PriorityLow     = broker.PriorityLow
	PriorityDefault = broker.PriorityDefault
	PriorityHigh    = broker.PriorityHigh
)

// MaxBodySize bounds the arguments of a task, and its result, in bytes of JSON.
const MaxBodySize = broker.MaxBodySize
