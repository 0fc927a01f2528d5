package dtask_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// TestMain opens the client of the examples.
func TestMain(m *testing.M) {
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

func runTests(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "dtask")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if client, err = dtask.Open(context.Background(), "sqlite:"+filepath.Join(dir, "tasks.db")); err != nil {
		return 0, err
	}
	defer client.Close()
	return m.Run(), nil
}
