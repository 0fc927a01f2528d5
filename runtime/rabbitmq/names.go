package rabbitmq

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// names composes the names of what is declared. All begin with the namespace.
type names struct{ namespace string }

// queue returns the name of a class of a queue: dtask.high.mail.
func (n names) queue(c class, queue string) string {
	return n.namespace + "." + string(c) + "." + queue
}

// renewed returns the name of a queue of copies.
func (n names) renewed(id string) string { return n.namespace + "." + string(classRenewed) + "." + id }

// registry returns the name of the queue that holds the names of all queues.
func (n names) registry() string { return n.namespace + "." + string(classRegistry) }

// processes returns the name of the queue that holds the processes that run tasks.
func (n names) processes() string { return n.namespace + "." + string(classProcesses) }

// pauses returns the name of the queue that holds what is paused, cancelled that of the
// ids that were cancelled.
func (n names) pauses() string    { return n.namespace + "." + string(classPauses) }
func (n names) cancelled() string { return n.namespace + "." + string(classCancelled) }

// journal and acts return the names of the streams that hold what became of messages,
// minute by minute, and what operators did.
func (n names) journal() string { return n.namespace + "." + string(classJournal) }
func (n names) acts() string    { return n.namespace + "." + string(classActs) }

// lock returns the name of the queue that exists while somebody browses a queue
// of RabbitMQ.
func (n names) lock(queue string) string {
	return n.namespace + ".lock." + strings.TrimPrefix(queue, n.namespace+".")
}

// suspectsOn returns the name of the queue that exists while a process of a host runs
// a suspect. Hosts whose long names begin alike have it together.
func (n names) suspectsOn(host string) string {
	return n.namespace + ".lock.host." + host[:min(len(host), 100)]
}

// maxName is the longest name that AMQP can carry, in bytes.
const maxName = 255

// schedule returns the name of the queue that holds the newest tick of a
// schedule, which has the name of its task. That may be too long together with
// the namespace: then its hash stands for it.
func (n names) schedule(schedule string) string {
	name := n.namespace + ".schedule." + schedule
	if len(name) > maxName {
		return fmt.Sprintf("%s.schedule.sha256-%x", n.namespace, sha256.Sum256([]byte(schedule)))
	}
	return name
}

// control returns the name of the exchange through which all workers are told
// of changes.
func (n names) control() string { return n.namespace + ".control" }

// proof returns the name of the queue by which sessions prove that they work. It is
// always empty.
func (n names) proof() string { return n.namespace + ".proof" }

// results returns the name of the stream that holds the outcomes of messages.
func (n names) results() string { return n.namespace + ".results" }

// census returns the name of the stream that holds which kinds of messages are sent.
func (n names) census() string { return n.namespace + ".census" }

// level returns the name of a level of delay, an exchange and a queue.
func (n names) level(i int) string { return fmt.Sprintf("%s.wait.%02d", n.namespace, i) }

// arrival returns the name of the exchange where delays end.
func (n names) arrival() string { return n.namespace + ".wait.end" }

// watch returns the name of the queue where probes of the delays arrive.
func (n names) watch() string { return n.namespace + ".wait.watch" }

// lost returns the name of an exchange and a queue: of the delayed messages that
// have found no queue.
func (n names) lost() string { return n.namespace + ".lost" }

// delayedFor returns the class and the queue for which a message was delayed, by
// its routing key.
func (n names) delayedFor(key string) (c class, queue string, ok bool) {
	if len(key) <= keyDigits {
		return "", "", false
	}
	name, ok := strings.CutPrefix(key[keyDigits:], n.namespace+".")
	if !ok {
		return "", "", false
	}
	text, queue, _ := strings.Cut(name, ".")
	c = class(text)
	return c, queue, slices.Contains(delayable[:], c) && broker.ValidateQueue(queue) == nil
}
