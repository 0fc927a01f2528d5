package worker

import (
	"context"
	"sync"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A group is the processes of one supervisor, seen from one of them. They may die
// together, so a message that may have killed its worker runs while none of them runs
// anything ([broker.Gatekeeper]): the process asks the supervisor, which has the others
// be quiet (alone.go).
type group struct {
	ctx     context.Context              // ends when the process is to stop
	say     func(text string, round int) // to the supervisor
	joined  chan struct{}                // closed when there is a keeper
	keeper  broker.Gatekeeper
	granted chan struct{} // 1: the others are quiet

	mu   sync.Mutex
	goOn context.CancelFunc // ends the quiet
}

// What a process says of its group.
const (
	groupAsk   = "alone?" // it wants to run a message alone
	groupDone  = "done"   // that message has ended
	groupQuiet = "quiet"  // it runs nothing
)

func newGroup(ctx context.Context, say func(text string, round int)) *group {
	return &group{ctx: ctx, say: say, joined: make(chan struct{}), granted: make(chan struct{}, 1), goOn: func() {}}
}

// join tells the broker of the group. A nil group has one process.
func (g *group) join(b broker.Broker) {
	if g == nil {
		return
	}
	keeper, err := broker.As[broker.Gatekeeper](b)
	if err != nil {
		return // it sees what others run, and never asks
	}
	g.keeper = keeper
	keeper.Among(g.alone)
	close(g.joined)
}

// alone returns when the supervisor says that the others are quiet.
func (g *group) alone(ctx context.Context) (release func()) {
	select {
	case <-g.granted: // too late, for the last message
	default:
	}
	g.say(groupAsk, 0)
	select {
	case <-g.granted:
	case <-ctx.Done():
	}
	return func() { g.say(groupDone, 0) }
}

// grant is the supervisor's answer to alone.
func (g *group) grant() {
	select {
	case g.granted <- struct{}{}:
	default:
	}
}

// quiet has the process run nothing until resume, and tells the supervisor when that is
// so, with the number of its round. It returns at once.
func (g *group) quiet(round int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.goOn()
	ctx, goOn := context.WithCancel(g.ctx)
	g.goOn = goOn
	go func() {
		select {
		case <-g.joined:
		case <-ctx.Done():
			return
		}
		resume, err := g.keeper.Quiet(ctx)
		if err != nil {
			return
		}
		defer resume()
		g.say(groupQuiet, round)
		<-ctx.Done()
	}()
}

func (g *group) resume() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.goOn()
}
