package dashboard

import (
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A state is the word for what a message is, with its shape and how much to care.
type state struct {
	Class, Icon, Word string
	When              string // what stands before and after the time of Stored.At: "runs in"
}

// stateOf returns the most telling word for a message.
func stateOf(m broker.Stored) state {
	switch {
	case m.State == broker.StateDead:
		return state{"dead", "dead", "dead", ""}
	case m.State == broker.StateRunning:
		return state{"running", "running", "running", "for"}
	case m.Message.HandedBack > 0:
		return state{"handed", "handed", "handed back", "waits for its build"}
	case m.State == broker.StateDelayed && m.Message.Attempt > 1:
		return state{"retried", "retried", "retried", "runs in"}
	case m.State == broker.StateDelayed:
		return state{"delayed", "delayed", "delayed", "runs in"}
	}
	return state{"waiting", "waiting", "waiting", ""}
}

// under is the second line of a state.
func (s state) under(at, now time.Time) string {
	switch {
	case s.When == "for" && !at.IsZero():
		return "for " + ago(now.Sub(at))
	case s.When == "runs in" && at.After(now):
		return "runs in " + ago(at.Sub(now))
	case s.When == "runs in":
		return "runs now"
	case s.When == "for":
		return ""
	}
	return s.When
}

// used returns how many attempts of a message have begun.
func used(m broker.Stored) int {
	if m.State == broker.StateReady || m.State == broker.StateDelayed {
		return m.Message.Attempt - 1
	}
	return m.Message.Attempt
}

// stateWords are the states by the names that selections have for them.
var stateWords = map[broker.State]string{
	broker.StateReady: "waiting", broker.StateRunning: "running", broker.StateDelayed: "delayed", broker.StateDead: "dead",
}
