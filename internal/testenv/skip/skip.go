// Package skip is how tests are skipped: only where not all of them have to run.
package skip

import (
	"os"
	"testing"
)

// EnvNone is the environment variable that makes every skip a failure. It is set
// where everything that tests need is there, as under make test.
const EnvNone = "DTASK_TEST_SKIP_NONE"

// Test skips a test for the given reason, or fails it if none may be skipped.
func Test(t testing.TB, reason ...any) {
	t.Helper()
	if os.Getenv(EnvNone) != "" {
		t.Fatal(reason...)
	}
	t.Skip(reason...)
}
