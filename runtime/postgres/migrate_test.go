package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
)

func openMigratorOf(t *testing.T, url string) broker.Migrator {
	t.Helper()
	m, err := broker.OpenMigrator(testContext(t), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// Many processes may open a new database at once.
func TestMigrateTogether(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			b, err := Open(testContext(t), url, broker.Config{})
			if err != nil {
				t.Error(err)
				return
			}
			b.Close()
		})
	}
	all.Wait()
}

// Tables that are missing, old or of a newer build are an error that says what to do.
func TestMigrateOff(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	refused := func(want string) {
		t.Helper()
		_, err := Open(testContext(t), url+"&migrate=off", broker.Config{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	refused("dtask migrate up")
	m := openMigratorOf(t, url)
	if list, err := m.Check(testContext(t)); err != nil || len(list) != 1 || list[0].Repair != "dtask migrate up" {
		t.Errorf("check without tables: %+v, %v", list, err)
	}
	if before, after, err := m.Up(testContext(t)); before != 0 || after != len(migrations) || err != nil {
		t.Errorf("up: %d to %d, %v", before, after, err)
	}
	b := openBroker(t, url+"&migrate=off")
	brokertest.Drained(t, b, brokertest.Consume(t, b, "q", 1), "q")
	exec(t, b, "UPDATE dtask_schema SET version = 99")
	refused("use a newer build")
	if _, err := Open(testContext(t), url, broker.Config{}); err == nil || !strings.Contains(err.Error(), "use a newer build") {
		t.Errorf("open with tables of a newer build: %v", err)
	}
}

// The script makes the same tables as Open.
func TestMigrateScript(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	m := openMigratorOf(t, url)
	script, err := m.Script(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	c, err := pgx.Connect(testContext(t), postgrestest.Server(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(testContext(t), script); err != nil {
		t.Fatalf("%v in\n%s", err, script)
	}
	if list, err := m.Check(testContext(t)); len(list) > 0 || err != nil {
		t.Errorf("differences %+v, %v", list, err)
	}
	if script, err := m.Script(testContext(t)); script != "" || err != nil {
		t.Errorf("the script of tables that are up to date: %q, %v", script, err)
	}
}

// What was changed in the tables is named, and the statements repair it.
func TestMigrateCheck(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t) + "&namespace=shop"
	b := openBroker(t, url)
	m := openMigratorOf(t, url)
	for _, damage := range []string{
		"DROP INDEX " + b.schema + ".shop_waiting",
		"ALTER TABLE dtask_messages DROP COLUMN crashes",
		"ALTER TABLE dtask_messages ALTER COLUMN keep TYPE integer",
		"ALTER TABLE dtask_messages ALTER COLUMN body DROP NOT NULL",
		"ALTER TABLE dtask_messages ALTER COLUMN claim DROP DEFAULT",
		"DROP TABLE dtask_results",
		"DROP FUNCTION dtask_delay",
		"CREATE OR REPLACE FUNCTION dtask_misfit(root jsonb, shape jsonb, value jsonb, path text) RETURNS text LANGUAGE sql AS 'SELECT NULL'",
		"ALTER TABLE dtask_schedules DROP CONSTRAINT shop_schedules_pkey",
	} {
		exec(t, b, damage)
	}
	list, err := m.Check(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, d := range list {
		all = append(all, d.What+": "+d.Repair)
	}
	text := strings.Join(all, "\n")
	for _, want := range []string{
		"index shop_waiting is missing", "column shop_messages.crashes is missing", "column shop_messages.keep is integer, should be bigint",
		"column shop_messages.body: NOT NULL is false", "column shop_messages.claim has the default", "table shop_results is missing", "index shop_schedules_pkey is missing",
		"function shop_delay is missing", "function shop_misfit is another one",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the differences do not say %s:\n%s", want, text)
		}
	}
	for _, d := range list {
		if strings.Contains(d.What, "shop_results_pkey") {
			continue // it came with the table
		}
		exec(t, b, d.Repair)
	}
	if list, err := m.Check(testContext(t)); len(list) > 0 || err != nil {
		t.Errorf("after the repair: %+v, %v", list, err)
	}
	brokertest.Drained(t, b, brokertest.Consume(t, b, "q", 1), "q")
}

// A user who may neither make tables nor change them runs tasks, with the privileges
// that the page on PostgreSQL lists.
func TestLeastPrivileges(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	b := openBroker(t, url)
	user := b.schema + "_app"
	exec(t, b, "CREATE ROLE "+user+" LOGIN")
	t.Cleanup(func() { postgrestest.Exec(t, url, "DROP OWNED BY "+user+"; DROP ROLE "+user) })
	asUser := strings.Replace(url, "postgres@", user+"@", 1) + "&migrate=off"
	if _, err := Open(testContext(t), asUser, broker.Config{}); err == nil || !strings.Contains(err.Error(), "lacks a privilege") {
		t.Errorf("open without privileges: %v", err)
	}
	exec(t, b, fmt.Sprintf("GRANT USAGE ON SCHEMA %[1]s TO %[2]s; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %[1]s TO %[2]s", b.schema, user))
	exec(t, b, fmt.Sprintf("REVOKE INSERT, UPDATE, DELETE ON dtask_schema FROM %s", user))
	app := openBroker(t, asUser)
	c := brokertest.Consume(t, app, "q", 1)
	for _, verdict := range []broker.Verdict{broker.Requeue, broker.Dead} {
		if verdict == broker.Requeue {
			brokertest.Enqueue(t, app, newMessage("q"))
		}
		brokertest.Receive(t, c).Settle(broker.Settlement{Verdict: verdict})
	}
	brokertest.Drained(t, app, c, "q")
	brokertest.Eventually(t, func() string { // outcomes are stored a little later
		if n, err := app.RetryDead(testContext(t), "q"); n != 1 || err != nil {
			return fmt.Sprintf("retried %d, %v", n, err)
		}
		return ""
	})
	brokertest.Receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
	c.Close(testContext(t))
	app.Close()

	exec(t, b, fmt.Sprintf("REVOKE ALL ON ALL TABLES IN SCHEMA %s FROM %s", b.schema, user))
	exec(t, b, fmt.Sprintf("GRANT SELECT, INSERT ON dtask_messages TO %s", user))
	exec(t, b, fmt.Sprintf("GRANT SELECT ON dtask_schema TO %s", user))
	producer := openBroker(t, asUser)
	if err := producer.Enqueue(testContext(t), newMessage("other")); err != nil {
		t.Errorf("enqueue with the privileges of a producer: %v", err)
	}

	exec(t, b, fmt.Sprintf("GRANT DELETE ON dtask_messages TO %s", user))
	exec(t, b, fmt.Sprintf("GRANT SELECT, INSERT ON dtask_cancels TO %s", user))
	exec(t, b, fmt.Sprintf("GRANT SELECT, INSERT, UPDATE ON dtask_results TO %s", user))
	waits := newMessage("other")
	waits.Keep = time.Hour
	brokertest.Enqueue(t, b, waits)
	conn, err := pgx.Connect(testContext(t), strings.Replace(postgrestest.Server(t), "postgres@", user+"@", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := pgx.BeginFunc(testContext(t), conn, func(tx pgx.Tx) error {
		_, err := producer.CancelTx(testContext(t), broker.Transaction(WithTx(t.Context(), tx)), waits.ID)
		return err
	}); err != nil {
		t.Errorf("cancel with the privileges of one who cancels: %v", err)
	}
}
