package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/internal/schema"
	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// catalogued returns what a worker enters for a task with these fields.
func catalogued(t *testing.T, name string, lines ...string) broker.CatalogueTask {
	t.Helper()
	s, err := schema.Parse(lines)
	if err != nil {
		t.Fatal(err)
	}
	return broker.CatalogueTask{Name: name, Schema: s.Fingerprint(), Shape: s.Shape(), Queue: "work", Priority: broker.PriorityHigh, Attempts: 4, Keep: time.Hour}
}

// A sqlSide is a program that is not in Go.
type sqlSide struct {
	*testing.T
	conn   *pgx.Conn
	schema string
}

// delay calls the function, and returns the id, or the message of the error.
func (s sqlSide) delay(args string) string {
	s.Helper()
	var id string
	err := s.conn.QueryRow(s.Context(), "SELECT "+s.schema+".dtask_delay("+args+")").Scan(&id)
	if err != nil {
		return err.Error()
	}
	return id
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// schemaOf returns the schema that a URL names.
func schemaOf(url string) string {
	_, name, _ := strings.Cut(url, "schema=")
	return name
}

// The function says what is wrong with its arguments, and enqueues nothing then.
func TestSQLDelayRefuses(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	b := open(t, url)
	side := sqlSide{t, connect(t, postgrestest.Server(t)), schemaOf(url)}
	if err := b.Catalogue(brokertest.Context(t), []broker.CatalogueTask{
		catalogued(t, "acme.org/shop/mail.Send", "to string", "user *User", "copies []string", "at [2]int", "ages map[string]int", "note string, may be absent", "User.id int64", "User.friends []*User"),
		catalogued(t, "acme.org/shop/mail.Wipe"), catalogued(t, "acme.org/bank/mail.Wipe"),
		{Name: "acme.org/shop/mail.Own", Schema: "by hand", Queue: "work", Attempts: 1},
	}); err != nil {
		t.Fatal(err)
	}
	const fine = `"copies":[], "at":[1,2], "ages":{}`
	for call, want := range map[string]string{
		`'mail.Sent'`:       `no worker has ever had the task 'mail.Sent'`,
		`NULL`:              `no worker has ever had the task NULL`,
		`'mail.Wipe'`:       `mail.Wipe is the end of several names: acme.org/bank/mail.Wipe, acme.org/shop/mail.Wipe`,
		`'shop/mail.Own'`:   `acme.org/shop/mail.Own: its arguments have a type that only Go can check`,
		`'mail.Send'`:       ` is missing`,
		`'mail.Send', '[]'`: `args is of the kind array; give it object`,
		`'mail.Send', NULL`: `arguments or delay are NULL`,
		`'mail.Send', '{"to":7,"user":null,` + fine + `}'`:                             `args.to is of the kind number; give it string`,
		`'mail.Send', '{"to":null,"user":null,` + fine + `}'`:                          `args.to is of the kind null; give it string`,
		`'mail.Send', '{"to":"a","usr":null,` + fine + `}'`:                            `args has no field usr; it has ages, at, copies, note, to, user`,
		`'mail.Send', '{"to":"a","user":{},` + fine + `}'`:                             `args.user.`,
		`'mail.Send', '{"to":"a","user":{"id":1,"friends":[{"id":2}]},` + fine + `}'`:  `args.user.friends[0].friends is missing`,
		`'mail.Send', '{"to":"a","user":null,"copies":[1],"at":[1,2],"ages":{}}'`:      `args.copies[0] is of the kind number; give it string`,
		`'mail.Send', '{"to":"a","user":null,"copies":[],"at":[1],"ages":{}}'`:         `args.at has 1 elements; give it 2`,
		`'mail.Send', '{"to":"a","user":null,"copies":[],"at":[1,2],"ages":{"x":""}}'`: `args.ages.x is of the kind string; give it number`,
		`'shop/mail.Wipe', '{"x":1}'`:                                                  `args has no field x; it has none`,
		`'shop/mail.Wipe', queue => 'a b'`:                                             `queue name 'a b': use 1 to 100 letters`,
		`'shop/mail.Wipe', id => ''`:                                                   `the id has 0 bytes`,
		`'shop/mail.Wipe', delay => '9000 years'`:                                      `ends after the year 9999`,
		`'shop/mail.Wipe', jsonb_build_object('x', repeat('x', 1048576))`:              `bytes of arguments, at most 1048576`,
	} {
		if got := side.delay(call); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", call, got, want)
		}
	}
	if s := brokertest.State(t, b, "work"); s.Ready > 0 {
		t.Errorf("%+v", s)
	}
	if id := side.delay(`'shop/mail.Wipe', id => 'mine'`); id != "mine" {
		t.Error(id)
	}
	if got := side.delay(`'shop/mail.Wipe', id => 'mine'`); !strings.Contains(got, "a message with the id 'mine' is there already") {
		t.Error(got)
	}
}

type greeting struct {
	To    string `json:"to"`
	Times int    `json:"times"`
}

// What a trigger enqueues runs, with the fingerprint that it was checked against: of two
// versions the one that the newest process has, or the one that fits. The trigger's user
// has no privilege on the tables of dtask.
func TestSQLDelayByTrigger(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	b := open(t, url)
	ctx := brokertest.Context(t)
	owner, name := connect(t, postgrestest.Server(t)), schemaOf(url)
	old, now := catalogued(t, "acme.org/shop.Greet", "to string"), catalogued(t, "acme.org/shop.Greet", "to string", "times int")
	for _, version := range []broker.CatalogueTask{now, old, now} { // the old one is rolled back
		if err := b.Catalogue(ctx, []broker.CatalogueTask{version}); err != nil {
			t.Fatal(err)
		}
	}
	role := name + "_trigger"
	if _, err := owner.Exec(ctx, fmt.Sprintf(`CREATE ROLE %[2]s LOGIN; GRANT USAGE ON SCHEMA %[1]s TO %[2]s;
		CREATE SCHEMA %[2]s AUTHORIZATION %[2]s`, name, role)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { postgrestest.Exec(t, url, "DROP OWNED BY "+role+" CASCADE; DROP ROLE "+role) })
	side := sqlSide{t, connect(t, strings.Replace(postgrestest.Server(t), "postgres@", role+"@", 1)), name}
	if got := side.delay(`'shop.Greet'`); !strings.Contains(got, "permission denied") {
		t.Errorf("without the privilege: %s", got)
	}
	if _, err := owner.Exec(ctx, fmt.Sprintf("GRANT EXECUTE ON FUNCTION %s.dtask_delay TO %s", name, role)); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"CREATE TABLE %[2]s.users (name text)",
		`CREATE FUNCTION %[2]s.greet() RETURNS trigger LANGUAGE plpgsql AS
			$$BEGIN PERFORM %[1]s.dtask_delay('shop.Greet', jsonb_build_object('to', NEW.name, 'times', 2)); RETURN NEW; END$$`,
		"CREATE TRIGGER greet AFTER INSERT ON %[2]s.users FOR EACH ROW EXECUTE FUNCTION %[2]s.greet()",
		"BEGIN", "INSERT INTO %[2]s.users VALUES ('nobody')", "ROLLBACK",
		"INSERT INTO %[2]s.users VALUES ('ann')",
	} {
		if _, err := side.conn.Exec(ctx, fmt.Sprintf(statement+" -- %[1]s %[2]s", name, role)); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if _, err := side.conn.Exec(ctx, "SELECT * FROM "+name+".dtask_messages"); err == nil {
		t.Error("the user of the trigger can read messages")
	}
	// The worker runs it as any other.
	client := dtask.NewClient(b)
	ran := make(chan greeting)
	task := dtask.Define[greeting, dtask.None]("acme.org/shop.Greet", dtask.Spec{Queue: "work", Schema: now.Schema})
	w, err := dtask.NewWorker(client, dtask.WorkerConfig{}, dtask.Table{task.Bind(func(_ context.Context, g greeting) (dtask.None, error) {
		ran <- g
		return dtask.None{}, nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	working, stop := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- w.Run(working) }()
	if g := <-ran; g != (greeting{"ann", 2}) {
		t.Errorf("it ran with %+v", g)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	// A trigger that was written for the old version gives the message that version.
	id := side.delay(`'shop.Greet', '{"to": "bob"}', delay => '1 hour', queue => 'later'`)
	var m broker.Message
	var wait time.Duration
	if err := owner.QueryRow(ctx, "SELECT id, queue, body, schema, priority, attempts, keep, due - enqueued_at FROM "+name+".dtask_messages WHERE task = 'acme.org/shop.Greet' AND queue = 'later'").
		Scan(&m.ID, &m.Queue, &m.Body, &m.Schema, &m.Priority, &m.Attempts, &m.Keep, &wait); err != nil {
		t.Fatal(err)
	}
	if m.ID != id || m.Schema != old.Schema || string(m.Body) != `{"to": "bob"}` || m.Priority != broker.PriorityHigh || m.Attempts != 4 || m.Keep != 3600_000 || wait != time.Hour {
		t.Errorf("message %+v, due after %v", m, wait)
	}
}
