package rabbitmq_test

import (
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
)

func testStopApp(t *testing.T, n *rabbittest.Node) {
	b := open(t, nodeURL(t, n))
	l := startLoad(t, b, "q")
	l.progress(50)
	n.StopApp()
	l.progress(50)
	l.finish()
}

func testCrash(t *testing.T, n *rabbittest.Node) {
	b := open(t, nodeURL(t, n))
	l := startLoad(t, b, "q")
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(n.Eval(`rabbit_amqqueue:info_all(<<"/">>, [name, messages_ready, messages_unacknowledged, consumers])`))
		}
	})
	for range 2 {
		l.progress(50)
		n.Crash()
		n.Restart()
	}
	l.progress(50)
	l.finish()
}

// The crash of RabbitMQ costs neither the records before it nor the wait.
func testResultAcrossCrash(t *testing.T, n *rabbittest.Node) {
	b := open(t, nodeURL(t, n))
	before, during := kept("work"), kept("work")
	enqueue(t, b, before)
	execute(t, b, "work", 1)
	enqueue(t, b, during)
	result := make(chan error, 1)
	go func() { result <- checkValue(testContext(t), b, during) }()
	eventually(t, func() string { return unwatched(b, during.ID) })
	n.Crash()
	n.Restart()
	execute(t, b, "work", 1)
	if err := <-result; err != nil {
		t.Error(err)
	}
	if err := checkValue(testContext(t), b, before); err != nil {
		t.Error(err)
	}
}

func testConnectionsClosed(t *testing.T, n *rabbittest.Node) {
	b := open(t, nodeURL(t, n))
	l := startLoad(t, b, "q")
	for range 3 {
		l.progress(30)
		n.CloseConnections()
	}
	l.progress(30)
	l.finish()
}
