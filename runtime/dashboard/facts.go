package dashboard

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A fact is a line of the list beside the timeline.
type fact struct{ Name, Value, More string }

// stateSays is what stands beside the word for the state.
func (v *visit) stateSays(m broker.Stored) string {
	attempts := fmt.Sprintf("attempt %d of %d", m.Message.Attempt, m.Message.Attempts)
	switch since := ago(v.now.Sub(m.At)); {
	case m.At.IsZero():
		return attempts
	case m.State == broker.StateDead:
		return "for " + since + ", after " + attempts
	case m.State == broker.StateRunning:
		return "for " + since + ", " + attempts
	case m.State == broker.StateDelayed:
		return "runs in " + ago(m.At.Sub(v.now)) + ", then " + attempts
	default:
		return "for " + since + ", then " + attempts
	}
}

// because says what the newest failure means for the message.
func because(m broker.Stored) string {
	const notAgain = ", so it is not tried again by itself."
	f := m.Message.Failures[len(m.Message.Failures)-1]
	after := fmt.Sprintf("%s at attempt %d. ", kindWords[f.Kind], f.Attempt)
	switch {
	case m.State != broker.StateDead:
		return after + "It is tried again."
	case f.Kind == broker.FailureExpired, f.Kind == broker.FailureUnknown, f.Kind == broker.FailureUndecodable:
		return kindWords[f.Kind] + notAgain
	case m.Message.Attempt < m.Message.Attempts:
		return after + "The task called it permanent" + notAgain
	}
	return after + "That was the last one" + notAgain
}

// kindWords say the kinds of failures in a sentence.
var kindWords = map[string]string{
	broker.FailureError:       "An error",
	broker.FailurePanic:       "A panic",
	broker.FailureTimeout:     "A timeout",
	broker.FailureCrash:       "The worker died",
	broker.FailureExpired:     "It was not started in time",
	broker.FailureUndecodable: "Its arguments cannot be decoded",
	broker.FailureUnknown:     "No worker could run it for as long as it may be handed back",
}

// facts are the rest of what is known.
func (v *visit) facts(m broker.Stored) []fact {
	msg := m.Message
	list := []fact{
		{"Task", msg.Task, ""},
		{"Age", ago(v.now.Sub(msg.EnqueuedAt)), "since " + exact(msg.EnqueuedAt)},
	}
	if msg.Schema != "" {
		can := 0
		workers := see(v, v.looks.workers)
		for _, p := range workers.value {
			if slices.ContainsFunc(p.Tasks, func(t broker.ProcessTask) bool { return t.Name == msg.Task && t.Schema == msg.Schema }) {
				can++
			}
		}
		says := ""
		if workers.known() {
			says = fmt.Sprintf("the present one of %d of %s", can, plural(len(workers.value), "worker"))
		}
		list = append(list, fact{"Schema", msg.Schema, says})
	} else {
		list = append(list, fact{"Schema", "none", "it was enqueued by another language"})
	}
	if !msg.Expires.IsZero() {
		list = append(list, fact{"Expires", exact(msg.Expires), ""})
	}
	if msg.Keep > 0 {
		list = append(list, fact{"Outcome", "kept for " + took(msg.Keep), ""})
	}
	if parts := strings.Split(msg.Headers["traceparent"], "-"); len(parts) == 4 {
		list = append(list, fact{"Trace", parts[1], ""})
	}
	return list
}
