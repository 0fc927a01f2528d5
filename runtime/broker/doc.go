// Package broker is what a store of messages implements to serve package
// dtask, as database/sql/driver is to database/sql. Applications import
// package dtask; this package is for those who write a broker.
//
// A [Broker] enqueues, delivers and settles messages. Whatever else it can do
// is a capability: an interface of its own, such as [Admin] or [TickStore],
// which [As] asks for. A broker that lacks a capability leaves the methods out,
// and whoever needs them gets an error that says so.
//
// Package brokertest holds the suite that every implementation passes.
package broker
