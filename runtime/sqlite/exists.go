package sqlite

import (
	"fmt"
	"os"
	"strings"
)

// Exists returns an error if a URL of this package names a file that does not exist,
// which [Open] would make. Of other URLs it says nothing.
func Exists(url string) error {
	if !strings.HasPrefix(url, scheme+":") {
		return nil
	}
	t, err := parseURL(url)
	if err != nil {
		return err
	}
	if _, err := os.Stat(t.file); err != nil {
		return fmt.Errorf("sqlite %s: %w; the worker, or the first Delay, makes it", t.file, err)
	}
	return nil
}
