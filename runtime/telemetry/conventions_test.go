package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/telemetry"
)

// conventions are the attributes of messaging spans, by the semantic conventions of
// OpenTelemetry (docs/messaging/messaging-spans.md of version 1.44): those that every
// span must have, and those that it may have.
var (
	required = map[attribute.Key]attribute.Type{
		"messaging.system":         attribute.STRING,
		"messaging.operation.name": attribute.STRING,
	}
	permitted = map[attribute.Key]attribute.Type{
		"messaging.operation.type":                attribute.STRING,
		"messaging.destination.name":              attribute.STRING,
		"messaging.destination.template":          attribute.STRING,
		"messaging.destination.anonymous":         attribute.BOOL,
		"messaging.destination.temporary":         attribute.BOOL,
		"messaging.destination.partition.id":      attribute.STRING,
		"messaging.destination.subscription.name": attribute.STRING,
		"messaging.consumer.group.name":           attribute.STRING,
		"messaging.batch.message_count":           attribute.INT64,
		"messaging.message.id":                    attribute.STRING,
		"messaging.message.conversation_id":       attribute.STRING,
		"messaging.message.body.size":             attribute.INT64,
		"messaging.message.envelope.size":         attribute.INT64,
		"messaging.client.id":                     attribute.STRING,
		"error.type":                              attribute.STRING,
		"server.address":                          attribute.STRING,
		"server.port":                             attribute.INT64,
		"network.peer.address":                    attribute.STRING,
		"network.peer.port":                       attribute.INT64,
	}
	own = map[attribute.Key]attribute.Type{
		"dtask.task":     attribute.STRING,
		"dtask.schema":   attribute.STRING,
		"dtask.attempt":  attribute.INT64,
		"dtask.attempts": attribute.INT64,
		"dtask.outcome":  attribute.STRING,
		"dtask.delay":    attribute.FLOAT64,
		"dtask.tick":     attribute.STRING,
	}
	kinds = map[string][]trace.SpanKind{
		"create":  {trace.SpanKindProducer},
		"send":    {trace.SpanKindProducer, trace.SpanKindClient},
		"process": {trace.SpanKindConsumer},
	}
)

// conforms reports what is wrong with a span.
func conforms(t *testing.T, span tracetest.SpanStub) {
	t.Helper()
	as := attributesOf(span)
	for k := range required {
		if as[k].AsString() == "" {
			t.Errorf("%s lacks %s", span.Name, k)
		}
	}
	for _, a := range span.Attributes {
		want, ok := required[a.Key]
		for _, list := range []map[attribute.Key]attribute.Type{permitted, own} {
			if w, has := list[a.Key]; has {
				want, ok = w, true
			}
		}
		if !ok || a.Value.Type() != want {
			t.Errorf("%s: %s of %v is not of the conventions", span.Name, a.Key, a.Value.Type())
		}
	}
	operation := as["messaging.operation.name"].AsString()
	if want := strings.TrimSpace(operation + " " + as["messaging.destination.name"].AsString()); span.Name != want {
		t.Errorf("span %q, want %q", span.Name, want)
	}
	if !slices.Contains(kinds[operation], span.SpanKind) {
		t.Errorf("%s is a span of kind %v", span.Name, span.SpanKind)
	}
	if (as["error.type"].AsString() != "") != (span.Status.Code == codes.Error) && !slices.Contains([]string{"handed back", "cancelled"}, as["dtask.outcome"].AsString()) {
		t.Errorf("%s has error.type %q and status %v", span.Name, as["error.type"].AsString(), span.Status)
	}
}

type coded int

func (c coded) Error() string { return fmt.Sprintf("code %d", int(c)) }

// Each outcome has its span, and each span is one of the conventions.
func TestSpansConform(t *testing.T) {
	onEachBroker(t, func(t *testing.T, address string) {
		s := newSystem(t, address)
		outcomes := define("mail.Outcomes", "mail")
		expired, batch, foreign := define("mail.Expired", "late"), define("mail.Batch", "many"), define("mail.Foreign", "mail")
		kinds := []string{"done", "typed", "joined", "panic", "snooze", "permanent", "cancel"}
		for _, kind := range kinds {
			if _, err := outcomes.Delay(s.ctx(), args{kind}); err != nil {
				t.Fatal(err)
			}
		}
		for _, delay := range []func() error{
			func() error {
				_, err := expired.Delay(s.ctx(), args{}, dtask.Expires(time.Now().Add(-time.Hour)))
				return err
			},
			func() error {
				_, err := dtask.DelayMany(s.ctx(), batch, []args{{"1"}, {"2"}, {"3"}}, dtask.In(time.Hour))
				return err
			},
			func() error { _, err := foreign.Delay(s.ctx(), args{}); return err },
		} {
			if err := delay(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := outcomes.Delay(s.ctx(), args{}, dtask.Priority(7)); err == nil {
			t.Error("a wrong message was enqueued")
		}
		canceled, cancel := context.WithCancel(s.ctx())
		cancel()
		if _, err := outcomes.Delay(canceled, args{}, dtask.Queue("gone")); err == nil {
			t.Error("a message was enqueued with a context that has ended")
		}
		s.work(dtask.Table{
			bind(outcomes, func(ctx context.Context, kind string) error {
				info, _ := dtask.InfoFromContext(ctx)
				if info.Attempt > 1 {
					return nil
				}
				switch kind {
				case "cancel":
					if err := (dtask.Handle[dtask.None]{ID: info.ID}).Cancel(ctx); err != nil {
						return err
					}
					<-ctx.Done()
					return fmt.Errorf("no page was printed: %w", ctx.Err())
				case "typed":
					return fmt.Errorf("no answer: %w", fmt.Errorf("again: %w", coded(7)))
				case "joined":
					return errors.Join(&url.Error{Op: "get", Err: coded(7)}, coded(8))
				case "panic":
					panic("oh")
				case "snooze":
					return dtask.Snooze(time.Hour)
				case "permanent":
					return dtask.Permanent(coded(9))
				}
				return nil
			}),
			bind(expired, func(context.Context, string) error { return nil }),
		})
		found := make(map[string]int)
		for _, span := range append(s.spans("process mail", 11), s.spans("process late", 1)...) {
			as := attributesOf(span)
			found[as["dtask.outcome"].AsString()+" "+as["error.type"].AsString()]++
			if stack := len(span.Events) > 0 && hasStack(span); stack != (as["error.type"].AsString() == "panic") {
				t.Errorf("%v: a stack is there: %v", span.Attributes, stack)
			}
		}
		want := map[string]int{
			"done ": 4, "retried telemetry_test.coded": 1, "retried *url.Error": 1, "retried panic": 1,
			"snoozed ": 1, "dead permanent": 1, "dead expired": 1, "handed back foreign": 1, "cancelled cancelled": 1,
		}
		if fmt.Sprint(found) != fmt.Sprint(want) {
			t.Errorf("outcomes and error.types:\n%v, want\n%v", found, want)
		}
		if gone := attributesOf(s.spans("send gone", 1)[0])["error.type"].AsString(); gone != "canceled" {
			t.Errorf("error.type %q of an enqueue whose context has ended", gone)
		}
		sent := s.spans("send many", 1)[0]
		if creates := s.spans("create many", 3); len(sent.Links) != 3 || !slices.ContainsFunc(creates, func(c tracetest.SpanStub) bool {
			return c.SpanContext.SpanID() == sent.Links[0].SpanContext.SpanID()
		}) {
			t.Errorf("the batch has links %v", sent.Links)
		}
		for _, span := range s.exporter.GetSpans() {
			conforms(t, span)
		}
		server := attributesOf(sent)["server.address"].AsString()
		if isFile := strings.HasPrefix(address, "sqlite"); isFile != (server == "") {
			t.Errorf("server.address %q", server)
		}
	})
}

func hasStack(span tracetest.SpanStub) bool {
	return slices.ContainsFunc(span.Events[0].Attributes, func(a attribute.KeyValue) bool { return a.Key == "exception.stacktrace" })
}

// Without spans for each message, all have the context of the batch.
func TestBatchWithoutCreateSpans(t *testing.T) {
	onEachBroker(t, func(t *testing.T, url string) {
		s := newSystem(t, url, telemetry.WithoutCreateSpans())
		batch := define("mail.Batch", "many")
		if _, err := dtask.DelayMany(s.ctx(), batch, []args{{"1"}, {"2"}}); err != nil {
			t.Fatal(err)
		}
		s.work(dtask.Table{bind(batch, func(context.Context, string) error { return nil })})
		sent := s.spans("send many", 1)[0]
		if sent.SpanKind != trace.SpanKindProducer {
			t.Errorf("kind %v", sent.SpanKind)
		}
		for _, span := range s.spans("process many", 2) {
			if !linked(span, sent) {
				t.Errorf("links %v", span.Links)
			}
		}
		s.spans("create many", 0)
	})
}
