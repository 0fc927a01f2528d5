package schema_test

import (
	"strings"
	"testing"
)

func TestSecrets(t *testing.T) {
	for _, test := range []struct{ of, want string }{
		{"", ""},
		{"to string\nuser User\nUser.name string", ""},
		{"to string\ntoken string, secret", "token string, secret"},
		{"u User\nv Plain\nUser.name string\nUser.boss *User\nUser.pin int, secret\nPlain.x int", "u User\nUser.boss *User\nUser.pin int, secret"},
		// A struct leads to a secret by another that is mentioned later.
		{"a A\nA.b map[string][]B\nB.a *A\nB.c C\nC.x int, secret", "a A\nA.b map[string][]B\nB.a *A\nB.c C\nC.x int, secret"},
		{"a []{x int; y [2]{z int, secret; w int}}", "a []{y [2]{z int, secret}}"},
		// What contains itself may have the secret again.
		{"a int\nt []{kids ^1; pin int, secret}", "t []{kids ^1; pin int, secret}"},
		{"t []{kids ^1; n int}", ""},
	} {
		if got := strings.Join(parse(t, test.of).Secrets().Lines(), "\n"); got != test.want {
			t.Errorf("of\n%s\nsecret is\n%s\nwant\n%s", test.of, got, test.want)
		}
	}
}
