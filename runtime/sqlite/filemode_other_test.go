//go:build !linux

package sqlite

import (
	"os"
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/skip"
)

// obeyFileModes skips the test if the modes of files do not count for its user.
func obeyFileModes(t *testing.T) {
	t.Helper()
	if os.Getuid() == 0 {
		skip.Test(t, "root may write everything")
	}
}
