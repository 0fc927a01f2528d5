package rabbitmq

import (
	"context"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// A connection may be alive and of no use: in a network partition with RabbitMQ's
// default cluster_partition_handling, a node of the minority goes on to serve its
// clients, and delivers nothing. Who waits for messages cannot tell that from an
// empty queue. So a session on which nothing has come for a while has to prove that
// its host works: it consumes a queue that is always empty, which needs the queue's
// leader and a majority of its replicas. Publishing would prove the same, but while
// there is an alarm RabbitMQ blocks every connection that publishes.

const (
	// silence is how long nothing may come before a session has to prove that it
	// works; it is looked at every proofTick.
	silence   = 30 * time.Second
	proofTick = 10 * time.Second

	// proofTimeout is how long the proof may take.
	proofTimeout = 15 * time.Second
)

// declareProof declares the queue by which sessions prove that they work.
func (t *topology) declareProof(ctx context.Context, s *session) error {
	return s.Declare(ctx, func(ch *amqp.Channel) error {
		return declareQueue(ch, t.proof(), amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum})
	})
}

// prove returns an error if the host of a session does not do its work.
func (t *topology) prove(ctx context.Context, s *session) error {
	ctx, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	err := s.consumeInVain(ctx, t.proof())
	if isCode(err, amqp.NotFound) { // somebody has deleted it
		if err = t.declareProof(ctx, s); err == nil {
			err = s.consumeInVain(ctx, t.proof())
		}
	}
	if err != nil {
		return fmt.Errorf("%s %w: queue %s cannot be consumed (%w); %s", s.host, errUseless, t.proof(), err, leaderless(t.proof()))
	}
	return nil
}

// consumeInVain consumes a queue for a moment.
func (s *session) consumeInVain(ctx context.Context, queue string) error {
	ch, err := s.Channel(ctx)
	if err != nil {
		return err
	}
	defer func() { go ch.Close() }()
	_, err = within(ctx, func() (struct{}, error) { return struct{}{}, ch.Consume(queue, "proof", 1, "") }, nil)
	return err
}

// proveAlways has a session prove that it works whenever nothing has come for a
// while. If it does not, the session is ended. It is not asked if there is no better
// host, unless it has failed before and nothing has come since.
func (l *link) proveAlways(s *session) {
	tick := time.NewTicker(proofTick)
	defer tick.Stop()
	heard, since := s.Heard(), time.Now()
	for {
		select {
		case <-tick.C:
		case <-s.Done():
			return
		}
		if now := s.Heard(); now != heard {
			heard, since = now, time.Now()
			l.hosts.works(s.host)
		}
		again := l.hosts.useless(s.host) != nil && !l.hosts.doubtful(s.host)
		if time.Since(since) < silence || !again && !l.hosts.better(s.host) {
			continue
		}
		switch err := l.proof.prove(l.ctx, s); {
		case err == nil:
			l.hosts.works(s.host)
		case s.Heard() == heard:
			s.End(err)
			return
		}
		since = time.Now()
	}
}
