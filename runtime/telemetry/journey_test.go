package telemetry_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/telemetry"
)

var (
	orderTask   = define("mail.Order", "mail")
	invoiceTask = define("print.Invoice", "print")
)

// journey follows one order: a request delays a task, which fails once, and then delays
// another one.
func journey(s *system) (request, sendOrder, sendInvoice tracetest.SpanStub, orders, invoices tracetest.SpanStubs) {
	t := s.t
	tracer := s.provider.Tracer("web")
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, span := tracer.Start(dtask.NewContext(r.Context(), s.client), "POST /orders")
		defer span.End()
		if _, err := orderTask.Delay(ctx, args{"42"}, dtask.In(100*time.Millisecond)); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	defer web.Close()
	s.work(dtask.Table{
		bind(orderTask, func(ctx context.Context, text string) error {
			if info, _ := dtask.InfoFromContext(ctx); info.Attempt == 1 {
				return dtask.RetryAfter(50*time.Millisecond, errors.New("the printer is away"))
			}
			s.client.Logger().InfoContext(ctx, "printing")
			_, err := invoiceTask.Delay(ctx, args{text}, dtask.In(100*time.Millisecond))
			return err
		}),
		bind(invoiceTask, func(context.Context, string) error { return nil }),
	})
	answer, err := http.Post(web.URL, "", nil)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(answer, err)
	}
	answer.Body.Close()
	invoices = s.spans("process print", 1)
	orders = s.spans("process mail", 2)
	return s.spans("POST /orders", 1)[0], s.spans("send mail", 1)[0], s.spans("send print", 1)[0], orders, invoices
}

// linked reports whether a span has one link, to the other.
func linked(span, to tracetest.SpanStub) bool {
	return len(span.Links) == 1 && span.Links[0].SpanContext.SpanID() == to.SpanContext.SpanID() &&
		span.Links[0].SpanContext.TraceID() == to.SpanContext.TraceID()
}

// A trace leads by links from the request to the last task.
func TestJourneyByLinks(t *testing.T) {
	onEachBroker(t, func(t *testing.T, url string) {
		s := newSystem(t, url)
		request, sendOrder, sendInvoice, orders, invoices := journey(s)
		if sendOrder.Parent.SpanID() != request.SpanContext.SpanID() {
			t.Error("what the request sends is no child of it")
		}
		for i, order := range orders {
			if !linked(order, sendOrder) || order.Parent.IsValid() {
				t.Errorf("attempt %d has links %v and parent %v, want a link to what sent it", i+1, order.Links, order.Parent)
			}
		}
		if sendInvoice.Parent.SpanID() != orders[1].SpanContext.SpanID() {
			t.Error("what the second attempt sends is no child of it")
		}
		if !linked(invoices[0], sendInvoice) {
			t.Errorf("the last task has links %v", invoices[0].Links)
		}
		first := attributesOf(orders[0])
		if first["dtask.outcome"].AsString() != "retried" || first["error.type"].AsString() != "*errors.errorString" || first["dtask.delay"].AsFloat64() != 0.05 {
			t.Errorf("first attempt: %v", orders[0].Attributes)
		}
		for _, text := range []string{"printing", "task done"} {
			if id := orders[1].SpanContext.TraceID().String(); !logged(s.log.String(), text, id) {
				t.Errorf("no line %q has trace %s:\n%s", text, id, s.log)
			}
		}
	})
}

// logged reports whether a line has both.
func logged(text, line, trace string) bool {
	for l := range strings.Lines(text) {
		if strings.Contains(l, line) && strings.Contains(l, `"trace_id":"`+trace) {
			return true
		}
	}
	return false
}

// With Parent one trace has all of it.
func TestJourneyInOneTrace(t *testing.T) {
	onEachBroker(t, func(t *testing.T, url string) {
		s := newSystem(t, url, telemetry.Parent(time.Minute))
		request, sendOrder, sendInvoice, orders, invoices := journey(s)
		for _, step := range append(tracetest.SpanStubs{sendOrder, sendInvoice}, append(orders, invoices...)...) {
			if step.SpanContext.TraceID() != request.SpanContext.TraceID() {
				t.Errorf("%s is not in the trace of the request", step.Name)
			}
		}
		for _, order := range orders {
			if order.Parent.SpanID() != sendOrder.SpanContext.SpanID() || len(order.Links) > 0 {
				t.Errorf("an attempt has parent %v and links %v", order.Parent, order.Links)
			}
		}
	})
}

// A message that is too old for Parent has a trace of its own, as have two tasks that
// one worker runs.
func TestOldMessagesHaveTheirOwnTrace(t *testing.T) {
	onEachBroker(t, func(t *testing.T, url string) {
		s := newSystem(t, url, telemetry.Parent(time.Nanosecond))
		_, sendOrder, _, orders, invoices := journey(s)
		ids := map[trace.TraceID]bool{sendOrder.SpanContext.TraceID(): true}
		for _, step := range append(orders, invoices...) {
			ids[step.SpanContext.TraceID()] = true
		}
		if len(ids) != 4 || !linked(orders[0], sendOrder) {
			t.Errorf("%d traces, want 4: one for the request and one for each attempt", len(ids))
		}
	})
}

// A dead letter that is retried still leads to what sent it.
func TestDeadLetterKeepsItsTrace(t *testing.T) {
	onEachBroker(t, func(t *testing.T, url string) {
		s := newSystem(t, url)
		if _, err := orderTask.Delay(s.ctx(), args{"42"}); err != nil {
			t.Fatal(err)
		}
		s.work(dtask.Table{bind(orderTask, func(ctx context.Context, _ string) error {
			return dtask.Permanent(errors.New("no such address"))
		})})
		dead := s.spans("process mail", 1)[0]
		if as := attributesOf(dead); as["error.type"].AsString() != "permanent" || as["dtask.outcome"].AsString() != "dead" {
			t.Errorf("dead letter: %v", dead.Attributes)
		}
		admin, err := s.client.Admin()
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; n == 0; {
			if n, err = admin.RetryDead(t.Context(), "mail"); err != nil {
				t.Fatal(err)
			}
		}
		for _, attempt := range s.spans("process mail", 2) {
			if !linked(attempt, s.spans("send mail", 1)[0]) {
				t.Errorf("links %v", attempt.Links)
			}
		}
	})
}

// A schedule begins a trace.
func TestScheduleBeginsATrace(t *testing.T) {
	onEachBroker(t, func(t *testing.T, url string) {
		s := newSystem(t, url)
		bound := bind(orderTask, func(context.Context, string) error { return nil })
		store, err := broker.As[broker.TickStore](s.client.Broker())
		if err != nil {
			t.Fatal(err)
		}
		for err = broker.ErrNotScheduler; err != nil; {
			if _, err = store.LastTick(t.Context(), bound.Name); err != nil && !errors.Is(err, broker.ErrNotScheduler) {
				t.Fatal(err)
			}
		}
		now := time.Now().Truncate(time.Second)
		if _, ticked, err := s.client.Tick(t.Context(), bound, time.Time{}, now); err != nil || !ticked {
			t.Fatal(ticked, err)
		}
		s.work(dtask.Table{bound})
		sent, processed := s.spans("send mail", 1)[0], s.spans("process mail", 1)[0]
		if sent.Parent.IsValid() || !linked(processed, sent) {
			t.Errorf("parent %v, links %v", sent.Parent, processed.Links)
		}
		if tick := attributesOf(processed)["dtask.tick"].AsString(); tick != now.UTC().Format(time.RFC3339) {
			t.Errorf("dtask.tick is %q", tick)
		}
	})
}

func TestLogHandlerAndGroups(t *testing.T) {
	s := newSystem(t, "sqlite:"+t.TempDir()+"/tasks.db")
	ctx, span := s.provider.Tracer("test").Start(t.Context(), "a")
	defer span.End()
	for _, l := range []*slog.Logger{s.client.Logger(), s.client.Logger().With("a", 1), s.client.Logger().With("a", 1).WithGroup("g").With("b", 2)} {
		l.InfoContext(ctx, "said", "c", 3)
		l.Info("said without")
	}
	lines := strings.Split(strings.TrimSpace(s.log.String()), "\n")
	for i, line := range lines[len(lines)-6:] {
		has := strings.Contains(line, `,"trace_id":"`) && strings.Contains(line, `"span_id":"`)
		if has != (i%2 == 0) || i == 4 && !strings.Contains(line, `"g":{"b":2,"c":3}}`) {
			t.Errorf("line %d: %s", i, line)
		}
	}
}
