// Package postgresnode runs private PostgreSQL servers for tests: each with a port
// and a directory of its own, so that any number run side by side, and leave nothing
// behind.
package postgresnode

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/internal/testenv/rabbitnode"
)

// Options of a server.
type Options struct {
	// Durable makes commits wait for the disk, as those of a new installation do.
	Durable bool

	// Config are lines of the server's postgresql.conf.
	Config string
}

// A Node is a private PostgreSQL server.
type Node struct {
	dir     string // of all that follows
	bin     string // where initdb and postgres are
	port    int
	orders  io.WriteCloser // to the guardian
	answers *bufio.Reader  // from it, a line for each server that has ended
	cleared chan struct{}  // closed at the end of the guardian
}

// EnvURL is the environment variable that names the shared server.
const EnvURL = "DTASK_TEST_POSTGRES_URL"

// EnvPrograms is the environment variable that names the directory, absolute, of the
// programs of the PostgreSQL to use, initdb and postgres, in place of the newest one
// that is installed: to test with another version.
const EnvPrograms = "DTASK_TEST_POSTGRES"

// ErrNotInstalled: the machine has no PostgreSQL server.
var ErrNotInstalled = errors.New("PostgreSQL is not installed; on Debian: apt-get install postgresql")

// Programs returns the directory of initdb and postgres. Debian has one for each
// version, none of them on the PATH.
func Programs() (string, error) {
	if dir := os.Getenv(EnvPrograms); dir != "" {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
			return "", fmt.Errorf("%s: %w", EnvPrograms, err)
		}
		return dir, nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) > 0 {
		return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", ErrNotInstalled
}

// version returns the version in the path of one of Debian's programs.
func version(initdb string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	return n
}

// Start makes a server and waits until it serves connections.
func Start(ctx context.Context, o Options) (*Node, error) {
	return start(ctx, func(n *Node) error { return n.configure(ctx, o) })
}

// start starts a server whose data fill brings.
func start(ctx context.Context, fill func(n *Node) error) (*Node, error) {
	bin, err := Programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "dtask-postgres-")
	if err != nil {
		return nil, err
	}
	n := &Node{dir: dir, bin: bin}
	err = n.settle()
	if err == nil {
		err = fill(n)
	}
	if err == nil {
		err = n.guardian()
	}
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	if err := n.Boot(ctx); err != nil {
		n.Stop()
		return nil, err
	}
	return n, nil
}

// settle finds a port for the server, and makes the directory of its data.
func (n *Node) settle() (err error) {
	if n.port, err = rabbitnode.FreePort(); err != nil {
		return err
	}
	if err := os.Mkdir(n.data(), 0o700); err != nil {
		return err
	}
	return giveAway(n.dir, n.data())
}

// configure makes the data of a new server.
func (n *Node) configure(ctx context.Context, o Options) error {
	if err := n.execute(ctx, "initdb", "--pgdata", n.data(),
		"--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync"); err != nil {
		return err
	}
	config := fmt.Sprintf("listen_addresses = '127.0.0.1'\nport = %d\nunix_socket_directories = ''\nmax_connections = 300\n", n.port)
	if !o.Durable {
		config += "fsync = off\nfull_page_writes = off\n"
	}
	return n.set(config + o.Config)
}

// execute executes one of PostgreSQL's programs as the user of the server.
func (n *Node) execute(ctx context.Context, program string, args ...string) (err error) {
	cmd := exec.CommandContext(ctx, filepath.Join(n.bin, program), args...)
	cmd.Dir = "/"
	if cmd.SysProcAttr, err = unprivileged(); err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, out)
	}
	return nil
}

// set adds lines to the server's postgresql.conf. Of two for one setting the last counts.
func (n *Node) set(config string) error {
	f, err := os.OpenFile(filepath.Join(n.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(config + "\n")
	return errors.Join(err, f.Close())
}

func (n *Node) data() string { return filepath.Join(n.dir, "data") }

// guardianScript starts and ends the server as lines on its standard input say. At
// the end of the input, which comes with the death of the process that holds the
// other end, however it dies, it ends the server and removes the directory. The
// backends of a server that was killed live a little longer, and until they are gone no
// other server can start.
const guardianScript = `
trap '' INT TERM HUP PIPE
dir=$1 postgres=$2
server=
end() {
	[ -n "$server" ] && kill -$1 $server && wait $server
	server=
	while ls -l /proc/[0-9]*/cwd 2>/dev/null | grep -q " $dir/data$"; do sleep 0.05; done
	echo ended
}
while read -r order; do
	case $order in
	start) rm -f "$dir/data/postmaster.pid"; "$postgres" -D "$dir/data" >>"$dir/data/out" 2>&1 & server=$! ;;
	*) end $order 2>/dev/null ;;
	esac
done
end QUIT 2>/dev/null
`

// guardian starts the process that outlives this one by a moment. It runs as the user
// of the server.
func (n *Node) guardian() error {
	cmd := exec.Command("sh", "-c", guardianScript, "dtask-postgres-guardian", n.dir, filepath.Join(n.bin, "postgres"))
	cmd.Dir = "/"
	var err error
	if cmd.SysProcAttr, err = unprivileged(); err != nil {
		return err
	}
	if n.orders, err = cmd.StdinPipe(); err != nil {
		return err
	}
	answers, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	n.answers = bufio.NewReader(answers)
	if err := cmd.Start(); err != nil {
		return err
	}
	n.cleared = make(chan struct{})
	go func() { cmd.Wait(); os.RemoveAll(n.dir); close(n.cleared) }()
	return nil
}

// Boot starts the server, also again after [Node.End], and waits until it serves
// connections.
func (n *Node) Boot(ctx context.Context) error {
	if _, err := io.WriteString(n.orders, "start\n"); err != nil {
		return err
	}
	begin := time.Now()
	for {
		dialing, cancel := context.WithTimeout(ctx, time.Second)
		conn, err := pgx.Connect(dialing, n.URL())
		cancel()
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			out, _ := os.ReadFile(filepath.Join(n.data(), "out"))
			return fmt.Errorf("%sPostgreSQL did not start within %v: %w", out, time.Since(begin).Round(time.Second), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// The ways in which a server ends, as signals.
const (
	Fast  = "INT"  // in good order; connections are cut
	Crash = "KILL" // its backends notice a little later
)

// End ends the server by a signal, and waits until it is gone.
func (n *Node) End(signal string) error {
	if _, err := io.WriteString(n.orders, signal+"\n"); err != nil {
		return err
	}
	_, err := n.answers.ReadString('\n')
	return err
}

// Stop ends the server and removes every trace of it. It waits for that.
func (n *Node) Stop() {
	n.orders.Close()
	<-n.cleared
}

// URL returns the address of the server's own database, with its superuser.
func (n *Node) URL() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", n.port)
}

// Addr returns the TCP address of the server.
func (n *Node) Addr() string { return fmt.Sprintf("127.0.0.1:%d", n.port) }

// Env returns the environment in which a command finds the server.
func (n *Node) Env() []string { return []string{EnvURL + "=" + n.URL()} }

// Database returns a URL with another database.
func Database(url, name string) string { return strings.Replace(url, "/postgres?", "/"+name+"?", 1) }
