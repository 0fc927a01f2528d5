// Package broker has the interfaces between package dtask and a store of messages.
// Applications import package dtask; this package is for those who write a broker,
// as database/sql/driver is for those who write a driver.
//
// A [Broker] enqueues, delivers and settles messages. All else that it can do is a
// capability: an interface of its own, such as [Admin] or [TickStore]. [As] asks a
// broker for a capability. A broker without it has no such methods, and [As]
// returns an error that says so.
//
// Package brokertest holds the suite that every implementation passes.
package broker
