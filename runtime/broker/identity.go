package broker

// Identified is the capability of a broker to say what it is, for traces and metrics.
type Identified interface {
	// Identity tells what is known at this moment. It asks nobody, so it is cheap.
	Identity() Identity
}

// An Identity says which system keeps the messages, and where it is.
type Identity struct {
	// System is the name that the conventions of OpenTelemetry have for it:
	// rabbitmq, postgresql, sqlite.
	System string

	// Host and Port are those of the server that messages are published to. They are
	// empty if there is none, or no connection to it.
	Host string
	Port int

	// Store names where the messages are. It is the same in all processes that have
	// them, whatever way their URLs take there, and after a restart; two namespaces
	// have two. It is empty if the broker cannot tell.
	Store string

	// Connections counts the connections that were opened so far. More of them than
	// at the start means that some were lost.
	Connections int64
}
