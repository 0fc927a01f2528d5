package broker

import (
	"context"
	"time"
)

// A Catalogue is the capability to know the tasks of worker programs, for those who
// enqueue without being in Go.
type Catalogue interface {
	// Catalogue enters the tasks of a process that starts. Of several versions of the
	// arguments of a task the one entered last is the present one.
	Catalogue(ctx context.Context, tasks []CatalogueTask) error
}

// A CatalogueTask is what is needed to enqueue a task.
type CatalogueTask struct {
	Name     string
	Schema   string // the fingerprint of its arguments
	Shape    []byte // what the arguments must have, in JSON; nil if only Go can check them
	Queue    string
	Priority Priority
	Attempts int
	Keep     time.Duration
}
