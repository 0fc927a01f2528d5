package rabbitmq

import "github.com/dtaskhq/dtask/runtime/broker"

// A class is one of the RabbitMQ queues that a queue of dtask consists of.
// They are separate because quorum queues have no priorities on all versions,
// and so that each can be counted.
type class string

const (
	classHigh       class = "high"
	classDefault    class = "queue"
	classLow        class = "low"
	classDue        class = "due"        // what was delayed for the three, see arrival.go
	classQuarantine class = "quarantine" // messages whose worker died, see receive.go
	classDead       class = "dead"       // dead letters
	classRenewed    class = "renewed"    // copies of messages that are held for long, see renew.go
	classRegistry   class = "queues"     // the registry, of which there is one
	classProcesses  class = "processes"  // the processes that run tasks, see processes.go
	classPauses     class = "pauses"     // what is paused, see pause.go
	classCancelled  class = "cancelled"  // the ids of messages that were cancelled, see cancelled.go
	classJournal    class = "journal"    // the stream of tallies, see journal.go
	classActs       class = "acts"       // the stream of what operators did, see acts.go
	classResults    class = "results"    // the stream of results, of which there is one
	classAstray     class = "astray"     // messages whose queue cannot be declared, see lost.go
)

// consumed are the classes that a worker consumes.
var consumed = [...]class{classHigh, classDefault, classLow, classDue, classQuarantine}

// delayable are the classes for which messages are delayed.
var delayable = [...]class{classHigh, classDefault, classLow}

// classOf returns the class that holds messages of priority p.
func classOf(p broker.Priority) class {
	switch {
	case p > broker.PriorityDefault:
		return classHigh
	case p < broker.PriorityDefault:
		return classLow
	}
	return classDefault
}

// priority returns the priority of a message in a queue of class c, which a
// producer may have chosen by the queue alone.
func (c class) priority(said broker.Priority) broker.Priority {
	switch c {
	case classHigh:
		return broker.PriorityHigh
	case classDefault:
		return broker.PriorityDefault
	case classLow:
		return broker.PriorityLow
	}
	return said
}

// weights says how often a class is picked while all have messages.
var weights = [len(consumed)]int{6, 3, 1, 3, 1}

// pick returns the source to deliver from next, or -1. Of the sources that
// have a message it is the one whose turn it is by weight, in the smooth order
// of nginx (https://github.com/nginx/nginx/commit/52327e0627f49dbda1e8db695e63a4b0af4448b1).
func (sub *subscription) pick() int {
	best := -1
	for i := range sub.sources {
		if len(sub.sources[i].fetched) == 0 {
			continue
		}
		if best < 0 || sub.sources[i].credit+weights[i] > sub.sources[best].credit+weights[best] {
			best = i
		}
	}
	return best
}

// picked notes that the next message of a source was delivered.
func (sub *subscription) picked(picked int) {
	total := 0
	for i := range sub.sources {
		if len(sub.sources[i].fetched) > 0 {
			sub.sources[i].credit += weights[i]
			total += weights[i]
		}
	}
	s := &sub.sources[picked]
	s.credit -= total
	s.fetched[0] = nil
	s.fetched = s.fetched[1:]
	sub.consumer.pace.delivered++
	sub.consumer.pace.running.Add(1)
	sub.consumer.picks++
}
