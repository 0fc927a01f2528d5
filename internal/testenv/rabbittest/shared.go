package rabbittest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/internal/testenv/rabbitnode"
	"github.com/dtaskhq/dtask/internal/testenv/skip"
)

// URL returns the URL of a namespace of the test's own on the shared node. What
// is in it is removed at the end of the test. Without a node the test is
// skipped.
func URL(t testing.TB) string {
	t.Helper()
	u := shared(t)
	name := unique()
	u.RawQuery = url.Values{"namespace": {name}}.Encode()
	if rabbitnode.Attached() != nil {
		t.Cleanup(func() { Eval(t, fmt.Sprintf(removeNamespace, name)) })
	}
	return u.String()
}

// removeNamespace removes all queues and exchanges whose names begin with the
// namespace. Thousands of idle queues would slow down the other tests: RabbitMQ
// looks after each of them every five seconds.
const removeNamespace = `
Mine = fun(Resource) -> string:prefix(element(4, Resource), <<%q>>) =/= nomatch end,
Delete = fun(Queue) -> rabbit_amqqueue:delete(Queue, false, false, <<"guest">>) end,
[rabbit_amqqueue:with(Name, Delete) || Name <- rabbit_amqqueue:list_names(<<"/">>), Mine(Name)],
Exchanges = [element(2, X) || X <- rabbit_exchange:list(<<"/">>)],
[rabbit_exchange:delete(Name, false, <<"guest">>) || Name <- Exchanges, Mine(Name)],
ok`

// Namespace returns the namespace of a URL that [URL] has returned.
func Namespace(t testing.TB, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("namespace")
}

// Within returns the URL of another namespace of the same test: its name is the
// given one after that of url.
func Within(t testing.TB, raw, name string) string {
	t.Helper()
	return strings.Replace(raw, Namespace(t, raw), Namespace(t, raw)+name, 1)
}

// Channel returns a channel of the bare client, to look behind the scenes.
func Channel(t testing.TB, raw string) *amqp.Channel {
	t.Helper()
	conn, err := amqp.Dial(raw)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// VHostURL is [URL] with a virtual host of the test's own, and its name: for
// tests that tell connections and channels apart by it. It costs a hundred times
// more.
func VHostURL(t testing.TB) (raw, vhost string) {
	t.Helper()
	u := shared(t)
	if rabbitnode.Attached() == nil {
		skip.Test(t, "the RabbitMQ to test with was not started by testenv, which is needed to make virtual hosts; use: make test")
	}
	vhost = unique()
	Eval(t, fmt.Sprintf(addVHost, vhost))
	t.Cleanup(func() { Eval(t, fmt.Sprintf(`rabbit_vhost:delete(<<%q>>, <<"guest">>)`, vhost)) })
	u.Path = "/" + vhost
	return u.String(), vhost
}

const addVHost = `
rabbit_vhost:add(<<%[1]q>>, <<"guest">>),
rabbit_auth_backend_internal:set_permissions(<<"guest">>, <<%[1]q>>, <<".*">>, <<".*">>, <<".*">>, <<"guest">>)`

// shared returns the URL of the shared node.
func shared(t testing.TB) *url.URL {
	t.Helper()
	raw := os.Getenv(rabbitnode.EnvURL)
	if raw == "" {
		skip.Test(t, rabbitnode.EnvURL+" is not set: no RabbitMQ to test with; use: make test")
	}
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal("the value of " + rabbitnode.EnvURL + " is not a URL")
	}
	return u
}

func unique() string { return "test_" + strings.ToLower(rand.Text()[:10]) }

// Eval evaluates an Erlang expression in the shared node, see [rabbitnode.Node.Eval].
func Eval(t testing.TB, expression string) string {
	t.Helper()
	return eval(t, rabbitnode.Attached(), expression)
}

func eval(t testing.TB, n *rabbitnode.Node, expression string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	value, err := n.Eval(ctx, expression)
	if err != nil {
		t.Fatal(err)
	}
	return value
}
