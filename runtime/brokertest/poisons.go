package brokertest

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// Several tasks kill their workers, again and again, in several processes and two
// queues. They become dead letters; none of the many that run beside them does.
func testWorkerPoisons(t *testing.T, store Store) {
	cases := []struct{ poisons, processes int }{{2, 1}, {5, 2}}
	if os.Getenv("DTASK_CHAOS") == "long" { // each takes minutes
		cases = append(cases, []struct{ poisons, processes int }{{5, 1}, {10, 1}, {5, 3}}...)
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%d in %d", c.poisons, c.processes), func(t *testing.T) {
			t.Parallel()
			killWithPoisons(t, store(t), c.poisons, c.processes, 100)
		})
	}
}

func killWithPoisons(t *testing.T, url string, poisons, processes, harmless int) {
	b := open(t, url)
	ctx := dtask.NewContext(Context(t), dtask.NewClient(b))
	queues := []string{"work", "more"}
	neighbours, deadly := []string{"neighbour", "neighbour2"}, []string{"die", "die2"}
	left := make(map[string]bool)
	for i := range harmless {
		text := fmt.Sprintf("neighbour%d", i)
		left[text] = true
		if _, err := defineOn(queues[i%2], neighbours[i%2], 5).Delay(ctx, noteArgs{text}); err != nil {
			t.Fatal(err)
		}
		if n := i / (harmless / poisons); i%(harmless/poisons) == 0 {
			if _, err := defineOn(queues[n%2], deadly[n%2], 5).Delay(ctx, noteArgs{"die"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	end := time.After(2 * Patience)
	look := time.NewTicker(time.Second)
	defer look.Stop()
	dead := func() (n int) {
		for i, q := range queues {
			ds, err := admin(t, b).DeadLetters(Context(t), q, 1000)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range ds {
				if d.Task != deadly[i] {
					t.Fatalf("a neighbour is among the dead letters: %+v", d)
				}
			}
			n += len(ds)
		}
		return n
	}
	lines, died := make(chan string, 1000), make(chan struct{}, processes)
	run := func() {
		c := spawn(t, url)
		go func() {
			for line := range c.lines {
				lines <- line
			}
			died <- struct{}{}
		}()
	}
	for range processes {
		run()
	}
	deaths := 0
	for len(left) > 0 || dead() < poisons {
		select {
		case line := <-lines:
			text, _, _ := strings.Cut(line, " ")
			delete(left, text)
		case <-died:
			deaths++
			run()
		case <-look.C:
		case <-end:
			t.Fatalf("after %d deaths %d neighbours are not done, and %d of %d poisons are dead", deaths, len(left), dead(), poisons)
		}
	}
	t.Logf("%d deaths", deaths)
}
