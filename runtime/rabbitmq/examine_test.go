package rabbitmq_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/rabbitnode"
	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
)

// The management API of a real node tells of policies, permissions and alarms; without
// it, that they are not known is said, and a password never is.
func TestExamine(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	node := rabbittest.StartNode(t, rabbitnode.Options{Plugins: []string{"rabbitmq_management"}, Config: fmt.Sprintf("management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = %d\n", port)})
	b := open(t, node.URL())
	for _, q := range []string{"mail", "images"} {
		brokertest.Enqueue(t, b, brokertest.Message(q))
	}
	examiner := any(b).(broker.Examiner)
	states := func(url string) map[string]string {
		found := make(map[string]string)
		for _, f := range examiner.Examine(brokertest.Context(t), url) {
			if strings.Contains(f.Text+f.Do, "hunter2") {
				t.Errorf("a password is shown: %+v", f)
			}
			found[f.Check] += f.State + " " + f.Text + "\n"
		}
		return found
	}
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	if got := states(""); !strings.HasPrefix(got["policies"], "unknown") || !strings.HasPrefix(got["permissions"], "ok") {
		t.Errorf("by AMQP alone: %v", got)
	}
	if got := states("amqp://x:hunter2@localhost"); !strings.HasPrefix(got["policies"], "unknown") {
		t.Errorf("of a wrong URL: %v", got)
	}
	if got := states(fmt.Sprintf("http://guest:hunter2@127.0.0.1:%d", port)); !strings.HasPrefix(got["policies"], "unknown") || !strings.HasPrefix(got["nodes"], "unknown") {
		t.Errorf("with a wrong password: %v", got)
	}
	brokertest.Eventually(t, func() string { // it hears of queues with a delay
		if got := states(url); !strings.HasPrefix(got["policies"], "ok") || !strings.HasPrefix(got["nodes"], "ok") || strings.Contains(got["permissions"], "problem") {
			return fmt.Sprintf("with nothing wrong: %v", got)
		}
		return ""
	})
	if out, err := node.Ctl(t.Context(), "set_policy", "ttl", `^dtask\.queue\.images$`, `{"message-ttl":3600000}`); err != nil {
		t.Fatal(err, out)
	}
	node.MemoryAlarm(true)
	defer node.MemoryAlarm(false)
	brokertest.Eventually(t, func() string {
		got := states(url)
		if !strings.Contains(got["policies"], `problem policy "ttl" on dtask.queue.images has message-ttl`) || strings.Contains(got["policies"], "mail") || !strings.Contains(got["nodes"], "too little memory") {
			return fmt.Sprintf("with a policy and an alarm: %v", got)
		}
		return ""
	})
}
