// Package skip skips tests whose requirements are missing, or fails them where
// every test has to run.
package skip

import (
	"os"
	"testing"
)

// EnvNone is the environment variable that makes every skip a failure. Make test
// sets it, because there everything that tests need is present.
const EnvNone = "DTASK_TEST_SKIP_NONE"

// Test skips a test for the given reason, or fails it if none may be skipped.
func Test(t testing.TB, reason ...any) {
	t.Helper()
	if os.Getenv(EnvNone) != "" {
		t.Fatal(reason...)
	}
	t.Skip(reason...)
}
