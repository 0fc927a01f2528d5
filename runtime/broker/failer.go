package broker

// A Failer is a broker that can give up. It does so if its store cannot work any
// more, however often it tries: the file is damaged, say.
type Failer interface {
	// Failed returns a channel that is closed when the broker gives up. From then
	// on all methods return the reason, and the deliveries of consumers end.
	Failed() <-chan struct{}

	// Err returns the reason, nil while the broker works.
	Err() error
}
