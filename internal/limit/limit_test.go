package limit_test

import (
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/limit"
)

func TestQueue(t *testing.T) {
	for name, want := range map[string]bool{
		"default":                true,
		"Mail-2_low.eu":          true,
		strings.Repeat("q", 100): true,
		strings.Repeat("q", 101): false,
		"":                       false,
		"a/b":                    false,
		"a b":                    false,
		"später":                 false,
		"a\xff":                  false,
	} {
		check(t, "queue", limit.Queue, name, want)
	}
}

func TestTask(t *testing.T) {
	for name, want := range map[string]bool{
		"github.com/acme/shop/mail.Mailer.SendDigest": true,
		"später":                 true,
		strings.Repeat("t", 250): true,
		strings.Repeat("t", 251): false,
		"":                       false,
		"a b":                    false,
		"a\nb":                   false,
		"a\xff":                  false,
	} {
		check(t, "task", limit.Task, name, want)
	}
}

func TestNamespace(t *testing.T) {
	for name, want := range map[string]bool{
		"dtask":                 true,
		"shop_2":                true,
		strings.Repeat("n", 40): true,
		strings.Repeat("n", 41): false,
		"":                      false,
		"2shop":                 false,
		"_shop":                 false,
		"Shop":                  false,
		"sh.op":                 false,
		"sh-op":                 false,
		"amq":                   false,
		"amqp":                  true,
		"sqlite":                false,
		"sqlite_2":              false,
		"sqlites":               true,
		"später":                false,
		"a\xff":                 false,
	} {
		check(t, "namespace", limit.Namespace, name, want)
	}
}

// check tests a rule, which has a remedy for just what it refuses.
func check(t *testing.T, kind string, rule func(string) (string, bool), name string, want bool) {
	t.Helper()
	remedy, ok := rule(name)
	if ok != want || (remedy == "") != ok {
		t.Errorf("%s %q: %v, remedy %q; want %v", kind, name, ok, remedy, want)
	}
}
