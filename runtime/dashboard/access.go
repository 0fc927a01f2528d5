package dashboard

import (
	"errors"
	"net/http"
)

// Acts is a set of things to do: [Retry] | [Edit].
type Acts uint

// What can be done. Somebody who may do nothing may still look.
const (
	Retry   Acts = 1 << iota // retry dead letters, and delayed messages at once
	Edit                     // change the arguments of messages
	Cancel                   // cancel messages, also while they run
	Delete                   // delete messages
	Move                     // move messages to another queue
	Pause                    // pause and resume queues and schedules
	Steer                    // tell workers to be quiet, to go on, to stop
	Enqueue                  // enqueue a task, or run a schedule now
	Reveal                   // see the secrets of a message
	Peek                     // look at what waits, where that keeps it from the workers for a second

	Nothing    Acts = 0
	Everything      = Peek<<1 - 1
)

// actWords are the acts as a person is said to do them.
var actWords = map[Acts]string{
	Retry: "retry messages", Edit: "edit arguments", Cancel: "cancel messages", Delete: "delete messages", Move: "move messages",
	Pause: "pause or resume", Steer: "steer workers", Enqueue: "enqueue tasks", Reveal: "reveal secrets", Peek: "look at what waits",
}

// Access says who asks, and what they may do.
type Access struct {
	User string // as the history names them
	May  Acts
}

// Has reports whether all of these acts are allowed.
func (a Access) Has(acts Acts) bool { return a.May&acts == acts }

// errNoAccess: somebody may not even look.
var errNoAccess = errors.New("no access")

// access returns who asks.
func (d *Dashboard) access(r *http.Request) (Access, error) {
	switch {
	case d.config.Authorize != nil:
		a, err := d.config.Authorize(r)
		if err != nil {
			d.log.Warn("dashboard: a request was refused", "err", err)
			return Access{}, errNoAccess
		}
		return a, nil
	case d.config.Token != "":
		return d.gate.access(r)
	}
	return Access{}, nil
}
