// Package rabbitmq is the [broker.Broker] on RabbitMQ 3.10 and later. It is
// used by importing it:
//
//	import _ "github.com/dtaskhq/dtask/runtime/rabbitmq"
//
//	client, err := dtask.Open(ctx, "amqp://user:password@host/vhost")
//
// # URL
//
//	amqp://USER:PASSWORD@HOST[:PORT][,HOST[:PORT]…][/VHOST][?PARAMETER=VALUE&…]
//
// The scheme is amqp (port 5672) or amqps (TLS, port 5671). An IPv6 address is in
// brackets. Of several hosts, which are to be nodes of one cluster, any is used;
// when it fails, the next.
// User, password and virtual host are percent-encoded where they hold reserved
// characters; absent ones are guest, guest and /. The parameters:
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
// All queues are durable quorum queues, declared by whoever comes first,
// worker or client; docs/wire.md lists them with their arguments and gives the
// form of a message, for producers in other languages.
//
// # Connections
//
// The client library, amqp091-go, opens connections, keeps them alive, and
// declares. Messages travel on other channels of the same connections, past the
// library: package internal/wire serves these.
//
// A broker object holds one connection to publish and, once it consumes or
// inspects, a second one: RabbitMQ blocks the connections of publishers when
// it runs out of memory or disk, and acknowledgements must go on then. The
// first schedule, the first record of a result and the first wait for one open
// one more each. All are renewed when they are lost, with backoff. A message
// that was published but not confirmed is published again, under the same id,
// until its context ends; so a fault can duplicate a message, but not lose one.
//
// # Results
//
// The outcomes of tasks that keep theirs (keep=, dtask.Keep) are recorded in
// one stream, which is declared when the first of them is enqueued or waited
// for. It holds records for 7 days, the most that can be asked for, and up to
// 4 GiB of them; beyond that the oldest go early. To find the outcome of an id
// everything is read that was recorded since the time in the id, a UUIDv7, and for
// other ids the whole stream: that is quick for what was enqueued a moment ago, but
// takes a second for about every 30,000 records. All who wait in a process read
// together, so many waits take no longer than one; and what was read is known for a
// minute beyond the last wait, up to 250,000 records. Let nobody wait for ids of a
// stranger's making all the same.
//
// RabbitMQ confirms a record when a majority of the nodes have it, but not yet
// on disk. A power cut at all of them can lose the newest records, though not
// the messages. A wait for a message that was purged, whose record was lost, or
// that RabbitMQ itself has moved to the dead letters ends with its context.
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
// quarantine.go and gate.go deal with messages that kill their workers, and renew.go
// with tasks that outlast RabbitMQ's consumer_timeout.
//
// tick.go has the schedules, results.go the results, and admin.go, dead_letters.go,
// purge.go and pause.go what operators ask for; lister.go and editor.go show and change
// dead letters. url.go reads the URL, tls.go the
// certificates. link.go keeps connections open (session.go), on the hosts
// that work (hosts.go, proof.go), trouble.go says what was wrong, and topology.go and
// declare.go declare what names.go names. Package codec has the form of a message,
// results what is recorded of outcomes, and wire the connections themselves.
//
// # Limits
//
// A body of more than 1 MiB is not read into memory. Its message goes to the dead
// letters as it is, and stays there.
//
// RabbitMQ cannot tell how many messages of a queue are being handled or
// delayed: these counts are -1. Purge looks at everything that is delayed, of
// all queues, to find what is of its own. The same id enqueued twice is two
// messages.
package rabbitmq
