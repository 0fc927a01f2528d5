//go:build unix

package worker

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

// A gated is a supervisor whose children are not there: the test speaks for them.
type gated struct {
	*supervisor
	t        *testing.T
	children []*child
	commands map[*child]chan string
}

func newGated(t *testing.T, n int) *gated {
	g := &gated{t: t, commands: make(map[*child]chan string), supervisor: &supervisor{
		program: &program{}, log: slog.New(slog.DiscardHandler), stop: newStopper(), leaving: make(map[*child]bool),
	}}
	for i := range n {
		ours, theirs := net.Pipe()
		t.Cleanup(func() { ours.Close() })
		p := &place{number: i + 1}
		c := &child{place: p, conn: ours}
		p.child = c
		g.places, g.children = append(g.places, p), append(g.children, c)
		commands := make(chan string, 10)
		g.commands[c] = commands
		go func() {
			for s := bufio.NewScanner(theirs); s.Scan(); {
				commands <- s.Text()
			}
		}()
	}
	return g
}

// says lets a child say something, and the supervisor do what follows.
func (g *gated) says(i int, text string) {
	g.heard(g.children[i], word{Group: text, Round: g.gate.round})
	g.turnGate()
}

// wants expects the next command of each of these children.
func (g *gated) wants(command string, children ...int) {
	g.t.Helper()
	for _, i := range children {
		select {
		case got := <-g.commands[g.children[i]]:
			if strings.HasPrefix(command, commandQuiet) {
				command = fmt.Sprintf("%s %d", commandQuiet, g.gate.round)
			}
			if got != command {
				g.t.Fatalf("child %d is told %q, want %q", i, got, command)
			}
		case <-time.After(patience):
			g.t.Fatalf("child %d is not told %q", i, command)
		}
	}
}

// silent expects no command for anybody.
func (g *gated) silent() {
	g.t.Helper()
	for i, c := range g.children {
		select {
		case got := <-g.commands[c]:
			g.t.Fatalf("child %d is told %q", i, got)
		default:
		}
	}
}

// late is when the time of the gate is up.
func (g *gated) late() {
	g.gate.until = time.Now().Add(-time.Millisecond)
	g.turnGate()
}

// rested is when all have gone on for as long as they should.
func (g *gated) rested() {
	g.gate.next = time.Now()
	g.turnGate()
}

// dies is the end of a child.
func (g *gated) dies(i int) {
	g.places[i].child = nil
	g.left(g.children[i])
	g.turnGate()
}

func TestGate(t *testing.T) {
	t.Run("one after the other", func(t *testing.T) {
		g := newGated(t, 3)
		g.says(0, groupAsk)
		g.wants(commandQuiet, 1, 2)
		if g.mayStart() {
			t.Error("a child may start beside one that is to be alone")
		}
		g.says(1, groupQuiet)
		g.silent()
		g.says(2, groupAsk) // which runs nothing while it waits
		g.wants(commandAlone, 0)
		g.says(0, groupDone)
		g.wants(commandResume, 1, 2)
		g.rested()
		g.wants(commandQuiet, 0, 1)
		g.says(0, groupQuiet)
		g.silent()
		g.says(1, groupQuiet)
		g.wants(commandAlone, 2)
		g.says(2, groupDone)
		g.wants(commandResume, 0, 1)
		if !g.mayStart() {
			t.Error("no child may start when all is over")
		}
	})
	t.Run("the one dies", func(t *testing.T) {
		g := newGated(t, 3)
		g.says(0, groupAsk)
		g.wants(commandQuiet, 1, 2)
		g.dies(0)
		g.wants(commandResume, 1, 2)
		g.says(1, groupQuiet) // too late
		g.silent()
	})
	t.Run("the next one dies", func(t *testing.T) {
		g := newGated(t, 3)
		g.says(0, groupAsk)
		g.says(1, groupAsk)
		g.wants(commandQuiet, 1, 2)
		g.dies(1)
		g.says(2, groupQuiet)
		g.wants(commandAlone, 0)
		g.says(0, groupDone)
		g.wants(commandResume, 2)
		if !g.mayStart() {
			t.Error("the gate waits for a child that has died")
		}
	})
	t.Run("an answer to the last one", func(t *testing.T) {
		g := newGated(t, 3)
		g.says(0, groupAsk)
		g.wants(commandQuiet, 1, 2)
		g.dies(0)
		g.wants(commandResume, 1, 2)
		g.says(1, groupAsk)
		g.rested()
		g.wants(commandQuiet, 2)
		g.heard(g.children[2], word{Group: groupQuiet, Round: 1})
		g.turnGate()
		g.silent()
		g.says(2, groupQuiet)
		g.wants(commandAlone, 1)
	})
	t.Run("another dies", func(t *testing.T) {
		g := newGated(t, 3)
		g.says(0, groupAsk)
		g.wants(commandQuiet, 1, 2)
		g.says(1, groupQuiet)
		g.dies(2)
		g.wants(commandAlone, 0)
	})
	t.Run("another never ends", func(t *testing.T) {
		g := newGated(t, 3)
		g.says(0, groupAsk)
		g.wants(commandQuiet, 1, 2)
		g.says(1, groupQuiet)
		g.late()
		g.wants(commandAlone, 0)
		g.wants(commandResume, 1, 2)
		g.says(0, groupDone)
		g.silent()
	})
	t.Run("the one takes long", func(t *testing.T) {
		g := newGated(t, 2)
		g.says(0, groupAsk)
		g.wants(commandQuiet, 1)
		g.says(1, groupQuiet)
		g.wants(commandAlone, 0)
		g.late()
		g.wants(commandResume, 1)
		g.says(0, groupDone)
		g.silent()
	})
	t.Run("all have their time in between", func(t *testing.T) {
		g := newGated(t, 2)
		g.says(0, groupAsk)
		g.wants(commandQuiet, 1)
		g.gate.shut = time.Now().Add(-time.Hour)
		g.says(0, groupDone)
		g.wants(commandResume, 1)
		g.says(1, groupAsk)
		g.silent()
		if rest := time.Until(g.gate.next); rest <= 0 || rest+quietTime >= stalledAfter || quietTime+aloneTime >= stalledAfter {
			t.Errorf("the next one waits for %v and is taken for stalled", rest)
		}
		g.rested()
		g.wants(commandQuiet, 0)
	})
	t.Run("alone anyway", func(t *testing.T) {
		g := newGated(t, 1)
		g.says(0, groupAsk)
		g.wants(commandAlone, 0)
		g.says(0, groupDone)
		g.silent()
	})
}
