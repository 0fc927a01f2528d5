// Package lists measures what operators look at in a large SQLite file: pages of messages,
// selections by an argument, and counts, while somebody enqueues.
package lists

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/operate"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
	_ "github.com/dtaskhq/dtask/runtime/sqlite" // sqlite:
)

// page is how many messages a page has.
const page = 100

// rounds is how often each look is made; the median counts. Nothing takes a pause.
const (
	rounds = 9
	pause  = 200 * time.Millisecond
)

type letter struct {
	To string `json:"to"`
	N  int    `json:"n"`
}

// schema is the fingerprint of all arguments here.
const schema = "0123456789abcdef"

func define(name, queue string) dtask.Task[letter, dtask.None] {
	return dtask.Define[letter, dtask.None]("example.com/shop/"+name, dtask.Spec{Queue: queue, Schema: schema})
}

// Two tasks wait on two queues, and one has died on each.
var (
	send, scale    = define("mail.Send", "mail"), define("images.Scale", "images")
	fail, failMore = define("mail.Bounce", "mail"), define("images.Break", "images")
)

// Run measures with so many messages that wait, and so many dead letters.
func Run(ctx context.Context, dir string, waiting, dead int, out, log io.Writer) error {
	url := "sqlite:" + filepath.Join(dir, "lists.db")
	client, err := dtask.Open(ctx, url)
	if err != nil {
		return err
	}
	defer client.Close()
	own := dtask.NewContext(ctx, client)
	fmt.Fprintf(log, "%d dead letters…\n", dead)
	if err := bury(own, client, dead); err != nil {
		return err
	}
	fmt.Fprintf(log, "%d that wait…\n", waiting)
	if err := fill(own, waiting, send, scale); err != nil {
		return err
	}
	looker, err := broker.Open(ctx, url, broker.Config{}) // as another process has it
	if err != nil {
		return err
	}
	defer looker.Close()
	fmt.Fprintf(out, "\n| look at | %d waiting, %d dead | the longest Delay meanwhile |\n|---|---|---|\n", waiting, dead)
	for _, l := range looks(waiting, dead) {
		if err := measure(own, operate.New(looker), l, out); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	return nil
}

// A look is what an operator asks for.
type look struct {
	name string
	do   func(context.Context, *operate.Operator) (found int, err error)
	want int // -1: any number
}

func looks(waiting, dead int) []look {
	list := func(text string, limit int) func(context.Context, *operate.Operator) (int, error) {
		return func(ctx context.Context, o *operate.Operator) (n int, err error) {
			s, err := selection.Parse(text)
			for _, listErr := range o.Messages(ctx, s, limit) {
				err = errors.Join(err, listErr)
				n++
			}
			return n, err
		}
	}
	return []look{
		{"nothing, for comparison", func(context.Context, *operate.Operator) (int, error) { time.Sleep(pause); return 0, nil }, 0},
		{"a page of 100", list("", page), page},
		{"… of `queue:mail`", list("queue:mail", page), page},
		{"… of `task:mail.*`, which stand behind the others", list("task:mail.*", page), page},
		{"… of `task:images.*`", list("task:images.*", page), page},
		{"… of `state:dead`", list("state:dead", page), page},
		{"… of `state:dead error~timeout`", list("state:dead error~timeout", page), page},
		{"`state:dead args.n:7`, among all dead letters", list("state:dead args.n:7", 0), 2},
		{"`counts state:dead`", func(ctx context.Context, o *operate.Operator) (n int, err error) {
			s, err := selection.Parse("state:dead")
			if err != nil {
				return 0, err
			}
			counts, err := o.Counts(ctx, s)
			for _, c := range counts {
				n += c.Messages
			}
			return n, err
		}, dead},
		{"`dead retry args.n:7`, the plan of it", func(ctx context.Context, o *operate.Operator) (int, error) {
			s, err := selection.Parse("state:dead args.n:7")
			if err != nil {
				return 0, err
			}
			p, err := o.Plan(ctx, s, operate.Retry)
			if err != nil {
				return 0, err
			}
			return p.Messages, nil
		}, 2},
		{"`queues`", func(ctx context.Context, o *operate.Operator) (n int, err error) {
			states, err := o.Queues(ctx)
			for _, s := range states {
				n += s.Ready
			}
			return n, err
		}, -1},
	}
}

// measure looks several times, while somebody enqueues one task after the other, and
// prints the median and how long the slowest of these took.
func measure(ctx context.Context, o *operate.Operator, l look, out io.Writer) error {
	var took []time.Duration
	var longest atomic.Int64
	var failed error
	enqueueing, stop := context.WithCancel(ctx)
	var enqueuer sync.WaitGroup
	enqueuer.Go(func() {
		for enqueueing.Err() == nil {
			start := time.Now()
			if _, err := send.Delay(ctx, letter{To: "late"}); err != nil {
				failed = err
				return
			}
			longest.Store(max(longest.Load(), int64(time.Since(start))))
		}
	})
	for range rounds {
		start := time.Now()
		n, err := l.do(ctx, o)
		took = append(took, time.Since(start))
		if err == nil && l.want >= 0 && n != l.want {
			err = fmt.Errorf("found %d, want %d", n, l.want)
		}
		if err != nil {
			stop()
			enqueuer.Wait()
			return err
		}
	}
	stop()
	enqueuer.Wait()
	slices.Sort(took)
	_, err := fmt.Fprintf(out, "| %s | %.1f ms | %.1f ms |\n", l.name, ms(took[len(took)/2]), ms(time.Duration(longest.Load())))
	return errors.Join(err, failed)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// fill enqueues so many messages, one half of each task.
func fill(ctx context.Context, n int, tasks ...dtask.Task[letter, dtask.None]) error {
	const batch = 1000
	for _, t := range tasks {
		for i := 0; i < n/len(tasks); i += batch {
			letters := make([]letter, min(batch, n/len(tasks)-i))
			for j := range letters {
				letters[j] = letter{To: "somebody@example.com", N: i + j}
			}
			if _, err := dtask.DelayMany(ctx, t, letters); err != nil {
				return err
			}
		}
	}
	return nil
}

// bury makes dead letters.
func bury(ctx context.Context, client *dtask.Client, n int) error {
	if err := fill(ctx, n, fail, failMore); err != nil {
		return err
	}
	var left atomic.Int64
	left.Store(int64(n))
	done := make(chan struct{})
	die := func(_ context.Context, l letter) (dtask.None, error) {
		if left.Add(-1) == 0 {
			close(done)
		}
		if l.N%3 == 0 {
			return dtask.None{}, dtask.Permanent(errors.New("no answer: timeout"))
		}
		return dtask.None{}, dtask.Permanent(errors.New("no such user"))
	}
	worker, err := dtask.NewWorker(client, dtask.WorkerConfig{Concurrency: 100, Logger: slog.New(slog.DiscardHandler)},
		dtask.Table{fail.Bind(die), failMore.Bind(die)})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(running) }()
	<-done
	stop()
	return <-ended
}
