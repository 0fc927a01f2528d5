package sqlite

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// openNamespace opens the broker of a namespace.
func openNamespace(t *testing.T, file, namespace string) *Broker {
	t.Helper()
	return openBroker(t, file+"?namespace="+namespace)
}

// Two namespaces in one file share neither messages, ticks, results, pauses nor
// consumers.
func TestNamespaces(t *testing.T) {
	file := newFile(t)
	a, b := openNamespace(t, file, "shop"), openNamespace(t, file, "shop_messages")
	ctx := testContext(t)
	ca, cb := mustConsume(t, a, "q", 1), mustConsume(t, b, "q", 1)

	ma, mb := newMessage("q"), newMessage("q")
	mb.ID, mb.Keep = ma.ID, time.Hour
	mustEnqueue(t, a, ma)
	mustEnqueue(t, b, mb)
	da, db := receive(t, ca), receive(t, cb)
	da.Settle(broker.Settlement{Verdict: broker.Done})
	db.Settle(broker.Settlement{Verdict: broker.Done, Result: []byte("1")})
	flush(t, a)
	flush(t, b)
	if _, err := a.Result(ctx, ma.ID); err == nil {
		t.Error("the result of another namespace")
	}
	if r, err := b.Result(ctx, ma.ID); err != nil || string(r.Value) != "1" {
		t.Errorf("result %s, %v", r.Value, err)
	}

	tick := time.Now().Truncate(time.Second)
	for _, broker := range []*Broker{a, b} {
		if ticked, err := broker.Tick(ctx, "nightly", time.Time{}, tick, newMessage("ticks")); !ticked || err != nil {
			t.Errorf("tick: %v, %v", ticked, err)
		}
	}
	if s := queueState(t, a, "ticks"); s.Ready != 1 {
		t.Errorf("ticks %+v, want its own", s)
	}

	if err := a.Pause(ctx, broker.Pause{What: broker.PauseQueue, Name: "q"}); err != nil {
		t.Fatal(err)
	}
	if queueState(t, b, "q").Paused {
		t.Error("paused in both")
	}
	mustEnqueue(t, b, newMessage("q"))
	receive(t, cb).Settle(broker.Settlement{Verdict: broker.Done})
}

// The locks of dead processes are left to those of their own namespace, who
// would not know otherwise that these are dead.
func TestNamespaceKeepsLocks(t *testing.T) {
	file := newFile(t)
	a := openNamespace(t, file, "shop")
	mustConsume(t, a, "q", 1)
	stale := target{a.file, "other"}.lockPrefix() + strings.Repeat("0", 16)
	for _, path := range []string{stale, a.lockPrefix() + strings.Repeat("1", 16)} {
		l, err := newLockFile(target{a.file, "other"})
		if err != nil {
			t.Fatal(err)
		}
		l.file.Close() // as a process that dies does
		if err := os.Rename(l.path, path); err != nil {
			t.Fatal(err)
		}
	}
	mustConsume(t, openNamespace(t, file, "shop"), "q", 1)
	if _, err := os.Stat(stale); err != nil {
		t.Errorf("the lock of the other namespace: %v", err)
	}
	if left, _ := filepath.Glob(a.lockPrefix() + strings.Repeat("1", 16)); len(left) != 0 {
		t.Error("the lock of a dead process stays")
	}
}

// No name of one namespace is also one of another: what follows the prefix has
// no underscore in it.
func TestNamespacesDoNotOverlap(t *testing.T) {
	b := openNamespace(t, newFile(t), "shop")
	names, err := openConn(t, b.file).text("SELECT group_concat(name) FROM sqlite_schema WHERE name NOT LIKE 'sqlite%'")
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(names, ",") {
		rest, ok := strings.CutPrefix(name, "shop_")
		if !ok || strings.Contains(rest, "_") {
			t.Errorf("a table or index is called %s", name)
		}
	}
}
