package rabbitmq

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/management"
)

var _ broker.Examiner = (*Broker)(nil)

// docsSettings is where the settings are explained.
const docsSettings = "docs/brokers.md, settings of RabbitMQ"

// Examine implements [broker.Examiner]. AMQP shows neither policies nor permissions: by it
// alone it tries to declare a queue. A management API is asked for all else.
func (b *Broker) Examine(ctx context.Context, url string) []broker.Finding {
	findings := []broker.Finding{b.mayDeclare(ctx)}
	if url == "" {
		return append(findings, broker.Finding{
			Check: "policies", State: broker.FindingUnknown, Text: "AMQP does not show them, nor alarms and replicas",
			Do: "give the URL of the management API: --management http://USER:PASSWORD@HOST:15672",
		})
	}
	server, err := management.New(url, b.config.user, b.config.password)
	if err != nil {
		return append(findings, unknown("policies", err))
	}
	if queues, err := server.Queues(ctx, b.config.vhost); err != nil {
		findings = append(findings, unknown("policies", err))
	} else {
		findings = append(findings, judgeQueues(b.topology.names, queues)...)
	}
	if nodes, err := server.Nodes(ctx); err != nil {
		findings = append(findings, unknown("nodes", err))
	} else {
		findings = append(findings, judgeNodes(nodes)...)
	}
	if p, err := server.Permissions(ctx, b.config.vhost, b.config.user); err != nil {
		findings = append(findings, unknown("permissions", err))
	} else {
		findings = append(findings, judgePermissions(b.topology.names, b.config.user, p))
	}
	return findings
}

func unknown(check string, err error) broker.Finding {
	return broker.Finding{Check: check, State: broker.FindingUnknown, Text: err.Error(), Do: "see whether the URL of the management API is right, and what its user may see"}
}

// mayDeclare tries what every client does.
func (b *Broker) mayDeclare(ctx context.Context) broker.Finding {
	err := b.change(ctx, func(s *session) error {
		unlock, err := b.lock(ctx, s, b.topology.queue(classDefault, "doctor"))
		if err == nil {
			unlock()
		}
		return err
	})
	switch {
	case isCode(err, amqp.AccessRefused):
		return broker.Finding{Check: "permissions", State: broker.FindingProblem, Text: err.Error(), Do: "let the user configure what docs/security.md says"}
	case err != nil:
		return broker.Finding{Check: "permissions", State: broker.FindingUnknown, Text: err.Error()}
	}
	return broker.Finding{Check: "permissions", State: broker.FindingOK, Text: "the user may declare queues, as far as one was tried"}
}

// judgeQueues says what policies do to the queues of dtask, and whether these have the
// replicas that they are to have.
func judgeQueues(n names, queues []management.Queue) (findings []broker.Finding) {
	add := func(check, state, do, format string, args ...any) {
		findings = append(findings, broker.Finding{Check: check, State: state, Text: fmt.Sprintf(format, args...), Do: do})
	}
	ours := 0
	for _, q := range queues {
		rest, ok := strings.CutPrefix(q.Name, n.namespace+".")
		if !ok || strings.HasPrefix(rest, "lock.") {
			continue
		}
		ours++
		class, _, _ := strings.Cut(rest, ".")
		by := fmt.Sprintf("policy %q on %s", q.Policy, q.Name)
		for _, key := range []string{"message-ttl", "expires"} {
			if _, set := q.Applied[key]; set {
				add("policies", broker.FindingProblem, "take it away: "+docsSettings, "%s has %s: messages vanish, with nobody told", by, key)
			}
		}
		switch limited := limits(q.Applied); {
		case limited == "":
		case !holdsTasks(class):
			add("policies", broker.FindingProblem, "take it away: "+docsSettings, "%s has %s: what goes there is no task that waits, but what dtask needs", by, limited)
		case q.Applied["overflow"] != "reject-publish":
			add("policies", broker.FindingProblem, "add overflow: reject-publish", "%s has %s and no overflow: reject-publish: the oldest messages vanish, or become dead letters", by, limited)
		}
		if holdsTasks(class) && q.Type == "classic" {
			add("queues", broker.FindingProblem, "delete it when it is empty; dtask declares it anew", "%s is a classic queue: it is lost with its node", q.Name)
		}
		switch missing := len(q.Members) - len(q.Online); {
		case missing > 0 && 2*len(q.Online) <= len(q.Members):
			add("queues", broker.FindingProblem, "start the nodes that are missing", "%s has %d of its %d replicas: nothing can be stored there", q.Name, len(q.Online), len(q.Members))
		case missing > 0:
			add("queues", broker.FindingWarning, "start the nodes that are missing", "%s has %d of its %d replicas", q.Name, len(q.Online), len(q.Members))
		}
	}
	if len(findings) == 0 {
		add("policies", broker.FindingOK, "", "none does harm to the %d queues of dtask", ours)
	}
	return findings
}

// holdsTasks reports whether the queues of a class hold messages that wait for workers.
func holdsTasks(c string) bool {
	for _, of := range delayable {
		if class(c) == of {
			return true
		}
	}
	return false
}

// limits returns which bound a policy sets, if any.
func limits(applied map[string]any) string {
	for _, key := range []string{"max-length", "max-length-bytes"} {
		if _, set := applied[key]; set {
			return key
		}
	}
	return ""
}

// judgeNodes says which nodes are in trouble.
func judgeNodes(nodes []management.Node) (findings []broker.Finding) {
	add := func(text, do string) {
		findings = append(findings, broker.Finding{Check: "nodes", State: broker.FindingProblem, Text: text, Do: do})
	}
	for _, n := range nodes {
		switch {
		case !n.Running:
			add("node "+n.Name+" does not run", "start it, or have the cluster forget it")
		case n.MemoryAlarm:
			add("node "+n.Name+" has too little memory: RabbitMQ takes no messages", "see what uses it; let workers drain the queues")
		case n.DiskAlarm:
			add("node "+n.Name+" has too little disk: RabbitMQ takes no messages", "free some of it")
		case len(n.Partitions) > 0:
			add("node "+n.Name+" does not reach "+strings.Join(n.Partitions, ", "), "mend the network; use pause_minority: "+docsSettings)
		}
	}
	if len(findings) == 0 {
		findings = append(findings, broker.Finding{Check: "nodes", State: broker.FindingOK, Text: fmt.Sprintf("%d run, without an alarm", len(nodes))})
	}
	return findings
}

// judgePermissions says whether a user may do all that dtask does. What an expression
// means RabbitMQ decides; here it is read as Go reads it.
func judgePermissions(n names, user string, p management.Permissions) broker.Finding {
	var lacks []string
	own := []string{n.queue(classDefault, "mail"), n.queue(classDead, "mail"), n.level(0), n.registry(), n.control()}
	for _, c := range []struct {
		right, pattern string
		names          []string
	}{{"configure", p.Configure, own}, {"write", p.Write, append(own, "amq.default")}, {"read", p.Read, own}} {
		pattern, err := regexp.Compile(c.pattern)
		if err != nil {
			return broker.Finding{Check: "permissions", State: broker.FindingUnknown, Text: fmt.Sprintf("%s %q: %v", c.right, c.pattern, err)}
		}
		for _, name := range c.names {
			if c.pattern == "" || !pattern.MatchString(name) {
				lacks = append(lacks, c.right+" "+name)
				break
			}
		}
	}
	if len(lacks) > 0 {
		return broker.Finding{
			Check: "permissions", State: broker.FindingProblem, Text: fmt.Sprintf("user %q may not %s", user, strings.Join(lacks, ", nor ")),
			Do: "let it do what docs/security.md says",
		}
	}
	return broker.Finding{Check: "permissions", State: broker.FindingOK, Text: fmt.Sprintf("user %q may do what dtask does", user)}
}
