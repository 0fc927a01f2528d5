package sqlite

import "time"

// When a process dies, nobody knows which of the messages in its hands was to
// blame. So each of them loses an attempt, and one that has none left goes to the
// quarantine: it is run while no other message of its queue's quarantine is. If
// its process dies again, it was that message.
//
// These are the values of the column quarantine, beside 0.
const (
	toRunAlone = 1
	diedAlone  = 2 // the worker that gets it moves it to the dead letters
)

// setCrashed makes running messages wait again after a crash. The number of
// crashes is bounded, so that it can be added to the attempts.
const setCrashed = "UPDATE dtask_messages SET state = 0, owner = NULL, crashes = min(crashes + 1, 1000000), quarantine = CASE" +
	" WHEN quarantine > 0 THEN 2" +
	" WHEN attempt + crashes + 1 >= attempts THEN 1" +
	" ELSE 0 END"

// quarantineWaits reports whether a message that is to be run alone waits for
// the next free slot.
func (c *consumer) quarantineWaits(now time.Time) bool {
	return !c.dueAt[quarantine].IsZero() && c.due(quarantine, now) && c.writer.quarantined[c.queue] == nil
}

// leaveQuarantine lets the next message of a quarantine run, if d was alone.
func (w *writer) leaveQuarantine(d *delivery) {
	if d.alone && w.quarantined[d.consumer.queue] == d.consumer {
		delete(w.quarantined, d.consumer.queue)
	}
}
