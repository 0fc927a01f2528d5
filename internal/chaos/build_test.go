//go:build unix

package chaos

import (
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
		tr.require(tr.finish(), allowance{dead: nobodys})
	})
}
