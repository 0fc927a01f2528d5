// Package broker has the interfaces that a store of messages implements to serve
// package dtask, as database/sql/driver has those for database/sql. Applications
// import package dtask; this package is for those who write a broker.
//
// A [Broker] enqueues, delivers and settles messages. Whatever else it can do
// is a capability: an interface of its own, such as [Admin] or [TickStore],
// which [As] asks for. A broker that lacks a capability leaves its methods out,
// and a caller that needs them gets an error that says so.
//
// Package brokertest holds the suite that every implementation passes.
package broker
