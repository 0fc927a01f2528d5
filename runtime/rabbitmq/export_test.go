package rabbitmq

// Watched reports whether somebody waits for the outcome of a message, and is
// told of what is new.
func (b *Broker) Watched(id string) bool {
	b.waiting.mu.Lock()
	defer b.waiting.mu.Unlock()
	t := b.waiting.tail
	return t != nil && isClosed(t.ready) && !isClosed(t.ended) && len(t.watchers[id]) > 0
}
