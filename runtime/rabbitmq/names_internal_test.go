package rabbitmq

import (
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/limit"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// Every name and every routing key fits into what AMQP can carry, and no two
// schedules share a queue.
func TestNamesFit(t *testing.T) {
	n := names{strings.Repeat("n", limit.MaxNamespace)}
	queue := strings.Repeat("q", broker.MaxQueueName)
	task := strings.Repeat("t", broker.MaxTaskName-1)
	all := []string{
		n.pauses(), n.cancelled(), n.registry(), n.control(), n.results(), n.arrival(), n.lost(), n.watch(), n.level(levels - 1), n.lock(n.level(0)),
		n.schedule(task + "1"), n.schedule(task + "2"), n.schedule("a/mail.Nightly"), n.schedule("b/mail.Nightly"),
	}
	for _, c := range []class{classHigh, classDefault, classLow, classDue, classQuarantine, classDead} {
		name := n.queue(c, queue)
		all = append(all, name, n.lock(name), n.exactly(name, 100*time.Hour).key)
	}
	seen := make(map[string]bool)
	for _, name := range all {
		if len(name) > maxName {
			t.Errorf("%d bytes: %s", len(name), name)
		}
		if !strings.HasPrefix(name, n.namespace+".") && !strings.HasPrefix(name, "0.") {
			t.Errorf("not of the namespace: %s", name)
		}
		if seen[name] {
			t.Errorf("there are two of %s", name)
		}
		seen[name] = true
	}
}
