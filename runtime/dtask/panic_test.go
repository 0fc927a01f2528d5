package dtask_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// A typed nil pointer, as functions return by mistake: its method panics.
type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

// An evilError panics when somebody looks into it.
type evilError struct{}

func (evilError) Error() string { panic("Error") }
func (evilError) Is(error) bool { panic("Is") }
func (evilError) As(any) bool   { panic("As") }

type panickingHandler struct{ slog.Handler }

func (panickingHandler) Enabled(context.Context, slog.Level) bool  { return true }
func (panickingHandler) Handle(context.Context, slog.Record) error { panic("the log handler") }
func (h panickingHandler) WithAttrs([]slog.Attr) slog.Handler      { panic("the log handler") }
func (h panickingHandler) WithGroup(string) slog.Handler           { return h }

type evilResult struct{}

func (evilResult) MarshalJSON() ([]byte, error) { panic("MarshalJSON") }

// What panics in a slot, wherever that is, costs an attempt and nothing else: the
// message is retried, and after its last attempt dead, with the reason. The two
// tasks beside it are done.
func TestPanicAnywhere(t *testing.T) {
	for name, c := range map[string]struct {
		middleware func(next dtask.HandleFunc) dtask.HandleFunc
		run        func(context.Context) error
		log        *slog.Logger
		want       string // what the failure says
	}{
		"middleware before": {
			middleware: func(next dtask.HandleFunc) dtask.HandleFunc {
				return func(ctx context.Context, m *dtask.Message) dtask.Outcome {
					if m.ID == "bad" {
						m.Headers["x"] = "y" // a nil map
					}
					return next(ctx, m)
				}
			},
			want: "assignment to entry in nil map",
		},
		"middleware after": {
			middleware: func(next dtask.HandleFunc) dtask.HandleFunc {
				return func(ctx context.Context, m *dtask.Message) dtask.Outcome {
					o := next(ctx, m)
					if m.ID == "bad" {
						m.Task, m.Attempt = "", 100
						panic("after")
					}
					return o
				}
			},
			want: "after",
		},
		"middleware exits": {
			middleware: func(next dtask.HandleFunc) dtask.HandleFunc {
				return func(ctx context.Context, m *dtask.Message) dtask.Outcome {
					if m.ID == "bad" {
						runtime.Goexit()
					}
					return next(ctx, m)
				}
			},
			want: "runtime.Goexit",
		},
		"middleware returns nothing": {
			middleware: func(next dtask.HandleFunc) dtask.HandleFunc {
				return func(ctx context.Context, m *dtask.Message) dtask.Outcome {
					if m.ID == "bad" {
						return dtask.Outcome{}
					}
					return next(ctx, m)
				}
			},
			want: "middleware returned outcome(0)",
		},
		"middleware retries without a reason": {
			middleware: func(next dtask.HandleFunc) dtask.HandleFunc {
				return func(ctx context.Context, m *dtask.Message) dtask.Outcome {
					if m.ID == "bad" {
						return dtask.Outcome{Kind: dtask.OutcomeRetried}
					}
					return next(ctx, m)
				}
			},
			want: "no error was given",
		},
		"typed nil":  {run: func(context.Context) error { return (*nilError)(nil) }, want: "<nil>"},
		"evil error": {run: func(context.Context) error { return evilError{} }, want: "panic"},
		"panic with an evil error": {
			run:  func(context.Context) error { panic(evilError{}) },
			want: "panic",
		},
		"log handler": {
			run:  func(context.Context) error { return errors.New("bad") },
			log:  slog.New(panickingHandler{}),
			want: "bad",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := dtask.WorkerConfig{Concurrency: 2, Logger: c.log}
				if c.middleware != nil {
					config.Middleware = []dtask.Middleware{c.middleware}
				}
				b := newFakeBroker()
				_, stop := run(t, b, config, dtask.Table{greet.Bind(func(ctx context.Context, _ greetArgs) (dtask.None, error) {
					if info, _ := dtask.InfoFromContext(ctx); info.ID == "bad" && c.run != nil {
						return dtask.None{}, c.run(ctx)
					}
					return dtask.None{}, nil
				})})
				bad := b.deliver("bad")
				b.deliver("good")
				b.deliver("better")
				synctest.Wait()
				for range bad.Attempts - 1 {
					b.deliveries <- &fakeDelivery{b, bad}
					synctest.Wait()
				}
				stop()
				got := b.settlements()
				if strings.Join(got["bad"], " ") != "requeue requeue dead" || strings.Join(got["good"], " ") != "done" || strings.Join(got["better"], " ") != "done" {
					t.Errorf("settled %v", got)
				}
				for _, f := range bad.Failures {
					if !strings.Contains(f.Error, c.want) {
						t.Errorf("failure %+v, want %q", f, c.want)
					}
				}
			})
		})
	}
}

// A panic has its stack among the failures, also one of middleware.
func TestPanicHasStack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeBroker()
		_, stop := run(t, b, dtask.WorkerConfig{Middleware: []dtask.Middleware{func(dtask.HandleFunc) dtask.HandleFunc {
			return func(context.Context, *dtask.Message) dtask.Outcome { panic("ouch") }
		}}}, dtask.Table{greet.Bind(nil)})
		m := &dtask.Message{ID: "m", Task: "pkg.Unknown", Queue: "mail", Attempt: 1, Attempts: 2}
		b.deliveries <- &fakeDelivery{b, m}
		synctest.Wait()
		stop()
		if f := m.Failures; len(f) != 1 || f[0].Kind != broker.FailurePanic || !strings.Contains(f[0].Stack, "TestPanicHasStack") {
			t.Errorf("failures %+v", f)
		}
	})
}

// What an dtask.EnqueueMiddleware does wrong is an error of Delay that says so.
func TestBadEnqueueMiddleware(t *testing.T) {
	for name, c := range map[string]struct {
		middleware dtask.EnqueueMiddleware
		want       string
	}{
		"nil":          {nil, "an EnqueueMiddleware is nil"},
		"nil function": {func(dtask.EnqueueFunc) dtask.EnqueueFunc { return nil }, "returned nil; return a function that calls next"},
		"no results": {func(dtask.EnqueueFunc) dtask.EnqueueFunc {
			return func(context.Context, []*dtask.Message) []error { return nil }
		}, "returned 0 results for"},
		"panic": {func(dtask.EnqueueFunc) dtask.EnqueueFunc {
			return func(context.Context, []*dtask.Message) []error { panic("ouch") }
		}, "panicked: ouch"},
		"too many results": {func(next dtask.EnqueueFunc) dtask.EnqueueFunc {
			return func(ctx context.Context, ms []*dtask.Message) []error { return make([]error, len(ms)+1) }
		}, "results for"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := dtask.NewContext(t.Context(), dtask.NewClient(newFakeBroker()).With(func(next dtask.EnqueueFunc) dtask.EnqueueFunc { return next }).With(c.middleware))
			if _, err := greet.Delay(ctx, greetArgs{}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Delay: %v, want %q", err, c.want)
			}
			_, err := dtask.DelayMany(ctx, greet, make([]greetArgs, 3))
			var batch *dtask.BatchError
			if !errors.As(err, &batch) || len(batch.Errs) != 3 || batch.Errs[2] == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("DelayMany: %v, want %q", err, c.want)
			}
		})
	}
}

// dtask.Middleware of a worker that is nil, or returns nil, is refused at start.
func TestNilMiddleware(t *testing.T) {
	for want, m := range map[string]dtask.Middleware{
		"is nil":       nil,
		"returned nil": func(dtask.HandleFunc) dtask.HandleFunc { return nil },
	} {
		_, err := dtask.NewWorker(dtask.NewClient(newFakeBroker()), dtask.WorkerConfig{Middleware: []dtask.Middleware{m}}, dtask.Table{greet.Bind(nil)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// Arguments that cannot be encoded are an error of Delay, also if they panic.
func TestArgumentsPanic(t *testing.T) {
	task := dtask.Define[evilResult, dtask.None]("pkg.Evil", dtask.Spec{Queue: "q"})
	ctx := dtask.NewContext(t.Context(), dtask.NewClient(newFakeBroker()))
	if _, err := task.Delay(ctx, evilResult{}); err == nil || !strings.Contains(err.Error(), "panic: MarshalJSON") {
		t.Errorf("%v", err)
	}
}

// A task that snoozes for no time is run again after a second, and the log says
// so once; so is a message that middleware hands back.
func TestLeastPause(t *testing.T) {
	for name, c := range map[string]struct {
		pause time.Duration
		hand  bool
	}{"zero": {0, false}, "negative": {-time.Hour, false}, "handed back": {0, true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log strings.Builder
				config := dtask.WorkerConfig{Logger: slog.New(slog.NewTextHandler(&log, nil))}
				if c.hand {
					config.Middleware = []dtask.Middleware{func(dtask.HandleFunc) dtask.HandleFunc {
						return func(context.Context, *dtask.Message) dtask.Outcome {
							return dtask.Outcome{Kind: dtask.OutcomeHandedBack}
						}
					}}
				}
				b := newFakeBroker()
				_, stop := run(t, b, config, dtask.Table{greet.Bind(func(context.Context, greetArgs) (dtask.None, error) {
					return dtask.None{}, dtask.Snooze(c.pause)
				})})
				first, second := b.deliver("first"), b.deliver("second")
				synctest.Wait()
				stop()
				for _, m := range []*dtask.Message{first, second} {
					if pause := time.Until(m.NotBefore); pause < time.Second || m.Attempt != 1 {
						t.Errorf("again in %v at attempt %d", pause, m.Attempt)
					}
				}
				if n := strings.Count(log.String(), "least pause"); n != 1 && !c.hand {
					t.Errorf("said %d times:\n%s", n, &log)
				}
			})
		})
	}
}
