// Package telemetry shows tasks in traces and metrics of OpenTelemetry. It is wanted in
// one line for a client, and in one for a worker:
//
//	client = telemetry.New(client).Client()
//
//	worker, err := dtask.NewWorker(client, dtask.WorkerConfig{
//		Middleware: []dtask.Middleware{telemetry.New(client).Middleware},
//	}, mail.Tasks(mailer))
//
// Programs of package worker need neither: they import package auto, and are told by the
// variables of OpenTelemetry what to send where.
//
//	import _ "github.com/dtaskhq/dtask/runtime/telemetry/auto"
//
// Spans and metrics have the names of the semantic conventions for messaging. What the
// conventions lack begins with dtask. A program that imports neither package links
// nothing of OpenTelemetry.
//
// Where to find what in the source:
//
//	telemetry.go, options.go   what users call, and what they may choose
//	enqueue.go, process.go     the spans of producers and of consumers
//	attributes.go              what they say
//	propagate.go               the trace context and baggage in messages
//	log.go                     trace and span in logs
//	metrics.go                 the metrics
package telemetry
