package lists

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dashboard"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/operate"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
	_ "github.com/dtaskhq/dtask/runtime/postgres" // postgres:
)

const (
	// outdated is after how long the answers are old that a dashboard has.
	outdated = 1200 * time.Millisecond

	// visits is how often each page is looked at by the same dashboard.
	visits = 6

	// unfinished is in a page that is to be loaded again, as it is not whole.
	unfinished = `http-equiv="refresh"`

	// wholeWithin is how long is waited until a page is whole.
	wholeWithin = time.Minute
)

// many are the tasks that wait, on four queues.
var many = []dtask.Task[letter, dtask.None]{
	send, scale,
	define("mail.Welcome", "mail"), define("images.Crop", "images"),
	define("billing.Charge", "billing"), define("billing.Remind", "billing"),
	define("reports.Build", "reports"), define("reports.Mail", "reports"),
}

// Pages measures how long the dashboard takes for each page, over a broker with so many
// messages that wait, and so many dead letters, while somebody enqueues.
func Pages(ctx context.Context, name, brokerURL string, waiting, dead int, out, log io.Writer) error {
	client, err := dtask.Open(ctx, brokerURL)
	if err != nil {
		return err
	}
	defer client.Close()
	own := dtask.NewContext(ctx, client)
	fmt.Fprintf(log, "%s: %d dead letters…\n", name, dead)
	if err := bury(own, client, dead); err != nil {
		return err
	}
	fmt.Fprintf(log, "%s: %d that wait…\n", name, waiting)
	if err := fill(own, waiting, many...); err != nil {
		return err
	}
	fmt.Fprintf(log, "%s: a week of the journal…\n", name)
	if err := chronicle(ctx, client.Broker()); err != nil {
		return err
	}
	leave, err := present(ctx, client.Broker())
	if err != nil {
		return err
	}
	defer leave()
	looker, err := dtask.Open(ctx, brokerURL) // as another process has it
	if err != nil {
		return err
	}
	defer looker.Close()
	one, err := anyDead(ctx, looker)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s, %d waiting, %d dead\n\n| page | first answer | second | slowest later | whole after |\n|---|---|---|---|---|\n", name, waiting, dead)
	enqueueing, stop := context.WithCancel(own)
	var enqueuer sync.WaitGroup
	var failed error
	enqueuer.Go(func() {
		for enqueueing.Err() == nil {
			if _, err := send.Delay(own, letter{To: "late"}); err != nil {
				failed = err
				return
			}
		}
	})
	for _, path := range []string{
		"", "?span=week", "queues", "messages", "messages?q=queue:mail", "messages?q=task:mail.Send", "messages?q=task:reports.Mail", "messages?q=state:dead",
		"messages?q=args.n:7", "message/" + one, "dead", "dead?q=task:mail.Bounce", "workers", "schedules", "deploy", "catalogue",
		"task?name=example.com%2Fshop%2Fmail.Send", "history",
	} {
		if err = pageTimes(looker, path, out); err != nil {
			err = fmt.Errorf("/%s: %w", path, err)
			break
		}
	}
	stop()
	enqueuer.Wait()
	return errors.Join(err, failed)
}

// pageTimes prints how long a page takes that a dashboard shows first, and then again and
// again, and after which time all was there that belongs to it.
func pageTimes(client *dtask.Client, path string, out io.Writer) error {
	var tables dtask.Table
	for _, t := range many {
		tables = append(tables, t.Bind(nothing))
	}
	board, err := dashboard.New(client, dashboard.Config{Logger: slog.New(slog.DiscardHandler)}, tables)
	if err != nil {
		return err
	}
	defer board.Close()
	var took []time.Duration
	var whole time.Duration
	begun := time.Now()
	for len(took) < visits || whole == 0 && time.Since(begun) < wholeWithin {
		began := time.Now()
		answer := httptest.NewRecorder()
		board.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/"+path, nil))
		if answer.Code != http.StatusOK {
			return fmt.Errorf("status %d", answer.Code)
		}
		if took = append(took, time.Since(began)); whole == 0 && !strings.Contains(answer.Body.String(), unfinished) {
			whole = time.Since(begun)
		}
		time.Sleep(outdated)
	}
	after := fmt.Sprintf("%.1f s", whole.Seconds())
	if whole == 0 {
		after = "over a minute"
	}
	_, err = fmt.Fprintf(out, "| /%s | %.0f ms | %.0f ms | %.0f ms | %s |\n", path, ms(took[0]), ms(took[1]), ms(slices.Max(took[2:])), after)
	return err
}

// crew is of how many workers the registry tells.
const crew = 20

// present keeps entries of workers in the registry that have all of the tasks, until it is
// stopped: without them a dashboard has little to show.
func present(ctx context.Context, b broker.Broker) (stop func(), err error) {
	registry, err := broker.As[broker.Registry](b)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var announcing sync.WaitGroup
	for i := range crew {
		p := broker.Process{
			ID: fmt.Sprint("worker-", i), Host: "host", PID: i + 1, Started: time.Now(), State: broker.ProcessWorking,
			Build: broker.Build{Module: "example.com/shop", Version: fmt.Sprintf("v1.%d.0", i%3)},
		}
		for _, t := range many {
			p.Tasks = append(p.Tasks, broker.ProcessTask{Name: t.Name(), Schema: schema, Queue: t.Spec().Queue})
			if !slices.ContainsFunc(p.Queues, func(q broker.ProcessQueue) bool { return q.Name == t.Spec().Queue }) {
				p.Queues = append(p.Queues, broker.ProcessQueue{Name: t.Spec().Queue, Concurrency: 10})
			}
		}
		announcing.Go(func() {
			for ctx.Err() == nil {
				p.Now = time.Now()
				again, err := registry.Announce(ctx, p)
				if err != nil {
					again = time.Second
				}
				select {
				case <-time.After(again):
				case <-ctx.Done():
				}
			}
		})
	}
	return func() {
		cancel()
		announcing.Wait()
	}, nil
}

// week is how far back the journal goes.
const week = 7 * 24 * time.Hour

// chronicle fills the journal with a week in which each task was done in each minute.
func chronicle(ctx context.Context, b broker.Broker) error {
	journal, err := broker.As[broker.Journal](b)
	if err != nil {
		return err
	}
	batch := broker.Batch{Process: "chronicler", Keep: 2 * week}
	note := func() error {
		batch.Serial++
		_, err := journal.Note(ctx, batch)
		batch.Tallies = batch.Tallies[:0]
		return err
	}
	now := time.Now().Truncate(time.Minute)
	for at := now.Add(-week); at.Before(now); at = at.Add(time.Minute) {
		for _, t := range many {
			tally := broker.Tally{Minute: at, Queue: t.Spec().Queue, Task: t.Name(), Done: 100, Retried: 1}
			for i := range 100 {
				tally.Waited.Add(time.Duration(i) * time.Millisecond)
				tally.Ran.Add(time.Duration(i) * time.Millisecond)
			}
			batch.Tallies = append(batch.Tallies, tally)
		}
		if len(batch.Tallies)+len(many) > broker.MaxBatch {
			if err := note(); err != nil {
				return err
			}
		}
	}
	return note()
}

func nothing(context.Context, letter) (dtask.None, error) { return dtask.None{}, nil }

// anyDead returns the id of a dead letter.
func anyDead(ctx context.Context, client *dtask.Client) (id string, err error) {
	s, err := selection.Parse("state:dead")
	if err != nil {
		return "", err
	}
	for m, err := range operate.New(client.Broker()).Messages(ctx, s, 1) {
		if err != nil {
			return "", err
		}
		id = m.Message.ID
	}
	return id, nil
}
