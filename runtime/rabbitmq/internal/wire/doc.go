// Package wire connects to RabbitMQ. It has the connections and channels on
// which messages are published, confirmed, delivered and acknowledged; who uses
// it sees messages and their outcomes, but no frames. It knows nothing of tasks.
//
// The client library, amqp091-go, opens each connection, keeps it alive, and
// declares queues and exchanges ([Conn.Declare]). Messages travel past it, on
// channels of the same connection that are served here ([Channel]): the
// transport beneath the library divides the channels and the frames between the
// two.
//
// The library takes a lock, a flush and three goroutines for each message. And
// it hides two things that are known here: whether a message was returned is
// known when it is confirmed, and a negative confirm is not the same as a
// connection that was lost.
//
// What this package takes for granted of the library is in library_test.go.
//
// # Why not the library alone
//
// The same methods were written over the library's channels, with nothing but
// the joined writes of the transport, and measured beside these in one run
// (2026-11-26, RabbitMQ 3.10.8, two cores with a load of 13 to 16, so the
// processor time counts and the rates are low; medians of six rounds; the
// letters are those of docs/performance.md). In brackets is the plain client of
// package bench, which does the same work by the library.
//
//	                    this package          over the library
//	B 64  CPU per task  24.9 µs (34.7)        31.0 µs (37.0)
//	G     CPU per task  34.1 µs (62.9)        61.8 µs (63.6)
//	D 10  CPU per task  10.9 µs (16.3)        20.6 µs (17.7)
//	D 10  tasks/s       1.42 of the client's  0.87 of the client's
//	D 100 CPU per task  10.0 µs (18.8)        24.2 µs (19.7)
//	D 100 tasks/s       1.53 of the client's  0.78 of the client's
//
// It would have had to come within 10 % in G, and to 0.95 of the plain client in
// D, to take the place of this package. It also gives up a promise: the library
// has a goroutine for each consumer, so that deliveries overtake each other, and
// drops those of a consumer that was cancelled; their tags are missing then.
package wire
