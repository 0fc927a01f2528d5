//go:build !linux

package sqlite

import (
	"os"
	"testing"
)

// obeyFileModes skips the test if the modes of files do not count for its user.
func obeyFileModes(t *testing.T) {
	t.Helper()
	if os.Getuid() == 0 {
		t.Skip("root may write everything")
	}
}
