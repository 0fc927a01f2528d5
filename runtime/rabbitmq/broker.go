package rabbitmq

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/internal/orders"
	"github.com/dtaskhq/dtask/runtime/internal/safelog"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/results"
)

func init() {
	open := func(ctx context.Context, url string, c broker.Config) (broker.Broker, error) {
		return Open(ctx, url, c)
	}
	broker.Register("amqp", open)
	broker.Register("amqps", open)
}

// A Broker is a [broker.Broker] on RabbitMQ. Get one from [Open], or use it through
// dtask.Open.
type Broker struct {
	config     *config
	log        *slog.Logger
	topology   *topology
	publishing *link
	consuming  *link // also for what operators ask
	scheduling *link // started by the first schedule
	recording  *link // to streams, of results and of the journal; started by the first record
	waiting    *link // for results, and reads the journal; started by the first wait
	results    *results.Reader
	clerk      *clerk

	// maxMessage is the largest message the server takes, in bytes, once it
	// has refused one; else 0.
	maxMessage atomic.Int64

	announcements atomic.Int64 // of processes so far
	chronicles    chronicles   // what is known of the journal

	controls  controls
	listeners orders.Listeners // for orders

	newChannels newChannels // for messages that were refused

	// warned is when a line was logged last that queues refuse messages, in Unix
	// seconds.
	warned atomic.Int64

	browsing chan struct{} // a mutex: one queue is browsed at a time

	alone  func(context.Context) (release func()) // nil, or see Among
	gating chan struct{}                          // a mutex: who has it says what passes the gate

	registering sync.WaitGroup // entries of queues in the registry

	mu        sync.Mutex
	consumers map[*consumer]struct{}
	gate      int32              // what passes, see gate.go
	unwatch   context.CancelFunc // ends watchSuspects
	watching  sync.WaitGroup

	rescuing   sync.WaitGroup
	stopRescue context.CancelFunc // nil while there are no consumers
}

// Open connects to the RabbitMQ that url names. It tries until ctx ends. It fails
// at once if it is of no use to try again, as with a wrong password.
func Open(ctx context.Context, url string, bc broker.Config) (*Broker, error) {
	c, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	b := &Broker{
		config:    c,
		log:       safelog.New(bc.Logger),
		topology:  newTopology(c.namespace),
		browsing:  make(chan struct{}, 1),
		gating:    make(chan struct{}, 1),
		consumers: make(map[*consumer]struct{}),
	}
	b.topology.register = b.register
	b.clerk = newClerk(b)
	hosts := newHosts(c.hosts)
	b.publishing = newLink(c, hosts, b.log, "publishing", openPublisher)
	b.consuming = newLink(c, hosts, b.log, "consuming", b.listen)
	b.scheduling = newLink(c, hosts, b.log, "scheduling", b.openSchedules)
	b.recording = newLink(c, hosts, b.log, "recording", openPublisher)
	b.waiting = newLink(c, hosts, b.log, "waiting", func(context.Context, *session) error { return nil })
	for _, l := range []*link{b.consuming, b.scheduling, b.waiting} {
		l.proof = b.topology
	}
	b.results = results.NewReader(b.topology.results(), func(ctx context.Context, e codec.Envelope) error {
		return b.publish(ctx, b.record(e))
	})
	if err := b.publishing.start(ctx); err != nil {
		b.publishing.close()
		return nil, err
	}
	return b, nil
}

// Close implements broker.Broker.
func (b *Broker) Close() error {
	b.mu.Lock()
	b.rescueWhile(false)
	b.mu.Unlock()
	b.rescuing.Wait()
	b.waiting.close()
	b.scheduling.close()
	b.consuming.close()
	b.recording.close()
	b.clerk.close()
	b.publishing.close()
	b.registering.Wait()
	b.watching.Wait()
	return nil
}
