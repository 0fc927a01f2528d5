package operate

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/internal/fault"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
)

// A Group is dead letters of one task that died of one fault: of errors of one kind whose
// texts differ only in what is of one message, such as ids and numbers.
type Group struct {
	Task, Kind string

	// Error is the text of the errors, with an ellipsis for what differs.
	Error string

	Messages int

	// Oldest and Newest are when the first and the last of them died, or the zero time
	// if the broker does not know that of any.
	Oldest, Newest time.Time

	// Sample is the id of the newest message.
	Sample string

	// Queues are those of the messages, sorted.
	Queues []string

	fault string
}

// Selection returns the text that selects the dead letters of the group, those that will
// have died since too. It says nothing of their errors or arguments.
func (g Group) Selection() string {
	task := strings.NewReplacer(",", "*", `"`, "*").Replace(g.Task) // the fault says which one
	return "state:dead task:" + task + " fault:" + g.fault
}

// maxGroups is how many groups are told apart; what is left is counted.
const maxGroups = 1000

// Groups are the dead letters of a selection by task and fault, the largest group first.
type Groups struct {
	Groups []Group

	// Messages is how many dead letters were looked at, and Others how many of them are
	// in none of the groups, since there are too many of these.
	Messages, Others int

	// More reports that there are others that were not looked at.
	More bool
}

// Groups looks at the dead letters of a selection, at so many at most, and tells which of
// them died of the same. 0 is for all.
func (o *Operator) Groups(ctx context.Context, s selection.Selection, most int) (Groups, error) {
	var found Groups
	lister, err := broker.As[broker.Lister](o.broker)
	if err != nil {
		return found, err
	}
	if err := o.check(s); err != nil {
		return found, err
	}
	asked := s.Broker(time.Now())
	if !asked.Has(broker.StateDead) {
		return found, nil
	}
	asked.States = []broker.State{broker.StateDead}
	g := grouping{where: asked.Where, most: most, seen: make(map[letter]bool), groups: make(map[string]*Group)}
	asked.Where = g.look
	for after := broker.Cursor(""); ; {
		page, err := lister.List(ctx, asked, after, 1)
		if err != nil {
			return found, err
		}
		if after = page.Next; after == "" || g.found.More {
			return g.result(), nil
		}
	}
}

// A letter is a dead letter as it was listed.
type letter struct {
	id string
	at int64
}

// A grouping groups messages where the broker looks at them, so that it keeps none.
type grouping struct {
	where  func(broker.Stored) bool
	most   int
	seen   map[letter]bool   // a broker that loses its connection begins anew
	groups map[string]*Group // by fault
	found  Groups
}

// look adds a message. It returns true when that is enough.
func (g *grouping) look(m broker.Stored) bool {
	if g.where != nil && !g.where(m) {
		return false
	}
	key := letter{m.Message.ID, m.At.UnixNano()}
	switch {
	case g.seen[key]:
		return false
	case g.most > 0 && g.found.Messages == g.most:
		g.found.More = true
		return true
	}
	g.seen[key] = true
	g.found.Messages++
	g.add(m)
	return false
}

func (g *grouping) add(m broker.Stored) {
	var f broker.Failure
	if n := len(m.Message.Failures); n > 0 {
		f = m.Message.Failures[n-1]
	}
	id := fault.ID(m.Message.Task, f.Kind, f.Error)
	group := g.groups[id]
	if group == nil {
		if len(g.groups) == maxGroups {
			g.found.Others++
			return
		}
		group = &Group{Task: m.Message.Task, Kind: f.Kind, Error: fault.Pattern(f.Error), fault: id}
		g.groups[id] = group
	}
	group.Messages++
	if i, found := slices.BinarySearch(group.Queues, m.Message.Queue); !found {
		group.Queues = slices.Insert(group.Queues, i, m.Message.Queue)
	}
	if group.Sample == "" || m.At.After(group.Newest) {
		group.Newest, group.Sample = m.At, m.Message.ID
	}
	if group.Oldest.IsZero() || !m.At.IsZero() && m.At.Before(group.Oldest) {
		group.Oldest = m.At
	}
}

func (g *grouping) result() Groups {
	for _, group := range g.groups {
		g.found.Groups = append(g.found.Groups, *group)
	}
	slices.SortFunc(g.found.Groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Messages, a.Messages), cmp.Compare(a.Task, b.Task), cmp.Compare(a.Error, b.Error), cmp.Compare(a.fault, b.fault))
	})
	return g.found
}
