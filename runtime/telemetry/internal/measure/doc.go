// Package measure is what package telemetry and package metrics have in common: which
// metrics there are, by which names, and when what is recorded. It links neither
// OpenTelemetry nor Prometheus; each of them gives it a [Sink].
//
//	catalogue.go   the metrics
//	meter.go       middleware that records attempts and what is enqueued
//	series.go      the series of labels, and how many there may be
//	failure.go     error.type
//	gauges.go      what is read when somebody asks: running, capacity, the broker
//	broker.go      the state of the broker, asked now and then
//	trace.go       the trace of an attempt, for exemplars
package measure
