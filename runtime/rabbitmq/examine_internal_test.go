package rabbitmq

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/management"
)

// texts returns the findings that are not ok, a line each.
func texts(fs ...broker.Finding) string {
	var lines []string
	for _, f := range fs {
		if f.State != broker.FindingOK {
			lines = append(lines, f.State+" "+f.Text)
		}
	}
	return strings.Join(lines, "\n")
}

// A policy that does harm is found on the queues that it harms, and on no others.
func TestJudgeQueues(t *testing.T) {
	n := names{"shop"}
	all := []management.Queue{
		{Name: "shop.queue.mail", Type: "quorum", Policy: "ttl", Applied: map[string]any{"message-ttl": 1.0}},
		{Name: "shop.high.mail", Type: "quorum", Policy: "long", Applied: map[string]any{"max-length": 9.0, "overflow": "reject-publish"}},
		{Name: "shop.low.mail", Type: "quorum", Policy: "long", Applied: map[string]any{"max-length": 9.0, "overflow": "drop-head"}},
		{Name: "shop.dead.mail", Type: "quorum", Policy: "long", Applied: map[string]any{"max-length": 9.0, "overflow": "reject-publish"}},
		{Name: "shop.queue.old", Type: "classic"},
		{Name: "shop.queue.torn", Type: "quorum", Members: []string{"a", "b", "c"}, Online: []string{"a"}},
		{Name: "shop.queue.hurt", Type: "quorum", Members: []string{"a", "b", "c"}, Online: []string{"a", "c"}},
		{Name: "shop.lock.queue.mail", Type: "classic"},
		{Name: "dtask.queue.mail", Type: "classic", Applied: map[string]any{"expires": 1.0}},
	}
	want := strings.Join([]string{
		`problem policy "ttl" on shop.queue.mail has message-ttl: messages vanish, with nobody told`,
		`problem policy "long" on shop.low.mail has max-length and no overflow: reject-publish: the oldest messages vanish, or become dead letters`,
		`problem policy "long" on shop.dead.mail has max-length: what goes there is no task that waits, but what dtask needs`,
		`problem shop.queue.old is a classic queue: it is lost with its node`,
		`problem shop.queue.torn has 1 of its 3 replicas: nothing can be stored there`,
		`warning shop.queue.hurt has 2 of its 3 replicas`,
	}, "\n")
	if got := texts(judgeQueues(n, all)...); got != want {
		t.Errorf("findings\n%s\nwant\n%s", got, want)
	}
	if got := judgeQueues(names{"other"}, all); len(got) != 1 || got[0].State != broker.FindingOK {
		t.Errorf("of another namespace: %v", got)
	}
}

func TestJudgeNodes(t *testing.T) {
	got := texts(judgeNodes([]management.Node{{Name: "a", Running: true}, {Name: "b"}, {Name: "c", Running: true, DiskAlarm: true}, {Name: "d", Running: true, Partitions: []string{"a"}}})...)
	if strings.Count(got, "problem") != 3 || strings.Contains(got, "node a ") {
		t.Errorf("findings\n%s", got)
	}
}

// The permissions of docs/security.md are enough, and any less are not.
func TestJudgePermissions(t *testing.T) {
	own, write := `^(dtask\.|amq\.gen-)`, `^(dtask\.|amq\.gen-|amq\.default)`
	for p, want := range map[management.Permissions]string{
		{Configure: own, Write: write, Read: own}:             "",
		{Configure: ".*", Write: ".*", Read: ".*"}:            "",
		{Configure: own, Write: own, Read: own}:               "may not write amq.default",
		{Configure: `^dtask\.queue`, Write: write, Read: own}: "may not configure dtask.dead.mail",
		{Configure: own, Write: write}:                        "may not read dtask.queue.mail",
		{Configure: "", Write: "", Read: ""}:                  "may not configure dtask.queue.mail, nor write dtask.queue.mail, nor read dtask.queue.mail",
		{Configure: `(?<!x)dtask`, Write: write, Read: own}:   "unknown configure",
	} {
		got := texts(judgePermissions(names{"dtask"}, "ann", p))
		if !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%+v: %s, want %s", p, fmt.Sprintf("%q", got), want)
		}
	}
}
