package broker

import (
	"errors"
	"fmt"
	"reflect"
)

// ErrUnsupported: the broker lacks a capability.
var ErrUnsupported = errors.New("not supported by this broker")

// A Deduplicator is a broker that refuses a message whose id is stored already:
// Enqueue then returns [ErrDuplicate].
type Deduplicator interface {
	// RefusesDuplicates does nothing. It is a mark: a broker that has this method
	// promises to refuse duplicates.
	RefusesDuplicates()
}

// As returns b as one of the capabilities of this package, or an error that
// wraps [ErrUnsupported] and names both.
func As[Capability any](b Broker) (Capability, error) {
	c, ok := b.(Capability)
	if !ok {
		return c, fmt.Errorf("%w: %T has no %s", ErrUnsupported, b, reflect.TypeFor[Capability]().Name())
	}
	return c, nil
}
