//go:build unix

package chaos

import (
	"strings"
	"testing"
	"time"
)

// T14: while a new build is rolled out, workers of the old one meet tasks that
// they do not know. They hand them back; a worker of the new build executes
// them. What no build knows ends among the dead letters.
func TestMixedBuilds(t *testing.T) {
	onBrokers(t, "T14 mixed builds", func(tr *trial) {
		const nobodys = 20
		old := crew{Concurrency: 5, Old: true, KeepUnknown: time.Hour}
		tr.work(tr.url, 2, old)
		each := load{Callers: 8, Count: scale(300, 5_000), Pause: 5 * time.Millisecond}
		for _, task := range []string{plain.Name(), newer.Name()} {
			l := each
			l.Task = task
			tr.produce(tr.url, l)
		}
		tr.produce(tr.url, load{Task: nobody.Name(), Callers: 1, Count: nobodys})
		tr.await("the old build has executed something", func(r *record) bool { return len(r.runs) >= 100 })
		for i, w := range tr.workers {
			tr.dismiss(w)
			tr.workers[i] = tr.hire(tr.url, crew{Concurrency: 5, KeepUnknown: 5 * time.Second})
		}
		again := 0
		if strings.HasPrefix(tr.url, "amqp") {
			// On a busy machine RabbitMQ may lose an acknowledgement of a worker that stops:
			// its channel keeps some to itself, and ends with them (ackGrace in runtime/rabbitmq).
			again = len(tr.workers)
		}
		tr.require(tr.finish(), allowance{dead: nobodys, duplicated: again})
	})
}

// T16: three builds are rolled out one after the other, each with other signatures,
// while producers of all of them enqueue, also with delays, and workers are killed.
// Each task runs with the value that it was given.
func TestChangedSignatures(t *testing.T) {
	onBrokers(t, "T16 changed signatures", func(tr *trial) {
		const concurrency = 5
		build := func(n int) crew { return crew{Concurrency: concurrency, Build: n, KeepUnknown: time.Hour} }
		produce := func(n int) {
			tr.produce(tr.url, load{
				Callers: 4, Count: scale(400, 8_000), Pause: 10 * time.Millisecond,
				Delayed: 20, MaxDelay: scale(5*time.Second, 2*time.Minute), Build: n,
			})
		}
		tr.work(tr.url, 3, build(1))
		produce(1)
		kills := 0
		for n := 2; n <= 3; n++ {
			done := len(tr.record.runs)
			tr.await("the build before has executed something", func(r *record) bool { return len(r.runs) >= done+50 })
			produce(n) // before its workers: those of the build before hand back what it sends
			for i, w := range tr.workers {
				if i == 1 {
					w.kill()
					kills++
				} else {
					tr.dismiss(w)
				}
				tr.workers[i] = tr.hire(tr.url, build(n))
				tr.workers[i].awaitReady()
			}
		}
		tr.workers[2].kill()
		kills++
		tr.workers[2] = tr.hire(tr.url, build(3))
		tr.require(tr.finish(), allowance{duplicated: kills * (2*concurrency + burst)})
	})
}
