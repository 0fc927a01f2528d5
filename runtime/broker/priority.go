package broker

import "fmt"

// A Priority is a class of messages within a queue. A worker takes more messages of
// a higher class, but always some of a lower one too.
type Priority int8

// The priority classes.
const (
	PriorityLow     Priority = -1
	PriorityDefault Priority = 0
	PriorityHigh    Priority = 1
)

// String returns the name of the class: low, default or high.
func (p Priority) String() string {
	switch p {
	case PriorityLow:
		return "low"
	case PriorityDefault:
		return "default"
	case PriorityHigh:
		return "high"
	}
	return fmt.Sprintf("priority(%d)", int8(p))
}
