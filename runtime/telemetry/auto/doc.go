// Package auto lets the variables of OpenTelemetry switch on traces and metrics of worker
// programs. Import it for that:
//
//	import _ "github.com/dtaskhq/dtask/runtime/telemetry/auto"
//
// It does nothing unless OTEL_TRACES_EXPORTER, OTEL_METRICS_EXPORTER or the endpoint of
// an exporter is set (OTEL_EXPORTER_OTLP_ENDPOINT, or one of the signals), or if
// OTEL_SDK_DISABLED is true. All other variables mean what OpenTelemetry says:
// OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER,
// OTEL_EXPORTER_OTLP_PROTOCOL, OTEL_BSP_SCHEDULE_DELAY and so on. Two more are of dtask:
//
//	DTASK_TRACE_PARENT=1m        tasks of messages up to this age are part of the trace
//	                             in which they were enqueued, see telemetry.Parent
//	DTASK_TRACE_BAGGAGE=a,b      members of the baggage that are passed on to tasks
//
// An exporter that cannot send, or that blocks, is in no task's way: spans beyond its
// queue are dropped, and one line says so.
package auto
