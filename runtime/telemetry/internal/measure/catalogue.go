package measure

// A Kind is a kind of metric.
type Kind int

// The kinds.
const (
	Counter Kind = iota
	Gauge
	Histogram
)

// A Metric is what is measured. Its name, its unit and its labels are those of
// OpenTelemetry; Prometheus has its own spelling of them.
type Metric struct {
	Name   string
	Kind   Kind
	Unit   string
	Help   string
	Labels []string  // beside system, which all have
	Bounds []float64 // of a histogram
}

// System is the label that every metric has: which kind of broker it is about.
const System = "messaging.system"

// The labels.
const (
	destination = "messaging.destination.name"
	operation   = "messaging.operation.name"
	errorType   = "error.type"
	task        = "dtask.task"
	outcome     = "dtask.outcome"
	state       = "dtask.state"
	place       = "dtask.place"
)

// conventional are the bounds that the conventions of OpenTelemetry ask for.
var conventional = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

// patient are bounds for what may take long, and for many it does.
var patient = []float64{0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600}

// The metrics of the conventions of OpenTelemetry for messaging.
var (
	operationDuration = &Metric{
		"messaging.client.operation.duration", Histogram, "s",
		"Time that it takes to enqueue, one message or a batch, until the broker has confirmed.",
		[]string{operation, destination, errorType},
		conventional,
	}
	sentMessages = &Metric{
		"messaging.client.sent.messages", Counter, "{message}",
		"Messages that were to be enqueued.",
		[]string{operation, destination, errorType},
		nil,
	}
	consumedMessages = &Metric{
		"messaging.client.consumed.messages", Counter, "{message}",
		"Messages that were delivered to workers.",
		[]string{operation, destination},
		nil,
	}
	processDuration = &Metric{
		"messaging.process.duration", Histogram, "s",
		"Time that an attempt of a task takes.",
		[]string{operation, destination, task, errorType},
		conventional,
	}
)

// The metrics of dtask.
var (
	attempts = &Metric{
		"dtask.attempts", Counter, "{attempt}",
		"Attempts of tasks, by what became of the message.",
		[]string{destination, task, outcome, errorType},
		nil,
	}
	waitDuration = &Metric{
		"dtask.wait.duration", Histogram, "s",
		"Time from when a message was due until its attempt began.",
		[]string{destination},
		patient,
	}
	foreignMessages = &Metric{
		"dtask.foreign.messages", Counter, "{message}",
		"Deliveries of messages that this build cannot run: the task, or the version of its arguments, is of another one.",
		[]string{destination, task},
		nil,
	}
	running = &Metric{
		"dtask.running", Gauge, "{task}",
		"Tasks that are executed at this moment.",
		[]string{task},
		nil,
	}
	capacity = &Metric{
		"dtask.worker.capacity", Gauge, "{task}",
		"Tasks of a queue that may be executed at a time.",
		[]string{destination},
		nil,
	}
	unrecorded = &Metric{
		"dtask.unrecorded.outcomes", Gauge, "{outcome}",
		"Outcomes that the broker has not recorded yet. Their tasks would run again.",
		nil, nil,
	}
	queueMessages = &Metric{
		"dtask.queue.messages", Gauge, "{message}",
		"Messages of a queue, by state: ready, running, delayed, dead. A state that the broker cannot count is missing.",
		[]string{destination, state},
		nil,
	}
	queueLatency = &Metric{
		"dtask.queue.latency", Gauge, "s",
		"For how long the oldest message that is due has waited, where the broker can tell.",
		[]string{destination},
		nil,
	}
	queuePaused = &Metric{
		"dtask.queue.paused", Gauge, "",
		"1 while the queue is paused.",
		[]string{destination},
		nil,
	}
	queueOrphaned = &Metric{
		"dtask.queue.orphaned", Gauge, "{message}",
		"Messages of a queue that no worker consumes, looked for every few minutes.",
		[]string{destination},
		nil,
	}
	outboxMessages = &Metric{
		"dtask.outbox.messages", Gauge, "{message}",
		"Messages of committed transactions that wait in the outbox, by the broker that they are for.",
		[]string{place},
		nil,
	}
	outboxLatency = &Metric{
		"dtask.outbox.latency", Gauge, "s",
		"For how long the oldest message of the outbox has waited.",
		[]string{place},
		nil,
	}
	brokerUp = &Metric{
		"dtask.broker.up", Gauge, "",
		"1 if the broker answered the last question for the state of its queues.",
		nil, nil,
	}
	brokerConnections = &Metric{
		"dtask.broker.connections", Counter, "{connection}",
		"Connections to the broker that were opened. More of them than at the start means that some were lost.",
		nil, nil,
	}
)

// Crashes is what only a supervisor knows.
var Crashes = &Metric{
	"dtask.worker.crashes", Counter, "{process}",
	"Processes of a supervisor that have died, and were not told to end.",
	nil, nil,
}

// Recorded are the metrics that a [Sink] is told of, as they happen.
var Recorded = []*Metric{operationDuration, sentMessages, consumedMessages, processDuration, attempts, waitDuration, foreignMessages}

// Read are the metrics that [Meter.Read] yields.
var Read = []*Metric{running, capacity, unrecorded, queueMessages, queueLatency, queuePaused, queueOrphaned, outboxMessages, outboxLatency, brokerUp, brokerConnections}
