package broker

// A Failer is the capability to give up: to notice that the store can no longer do
// its work, whatever is tried and however long, such as a damaged file.
type Failer interface {
	// Failed returns a channel that is closed when the broker gives up. From then
	// on all methods return the reason, and the deliveries of consumers end.
	Failed() <-chan struct{}

	// Err returns the reason, nil while the broker works.
	Err() error
}
