package operate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A Waiting says which kinds of messages a broker has.
type Waiting struct {
	// Counts are the messages that the broker can count: all of them, or the dead
	// letters.
	Counts []broker.Count

	// Kinds are those that may wait besides; how many there are nobody knows.
	Kinds []broker.Kind

	// Unknown says why there may be messages of other kinds. It is nil if there are none.
	Unknown error
}

// Waiting finds out which kinds of messages there are: by counting them, or if the broker
// cannot do that, by what producers say that they have sent ([broker.Censor]).
func (o *Operator) Waiting(ctx context.Context) (w Waiting, err error) {
	counter, err := broker.As[broker.Counter](o.broker)
	if err != nil {
		return w, err
	}
	w.Counts, err = counter.Counts(ctx, broker.Selection{})
	if !errors.Is(err, broker.ErrUnsupported) {
		return w, err
	}
	w.Unknown = fmt.Errorf("it cannot be told what waits in the queues: %w", err)
	if w.Counts, err = counter.Counts(ctx, broker.Selection{States: []broker.State{broker.StateDead}}); err != nil {
		return w, err
	}
	if censor, ok := o.broker.(broker.Censor); ok {
		census, err := censor.Census(ctx)
		if err != nil {
			return w, err
		}
		w.Kinds, w.Unknown = census.Kinds, unsaid(census)
	}
	return w, nil
}

// censusReach is how far back a census has to go, if it was cut off.
const censusReach = 30 * 24 * time.Hour

// unsaid returns why there may be messages that a census does not have, or nil.
func unsaid(c broker.Census) error {
	var why []string
	if len(c.Unnamed) > 0 {
		why = append(why, "queue "+strings.Join(c.Unnamed, ", ")+" has messages whose producers say no kind")
	}
	if c.Overflow {
		why = append(why, "there are more kinds of messages than the census may name")
	}
	if !c.Since.IsZero() && time.Since(c.Since) < censusReach {
		why = append(why, "the census goes back to "+c.Since.UTC().Format(time.RFC3339)+" only")
	}
	if len(why) == 0 {
		return nil
	}
	return errors.New("it cannot be told of all that waits: " + strings.Join(why, "; "))
}
