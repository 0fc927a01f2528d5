package dashboard_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
	"github.com/dtaskhq/dtask/runtime/dashboard"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// An open page is sent again when something has happened, and ends with the dashboard.
func TestLive(t *testing.T) {
	t.Parallel()
	w := onSQLite(t)
	r, err := http.Get(w.page + "live/queues")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if kind := r.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatalf("type %s", kind)
	}
	pages := make(chan string)
	go func() {
		defer close(pages)
		page := ""
		for lines := bufio.NewScanner(r.Body); lines.Scan(); {
			if line, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				page += line + "\n"
			} else {
				pages <- page
				page = ""
			}
		}
	}()
	w.says(<-pages, "There is no queue yet.")
	w.serve(shop)
	w.send("ana@exmaple.com")
	for page := range pages {
		if missing(page, "Nothing waits.", "mail 1 worker", "0 of 10", "0 1") == "" {
			break
		}
	}
	w.board.Close()
	brokertest.Eventually(t, func() string {
		select {
		case _, ok := <-pages:
			if !ok {
				return ""
			}
		default:
		}
		return "the page is still open"
	})
}

// A counted broker has queues, of which it is asked only when the test says so.
type countedBroker struct {
	broker.Broker
	broker.Admin
	asked  atomic.Int64
	answer chan struct{}
}

func (b *countedBroker) Queues(ctx context.Context) ([]broker.QueueState, error) {
	b.asked.Add(1)
	select {
	case <-b.answer:
		return []broker.QueueState{{Queue: "mail", Ready: 7}}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// However many pages are open, the broker is asked once.
func TestOneQuestion(t *testing.T) {
	t.Parallel()
	b := &countedBroker{answer: make(chan struct{})}
	board, err := dashboard.New(dtask.NewClient(b), dashboard.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer board.Close()
	board.Wait(5 * time.Second)
	const pages = 100
	texts := make(chan string, pages)
	var begun sync.WaitGroup
	begun.Add(pages)
	for range pages {
		go func() {
			w := httptest.NewRecorder()
			begun.Done()
			board.ServeHTTP(w, httptest.NewRequest("GET", "/queues", nil))
			texts <- w.Body.String()
		}()
	}
	begun.Wait()
	brokertest.Eventually(t, func() string {
		if b.asked.Load() == 0 {
			return "it was not asked"
		}
		return ""
	})
	b.answer <- struct{}{} // to one
	for range pages {
		if text := <-texts; !strings.Contains(text, "7 wait in 1 queue.") && !strings.Contains(seen(text), "has not answered") {
			t.Fatalf("a page says %s", seen(text))
		}
	}
	if n := b.asked.Load(); n > 2 { // a page that came late may have been the first to ask again
		t.Errorf("%d pages asked %d times", pages, n)
	}
}

// A page does not wait for a broker that takes long: it comes at once, says so, and has
// the answer when that is there.
func TestSlowBroker(t *testing.T) {
	t.Parallel()
	b := &countedBroker{answer: make(chan struct{})}
	board, err := dashboard.New(dtask.NewClient(b), dashboard.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer board.Close()
	get := func(path string) string {
		w := httptest.NewRecorder()
		board.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d", path, w.Code)
		}
		return w.Body.String()
	}
	for _, path := range []string{"/", "/queues"} {
		page := get(path)
		if complaint := missing(page, "The broker is still being asked"); complaint != "" {
			t.Error(complaint)
		}
		if !strings.Contains(page, `<noscript><meta http-equiv="refresh"`) {
			t.Error("without script the page stays as it is")
		}
	}
	close(b.answer)
	brokertest.Eventually(t, func() string { return missing(get("/queues"), "7 wait in 1 queue.") })
}
