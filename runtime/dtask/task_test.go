package dtask_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/dtasktest"
)

type greetArgs struct {
	Name string `json:"name"`
}

var greet = dtask.Define[greetArgs, dtask.None]("pkg.Greet", dtask.Spec{
	Queue:   "mail",
	Retries: 2,
	Backoff: time.Second,
	Schema:  "name string",
})

func bindGreet(fn func(ctx context.Context, name string) error) dtask.Table {
	return dtask.Table{greet.Bind(func(ctx context.Context, a greetArgs) (dtask.None, error) {
		return dtask.None{}, fn(ctx, a.Name)
	})}
}

func TestDelayFindsItsClient(t *testing.T) {
	if _, err := greet.Delay(t.Context(), greetArgs{"x"}); !errors.Is(err, dtask.ErrNoClient) {
		t.Fatalf("without a client: %v", err)
	}
	// The client of an Open that failed.
	dtask.SetDefault(nil)
	for _, ctx := range []context.Context{t.Context(), dtask.NewContext(t.Context(), nil)} {
		_, err := greet.Delay(ctx, greetArgs{"x"})
		_, manyErr := dtask.DelayMany(ctx, greet, []greetArgs{{"x"}})
		_, waitErr := greet.Handle("x").Wait(ctx)
		for _, err := range []error{err, manyErr, waitErr} {
			if !errors.Is(err, dtask.ErrNoClient) || !strings.Contains(err.Error(), "check the error of dtask.Open") {
				t.Errorf("with the client nil: %v", err)
			}
		}
	}
	process, request := dtasktest.NewRecorder(), dtasktest.NewRecorder()
	dtask.SetDefault(process.Client())
	defer dtask.SetDefault(nil)
	for i, ctx := range []context.Context{t.Context(), request.Context(t.Context())} {
		if _, err := greet.Delay(ctx, greetArgs{fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if got := dtasktest.Delayed(t, process, greet); !reflect.DeepEqual(got, []greetArgs{{"0"}}) {
		t.Errorf("on the default client: %v", got)
	}
	if got := dtasktest.Delayed(t, request, greet); !reflect.DeepEqual(got, []greetArgs{{"1"}}) {
		t.Errorf("on the client of the context: %v", got)
	}
}

func TestOptions(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	r := dtasktest.NewRecorder()
	ctx := dtask.NewContext(t.Context(), dtasktest.WithClock(r.Client(), func() time.Time { return now }))
	plain := dtask.Message{
		Task: "pkg.Greet", Queue: "mail", Body: []byte(`{"name":"x"}`), Schema: "name string",
		Attempt: 1, Attempts: 3, EnqueuedAt: now,
	}
	for _, c := range []struct {
		name    string
		options []dtask.Option
		change  func(*dtask.Message)
	}{
		{"none", nil, func(*dtask.Message) {}},
		{"Delay", []dtask.Option{dtask.In(time.Minute)}, func(m *dtask.Message) { m.NotBefore = now.Add(time.Minute) }},
		{"At", []dtask.Option{dtask.At(now.Add(5))}, func(m *dtask.Message) { m.NotBefore = now.Add(5) }},
		{"Expires", []dtask.Option{dtask.Expires(now.Add(9))}, func(m *dtask.Message) { m.Expires = now.Add(9) }},
		{"Queue", []dtask.Option{dtask.Queue("other")}, func(m *dtask.Message) { m.Queue = "other" }},
		{"Priority", []dtask.Option{dtask.Priority(dtask.PriorityLow)}, func(m *dtask.Message) { m.Priority = dtask.PriorityLow }},
		{"Retries", []dtask.Option{dtask.Retries(0)}, func(m *dtask.Message) { m.Attempts = 1 }},
		{"ID", []dtask.Option{dtask.ID("order-7")}, func(m *dtask.Message) { m.ID = "order-7" }},
		{"Header", []dtask.Option{dtask.Header("a", "1"), dtask.Header("b", "2")}, func(m *dtask.Message) {
			m.Headers = map[string]string{"a": "1", "b": "2"}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.Reset()
			h, err := greet.Delay(ctx, greetArgs{"x"}, c.options...)
			if err != nil {
				t.Fatal(err)
			}
			want := plain
			want.ID = h.ID
			c.change(&want)
			if got := r.Messages()[0]; !reflect.DeepEqual(*got, want) {
				t.Errorf("enqueued\n%+v, want\n%+v", *got, want)
			}
		})
	}
}

func TestDelayRefuses(t *testing.T) {
	r := dtasktest.NewRecorder()
	ctx := r.Context(t.Context())
	for _, c := range []struct {
		args    greetArgs
		options []dtask.Option
		is      error
		says    string
	}{
		{greetArgs{strings.Repeat("x", dtask.MaxBodySize)}, nil, dtask.ErrTooLarge, "1048587 bytes of arguments, at most 1048576; store the data and pass its key"},
		{greetArgs{}, []dtask.Option{dtask.Queue("e mail")}, nil, `queue name "e mail": use 1 to 100 letters`},
		{greetArgs{}, []dtask.Option{dtask.Retries(-1)}, nil, "retries -1: use 0 to 1000000"},
		{greetArgs{}, []dtask.Option{dtask.Retries(math.MaxInt32)}, nil, "retries 2147483647: use 0 to 1000000"},
		{greetArgs{}, []dtask.Option{dtask.Retries(math.MaxInt)}, nil, "use 0 to 1000000"},
		{greetArgs{}, []dtask.Option{dtask.At(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))}, nil, "use a time up to the year 9999"},
		{greetArgs{}, []dtask.Option{dtask.Expires(time.Unix(1<<62, 0))}, nil, "use a time up to the year 9999"},
		{greetArgs{}, []dtask.Option{dtask.ID("")}, nil, "give it 1 to 100"},
		{greetArgs{}, []dtask.Option{dtask.Priority(7)}, nil, "priority(7): use PriorityLow"},
	} {
		_, err := greet.Delay(ctx, c.args, c.options...)
		var ee *dtask.EnqueueError
		if !errors.As(err, &ee) || ee.Task != "pkg.Greet" || !strings.Contains(err.Error(), c.says) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("error %v, want one that says %q", err, c.says)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("error of several lines: %q", err)
		}
	}
	if n := len(r.Messages()); n != 0 {
		t.Errorf("%d messages enqueued all the same", n)
	}
}

func TestDelayMany(t *testing.T) {
	r := dtasktest.NewRecorder()
	ctx := r.Context(t.Context())
	handles, err := dtask.DelayMany(ctx, greet, []greetArgs{{"a"}, {"b"}})
	if err != nil || len(handles) != 2 || handles[0].ID == handles[1].ID {
		t.Fatalf("handles %v, error %v", handles, err)
	}
	if got := dtasktest.Delayed(t, r, greet); !reflect.DeepEqual(got, []greetArgs{{"a"}, {"b"}}) {
		t.Errorf("enqueued %v", got)
	}

	// The same id for both: the second of the batch fails, and only it.
	r.Reset()
	_, err = dtask.DelayMany(ctx, greet, []greetArgs{{"a"}, {"b"}}, dtask.ID("one"))
	var batch *dtask.BatchError
	if !errors.As(err, &batch) || batch.Errs[0] != nil || !errors.Is(batch.Errs[1], dtask.ErrDuplicate) || !errors.Is(err, dtask.ErrDuplicate) {
		t.Fatalf("error %v", err)
	}
	if want := "1 of 2 messages were not enqueued, the first at index 1: dtask: enqueue pkg.Greet (one): "; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %q, want %q…", err, want)
	}
}

// Elements that cannot be sent do not keep back the others, and the error says
// which they are. A mistake of the call is one error, and nothing is enqueued.
func TestDelayManyRefuses(t *testing.T) {
	measure := dtask.Define[measureArgs, dtask.None]("pkg.Measure", dtask.Spec{Queue: "lab", Schema: "at string, value float64"})
	args := []measureArgs{{"a", 1}, {"b", math.NaN()}, {strings.Repeat("c", dtask.MaxBodySize), 3}, {"d", 4}}
	r := dtasktest.NewRecorder()
	ctx := r.Context(t.Context())
	handles, err := dtask.DelayMany(ctx, measure, args)
	var batch *dtask.BatchError
	if !errors.As(err, &batch) || len(batch.Errs) != 4 || batch.Errs[0] != nil || batch.Errs[3] != nil {
		t.Fatalf("error %v, want one for each of the two in the middle", err)
	}
	if e := batch.Errs[1]; e == nil || !strings.Contains(e.Error(), "dtask: enqueue pkg.Measure: arguments cannot be encoded") {
		t.Errorf("not a number: error %v", e)
	}
	if e := batch.Errs[2]; !errors.Is(e, dtask.ErrTooLarge) {
		t.Errorf("too large: error %v", e)
	}
	if want := "2 of 4 messages were not enqueued, the first at index 1: "; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %q, want %q…", err, want)
	}
	if got := dtasktest.Delayed(t, r, measure); !reflect.DeepEqual(got, []measureArgs{args[0], args[3]}) {
		t.Errorf("enqueued %v", got)
	}
	sent := r.Messages()
	if len(handles) != 4 || handles[0].ID != sent[0].ID || handles[3].ID != sent[1].ID || handles[1].ID != "" || handles[2].ID != "" {
		t.Errorf("handles %v", handles)
	}

	r.Reset()
	handles, err = dtask.DelayMany(ctx, measure, args, dtask.Queue("e mail"))
	if errors.As(err, &batch) || !errors.As(err, new(*dtask.EnqueueError)) || !strings.Contains(err.Error(), "e mail") || handles != nil || len(r.Messages()) != 0 {
		t.Errorf("a wrong option: handles %v, error %v, enqueued %v", handles, err, r.Messages())
	}
}

type measureArgs struct {
	At    string  `json:"at"`
	Value float64 `json:"value"`
}

// With IgnoreDuplicate a message whose id is stored already is no error, and the
// one that is stored stays. Other errors are errors.
func TestIgnoreDuplicate(t *testing.T) {
	r := dtasktest.NewRecorder()
	ctx := r.Context(t.Context())
	for _, name := range []string{"a", "b"} {
		h, err := greet.Delay(ctx, greetArgs{name}, dtask.ID("one"), dtask.IgnoreDuplicate())
		if err != nil || h.ID != "one" {
			t.Errorf("%s: handle of %q, error %v", name, h.ID, err)
		}
	}
	if handles, err := dtask.DelayMany(ctx, greet, []greetArgs{{"c"}, {"d"}}, dtask.ID("one"), dtask.IgnoreDuplicate()); err != nil || len(handles) != 2 {
		t.Errorf("many: handles %v, error %v", handles, err)
	}
	if got := dtasktest.Delayed(t, r, greet); !reflect.DeepEqual(got, []greetArgs{{"a"}}) {
		t.Errorf("enqueued %v, want the first alone", got)
	}
	if _, err := greet.Delay(ctx, greetArgs{"e"}, dtask.ID("one")); !errors.Is(err, dtask.ErrDuplicate) {
		t.Errorf("without the option: %v, want ErrDuplicate", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := greet.Delay(ended, greetArgs{"f"}, dtask.ID("two"), dtask.IgnoreDuplicate()); !errors.Is(err, context.Canceled) {
		t.Errorf("in a context that has ended: %v, want its error", err)
	}
}

func TestEnqueueMiddleware(t *testing.T) {
	r := dtasktest.NewRecorder()
	var order []string
	trace := func(name string) dtask.EnqueueMiddleware {
		return func(next dtask.EnqueueFunc) dtask.EnqueueFunc {
			return func(ctx context.Context, ms []*dtask.Message) []error {
				order = append(order, name)
				for _, m := range ms {
					m.SetHeader(name, m.Task)
				}
				return next(ctx, ms)
			}
		}
	}
	ctx := dtask.NewContext(t.Context(), r.Client().With(trace("a"), trace("b")))
	if _, err := greet.Delay(ctx, greetArgs{"x"}); err != nil {
		t.Fatal(err)
	}
	if _, err := dtask.DelayMany(ctx, greet, []greetArgs{{"y"}, {"z"}}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"a", "b", "a", "b"}; !reflect.DeepEqual(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
	for _, m := range r.Messages() {
		if m.Headers["a"] != "pkg.Greet" || m.Headers["b"] != "pkg.Greet" {
			t.Errorf("headers %v", m.Headers)
		}
	}
}

func TestInline(t *testing.T) {
	var ran []string
	boom := errors.New("boom")
	c := dtasktest.NewInline(bindGreet(func(ctx context.Context, name string) error {
		info, ok := dtask.InfoFromContext(ctx)
		if !ok || info.Task != "pkg.Greet" || info.Attempt != 1 {
			t.Errorf("info %+v, %v", info, ok)
		}
		ran = append(ran, name)
		if name == "nested" {
			_, err := greet.Delay(ctx, greetArgs{"inner"}) // the client comes with the context
			return err
		}
		if name == "bad" {
			return boom
		}
		return nil
	}))
	ctx := dtask.NewContext(t.Context(), c)
	if _, err := greet.Delay(ctx, greetArgs{"nested"}, dtask.In(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := greet.Delay(ctx, greetArgs{"bad"}); !errors.Is(err, boom) {
		t.Errorf("error %v, want that of the task", err)
	}
	if want := []string{"nested", "inner", "bad"}; !reflect.DeepEqual(ran, want) {
		t.Errorf("ran %v, want %v", ran, want)
	}
	other := dtask.Define[greetArgs, dtask.None]("pkg.Other", dtask.Spec{Queue: "mail"})
	if _, err := other.Delay(ctx, greetArgs{}); err == nil || !strings.Contains(err.Error(), "no table passed to NewInline has task") {
		t.Errorf("unbound task: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for url, says := range map[string]string{
		"":                        "is empty",
		"tasks.db":                "has no scheme",
		"amqp://u:s3cret@host/":   `import _ "github.com/dtaskhq/dtask/runtime/rabbitmq"`,
		"redis://u:s3cret@host/0": `no broker for URL scheme "redis"`,
	} {
		_, err := dtask.Open(t.Context(), url)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("Open(%q): %v, want %q and no password", url, err, says)
		}
	}
}

type sum struct {
	N int64 `json:"n"`
}

var add = dtask.Define[sum, int64]("pkg.Add", dtask.Spec{Queue: "math", Schema: "n int64"})

func TestResultInline(t *testing.T) {
	ctx := dtask.NewContext(t.Context(), dtasktest.NewInline(dtask.Table{
		add.Bind(func(_ context.Context, a sum) (int64, error) { return a.N + 1, nil }),
	}))
	h, err := add.Delay(ctx, sum{1 << 60}, dtask.Keep(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := add.Handle(h.ID).Wait(ctx); got != 1<<60+1 || err != nil {
		t.Errorf("result %d, %v", got, err)
	}
	if _, err := greet.Handle(h.ID).Wait(ctx); err == nil || !strings.Contains(err.Error(), "it is a task pkg.Add, not pkg.Greet") {
		t.Errorf("result of another task: %v", err)
	}
	h, err = add.Delay(ctx, sum{1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Wait(ctx); !errors.Is(err, dtask.ErrNoResult) {
		t.Errorf("result that was not kept: %v", err)
	}
	if _, err := add.Delay(ctx, sum{1}, dtask.Keep(-1)); err == nil || !strings.Contains(err.Error(), "keep -1ns") {
		t.Errorf("negative Keep: %v", err)
	}
}

// A task whose result cannot be kept is dead: nobody could learn the result.
func TestResultThatDoesNotEncode(t *testing.T) {
	half := dtask.Define[sum, float64]("pkg.Half", dtask.Spec{Queue: "math", Retries: 5})
	ctx := dtask.NewContext(t.Context(), dtasktest.NewInline(dtask.Table{
		half.Bind(func(context.Context, sum) (float64, error) { return math.NaN(), nil }),
	}))
	if _, err := half.Delay(ctx, sum{}); err != nil {
		t.Errorf("nobody asked for the result: %v", err)
	}
	if _, err := half.Delay(ctx, sum{}, dtask.Keep(time.Hour)); err == nil || !strings.Contains(err.Error(), "executed, but its result cannot be encoded") {
		t.Errorf("error %v", err)
	}
}
