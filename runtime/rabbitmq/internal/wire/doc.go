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
package wire
