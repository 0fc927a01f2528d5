package sqlite

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// On a full disk there is no room for the index of the write-ahead log either,
// which SQLite makes first and reports in its own way. A limit on the size of
// files stands for the disk.
//
// It runs in a process of its own: the go command has every test process write a
// log, whose file the limit is for, too.
func TestOpenFull(t *testing.T) {
	const env = "DTASK_TEST_FULL"
	if os.Getenv(env) == "" {
		cmd := exec.Command(os.Args[0], "-test.v", "-test.run=^TestOpenFull$")
		cmd.Env = append(os.Environ(), env+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestOpenFull") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	file := newFile(t)
	openBroker(t, file).Close()
	signal.Ignore(unix.SIGXFSZ)
	defer signal.Reset(unix.SIGXFSZ)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1000, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	b, err := Open(testContext(t), "sqlite:"+file, broker.Config{})
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	if err == nil {
		b.Close()
		t.Fatal("opened")
	}
	if !errors.Is(err, broker.ErrBlocked) || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("error %v, want ErrBlocked: the disk is full", err)
	}
}
