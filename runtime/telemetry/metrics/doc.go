// Package metrics makes worker programs answer /metrics in the format of Prometheus, on
// the address of -health. Import it for that:
//
//	import _ "github.com/dtaskhq/dtask/runtime/telemetry/metrics"
//
// The metrics have the names that an exporter of OpenTelemetry would give them, and what
// the program itself has registered with Prometheus is there, too. A supervisor answers
// with the sums of its children. The package links nothing of OpenTelemetry; in a
// program that has traces, histograms have exemplars that lead to them.
//
//	extension.go    what is added to a worker program
//	sink.go         what is recorded
//	collector.go    what is read when Prometheus asks
//	names.go        names as Prometheus spells them
//	children.go     the sums of several processes
//	autoscale.go    /autoscale: how many workers a queue needs
package metrics
