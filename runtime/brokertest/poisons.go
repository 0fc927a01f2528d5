package brokertest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// Several tasks kill their workers, again and again. They become dead letters;
// none of the many that run beside them does.
func testWorkerPoisons(t *testing.T, store Store) {
	for _, poisons := range []int{2, 5} {
		t.Run(fmt.Sprint(poisons), func(t *testing.T) {
			t.Parallel()
			killWithPoisons(t, store(t), poisons, 100)
		})
	}
}

func killWithPoisons(t *testing.T, url string, poisons, harmless int) {
	b := open(t, url)
	ctx := dtask.NewContext(Context(t), dtask.NewClient(b))
	left := make(map[string]bool)
	for i := range harmless {
		text := fmt.Sprintf("neighbour%d", i)
		left[text] = true
		if _, err := define("neighbour", 5).Delay(ctx, noteArgs{text}); err != nil {
			t.Fatal(err)
		}
		if i%(harmless/poisons) == 0 {
			if _, err := define("die", 5).Delay(ctx, noteArgs{"die"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	end := time.After(2 * Patience)
	look := time.NewTicker(time.Second)
	defer look.Stop()
	dead := func() int {
		ds, err := admin(t, b).DeadLetters(Context(t), "work", 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range ds {
			if d.Task != "die" {
				t.Fatalf("a neighbour is among the dead letters: %+v", d)
			}
		}
		return len(ds)
	}
	c := spawn(t, url)
	deaths := 0
	for len(left) > 0 || dead() < poisons {
		select {
		case line, alive := <-c.lines:
			text, _, _ := strings.Cut(line, " ")
			delete(left, text)
			if !alive {
				deaths++
				c = spawn(t, url)
			}
		case <-look.C:
			dead()
		case <-end:
			t.Fatalf("after %d deaths %d neighbours are not done, and %d of %d poisons are dead", deaths, len(left), dead(), poisons)
		}
	}
	t.Logf("%d deaths", deaths)
}
