package worker

import (
	"cmp"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A finding is a kind of messages, or of what else is kept, and what this program
// would do with it.
type finding struct {
	Task   string       `json:"task"`
	Queue  string       `json:"queue,omitempty"`
	Schema string       `json:"schema"`
	State  broker.State `json:"state"`

	// Messages is how many there are. Of what may wait that is not known.
	Messages int        `json:"messages,omitempty"`
	Seen     *time.Time `json:"seen,omitempty"`   // when some were sent last, within a day; of what may wait
	Latest   *time.Time `json:"latest,omitempty"` // when the last of the delayed ones is due, at most; or a schedule's newest tick

	Fate   broker.Fate `json:"fate"`
	Reason string      `json:"reason,omitempty"` // why they are not run
}

// The states that are none of a message.
const (
	stateMaybe     broker.State = "may wait"
	stateScheduled broker.State = "scheduled"
	stateKept      broker.State = "result"
	stateSent      broker.State = "sent" // by this program
)

// The fates beside those of package inside.
const (
	fateWaits broker.Fate = "waits"
	fateTicks broker.Fate = "ticks"
	fateReads broker.Fate = "is read"
	fateStops broker.Fate = "stops"
)

// well reports whether nothing needs to be done about it. Dead letters wait for
// people, and a schedule that stops is no loss of messages.
func (f finding) well() bool {
	switch f.Fate {
	case broker.FateRuns, broker.FateConverted, fateTicks, fateReads, fateStops:
		return true
	}
	return f.State == broker.StateDead
}

// when says in which state it is, and in which time.
func (f finding) when() string {
	const layout = time.RFC3339
	text := string(f.State)
	if f.Seen != nil {
		text += ", seen " + f.Seen.UTC().Format(time.DateOnly)
	}
	if f.Latest != nil {
		text += map[broker.State]string{stateScheduled: ", last at ", stateMaybe: ", delayed until "}[f.State]
		if f.State == broker.StateDelayed {
			text += " until "
		}
		text += f.Latest.UTC().Format(layout)
	}
	return text
}

// printFindings prints a table, or a JSON object for each.
func (p *program) printFindings(findings []finding, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(p.stdout)
		for _, f := range findings {
			if err := e.Encode(f); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TASK\tQUEUE\tSCHEMA\tSTATE\tMESSAGES\tFATE")
	for _, f := range findings {
		fate := string(f.Fate)
		if f.Reason != "" {
			fate += ": " + f.Reason
		}
		messages := "-"
		if f.Messages > 0 {
			messages = fmt.Sprint(f.Messages)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", printable(f.Task), printable(cmp.Or(f.Queue, "-")), printable(cmp.Or(f.Schema, "-")), f.when(), messages, printable(fate))
	}
	return w.Flush()
}
