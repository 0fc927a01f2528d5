// Package rabbitmq is a broker on RabbitMQ 3.10 and later. Import it, and
// dtask.Open knows its URLs:
//
//	import _ "github.com/dtaskhq/dtask/runtime/rabbitmq"
//
//	client, err := dtask.Open(ctx, "amqp://user:password@host/vhost")
//
// # URL
//
//	amqp://USER:PASSWORD@HOST[:PORT][,HOST[:PORT]…][/VHOST][?PARAMETER=VALUE&…]
//
// The scheme is amqp (port 5672) or amqps (TLS, port 5671). Several hosts are nodes
// of one cluster: the broker uses one, and the next one if that fails. Put an IPv6
// address in brackets. Percent-encode special characters in the user, the password
// and the virtual host. Without them they are guest, guest and /. The parameters:
//
//	namespace=NAME   prefix of all queues and exchanges; default dtask. Programs
//	                 of different namespaces have nothing to do with each other.
//	                 It is a lower-case letter, then lower-case letters, digits
//	                 and underscores
//	heartbeat=N      seconds between signs of life, from 1; default 5.
//	                 A connection silent for twice as long is given up
//	consumer_timeout=N
//	                 the consumer_timeout of RabbitMQ in seconds, if it is less
//	                 than its default of 1800; from 3. Messages of tasks that
//	                 run for long are renewed after a third of it
//	ca=FILE          amqps: certificates (PEM) of the authorities to trust
//	                 instead of the system's
//	cert=FILE        amqps: certificate (PEM) of this client …
//	key=FILE         … and its private key (PEM)
//	auth=external    amqps: the user is the one the client certificate names
//	                 (SASL EXTERNAL), not the URL
//	servername=NAME  amqps: the name the server's certificate must be for, if
//	                 not the host
//
// # What is declared
//
// All queues are durable quorum queues. The first worker or client that needs one
// declares it. docs/wire.md lists them with their arguments, and describes the form
// of a message for producers in other languages.
//
// # Connections
//
// The client library, amqp091-go, opens connections, keeps them alive, and declares
// queues. Messages use other channels of the same connections, which package
// internal/wire serves.
//
// A broker has one connection to publish. As soon as it consumes or inspects it has
// a second one, because RabbitMQ stops the connections that publish when it is
// short of memory or disk, and acknowledgements must go on. The first schedule, the
// first record of a result or entry of the journal, and the first wait for a result, or
// look at the journal, open one more each; records of the census have one for as long as
// they are written. A
// connection that is lost is opened again, after a pause. A message that was
// published and not confirmed is published again under the same id, until its
// context ends. So a fault can duplicate a message, but not lose it.
//
// # Results
//
// If a task keeps its outcome (keep=, dtask.Keep), the outcome is recorded in a
// stream, one for all tasks. It is declared when the first such task is enqueued or
// waited for. It holds records for 7 days, which is the longest time to ask for,
// and up to 4 GiB of them. Above that the oldest go early.
//
// A wait reads everything that was recorded since the id was made, as the time is
// in the id, a UUIDv7. For other ids it reads the whole stream. So a wait is quick
// for a task that was enqueued a moment ago, and else takes a second for about
// every 30,000 records. All waits of a process read together, so many take no
// longer than one. What was read is remembered for a minute after the last wait, up
// to 250,000 records. Do not wait for ids that a stranger has chosen: each may read
// the whole stream.
//
// RabbitMQ confirms a record when a majority of the nodes have it in memory. So a
// power cut of all nodes can lose the newest records, but not the messages. If a
// record was lost, a message was purged, or RabbitMQ itself moved it to the dead
// letters, the wait goes on until its context ends.
//
// # Census
//
// Before a process sends the first message of a kind (a task, a schema, a queue), it
// records the kind in a stream, and once a day from then on. So preflight knows what may
// wait. A message waits for its record for 2 seconds at most while RabbitMQ is there.
//
// # Where things are
//
// A message comes in through enqueue.go, whichever way. publish.go publishes it
// until it is confirmed, on the channel of publisher.go; what an answer means is
// in publish_outcome.go and publish_refused.go, and the way through delays in
// delay.go; arrival.go has where delays end, lost.go what finds no queue there, and
// watch.go looks whether the delays move.
//
// It goes out through consume.go and serve.go, which merge the classes of a queue
// (classes.go). subscription.go has the channel, prefetch.go how much is fetched,
// shed.go what goes back because it waits in vain, and cancel.go how fetching ends.
// receive.go decides what is for the worker, delivery.go settles, move.go publishes
// what takes its place, and acks.go acknowledges. closing.go ends all that, and
// unrecorded.go knows which outcomes are not recorded yet.
//
// The exceptions: executed.go keeps what was executed from running again,
// quarantine.go, suspects.go and gate.go deal with messages that kill their workers, and renew.go
// with tasks that outlast RabbitMQ's consumer_timeout.
//
// tick.go has the schedules, results.go the results, and admin.go, dead_letters.go,
// purge.go and pause.go what operators ask for; lister.go and editor.go show and change
// dead letters, and processes.go knows who runs tasks. journal.go and acts.go keep what
// became of messages and what operators did, in streams that journal_read.go and
// chronicle.go read. clerk.go has the census record what is sent, and census.go reads it.
// url.go reads the URL, tls.go the certificates. link.go keeps connections open
// (session.go), on the hosts
// that work (hosts.go, proof.go), trouble.go says what was wrong, and topology.go and
// declare.go declare what names.go names. Package codec has the form of a message,
// results what is recorded of outcomes, census which kinds are sent, stream reads streams, and wire has the
// connections themselves.
//
// # Limits
//
// A message with a body of more than 1 MiB goes to the dead letters as it is, and
// stays there. Its body is not read into memory.
//
// RabbitMQ cannot tell how many messages of a queue run, or are delayed: these
// counts are -1. Purge reads all delayed messages, to find those of its queue. The
// same id enqueued twice is two messages.
package rabbitmq
