package broker

import "context"

// An Examiner is a broker that can look at its own settings for what often goes wrong.
type Examiner interface {
	// Examine looks. management is the URL of what tells more of the server than the
	// broker itself can, or empty: for RabbitMQ http://USER:PASSWORD@HOST:15672.
	// What cannot be told is a finding, too.
	Examine(ctx context.Context, management string) []Finding
}

// A Finding is what a check says.
type Finding struct {
	Check string `json:"check"`
	State string `json:"state"` // ok, warning, problem, or unknown if the broker cannot tell
	Text  string `json:"text"`
	Do    string `json:"do"` // what to do about it
}

// The states of a finding.
const (
	FindingOK      = "ok"
	FindingWarning = "warning"
	FindingProblem = "problem"
	FindingUnknown = "unknown"
)
