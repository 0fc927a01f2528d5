// Package rabbitnode runs private RabbitMQ nodes for tests: each with a name,
// ports, an epmd and a directory of its own, so that any number run side by
// side, next to a system-wide one too, and leave nothing behind.
package rabbitnode

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Options of a node. The zero value is a plain node with no plugins.
type Options struct {
	// Config is text for the node's rabbitmq.conf.
	Config string

	// Plugins are the plugins to enable.
	Plugins []string

	// Args are further arguments of the Erlang system.
	Args string

	// Join is a node to form a cluster with, or nil. It is to be stopped last.
	Join *Node
}

// A Node is a private RabbitMQ node.
type Node struct {
	name    string // as Erlang knows it
	dir     string
	bin     string // where rabbitmq-server and rabbitmqctl are
	env     []string
	port    int
	epmd    int            // its port
	orders  io.WriteCloser // to the guardian
	answers *bufio.Reader  // from it, a line for each node that is killed
	cleared chan struct{}  // closed at the end of the guardian
}

// Start starts a node and waits until it serves connections. It needs the
// Debian package rabbitmq-server, another installation on the PATH, or the one
// that EnvScripts names.
func Start(ctx context.Context, o Options) (*Node, error) {
	bin, err := scripts()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "dtask-rabbitmq-")
	if err != nil {
		return nil, err
	}
	n := &Node{dir: dir, bin: bin}
	if err := n.configure(o); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	if err := n.guardian(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	if err := n.start(ctx, o.Join); err != nil {
		n.Stop()
		return nil, err
	}
	return n, nil
}

// start boots the node for the first time, and has it join the cluster of
// another, if there is one.
func (n *Node) start(ctx context.Context, other *Node) error {
	if err := n.Boot(ctx); err != nil || other == nil {
		return err
	}
	if _, err := n.Eval(ctx, "rabbit:stop()"); err != nil {
		return err
	}
	if _, err := n.Ctl(ctx, "join_cluster", other.name); err != nil {
		return err
	}
	_, err := n.Eval(ctx, "rabbit:start()")
	return err
}

// EnvScripts is the environment variable that names the directory, absolute,
// of the scripts of the RabbitMQ to use, rabbitmq-server and rabbitmqctl, in
// place of the installed one: to test with another version.
const EnvScripts = "DTASK_TEST_RABBITMQ"

// scripts returns the directory of the server's own scripts. Debian's wrappers
// in /usr/sbin insist on the user rabbitmq and on /var/lib/rabbitmq.
func scripts() (string, error) {
	if dir := os.Getenv(EnvScripts); dir != "" {
		if _, err := os.Stat(filepath.Join(dir, "rabbitmq-server")); err != nil {
			return "", fmt.Errorf("%s: %w", EnvScripts, err)
		}
		return dir, nil
	}
	const debian = "/usr/lib/rabbitmq/bin"
	if _, err := os.Stat(debian + "/rabbitmq-server"); err == nil {
		return debian, nil
	}
	path, err := exec.LookPath("rabbitmq-server")
	if err != nil {
		return "", ErrNotInstalled
	}
	return filepath.Dir(path), nil
}

// Installed reports whether the machine has RabbitMQ. If EnvScripts names one that
// does not exist, it is Start that reports it.
func Installed() bool {
	_, err := scripts()
	return !errors.Is(err, ErrNotInstalled)
}

// ErrNotInstalled: the machine has no RabbitMQ.
var ErrNotInstalled = errors.New("RabbitMQ is not installed; on Debian: apt-get install rabbitmq-server")

const erlangCookie = ".erlang.cookie"

// configure writes the files of the node and composes its environment.
func (n *Node) configure(o Options) error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	n.port = ports[0]
	var suffix [4]byte
	rand.Read(suffix[:])
	n.name = "dtask-" + hex.EncodeToString(suffix[:]) + "@localhost"
	if o.Join != nil { // nodes of a cluster share the cookie and epmd
		ports[2] = o.Join.epmd
		cookie, err := os.ReadFile(filepath.Join(o.Join.dir, erlangCookie))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(n.dir, erlangCookie), cookie, 0o400); err != nil {
			return err
		}
	}
	n.epmd = ports[2]

	files := map[string]string{
		"rabbitmq-env.conf": "", // instead of the one in /etc
		"rabbitmq.conf":     "disk_free_limit.absolute = 50MB\n" + o.Config + "\n",
		"enabled_plugins":   "[" + strings.Join(o.Plugins, ",") + "].\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	n.env = []string{
		"HOME=" + n.dir, // holds the cookie
		"ERL_EPMD_PORT=" + strconv.Itoa(ports[2]),
		envName + "=" + n.name,
		"RABBITMQ_NODE_IP_ADDRESS=127.0.0.1",
		"RABBITMQ_NODE_PORT=" + strconv.Itoa(ports[0]),
		"RABBITMQ_DIST_PORT=" + strconv.Itoa(ports[1]),
		"RABBITMQ_CONF_ENV_FILE=" + filepath.Join(n.dir, "rabbitmq-env.conf"),
		"RABBITMQ_CONFIG_FILE=" + filepath.Join(n.dir, "rabbitmq.conf"),
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + filepath.Join(n.dir, "enabled_plugins"),
		"RABBITMQ_MNESIA_BASE=" + filepath.Join(n.dir, "data"),
		"RABBITMQ_LOG_BASE=" + filepath.Join(n.dir, "log"),
		"RABBITMQ_LOGS=" + filepath.Join(n.dir, "log", "rabbit.log"),
		// A scheduler of Erlang that has nothing to do sleeps, and does not keep a
		// core busy for a while, as by default: there are several nodes.
		// If the node of a target crashes while RabbitMQ dead-letters a message
		// to it, RabbitMQ tries again after this timeout, by default three minutes.
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1} -rabbit dead_letter_worker_publisher_confirm_timeout 5000 " + o.Args,
		// The start script replaces itself by the node, whose process id the
		// guardian then knows.
		"RUNNING_UNDER_SYSTEMD=1",
	}
	return nil
}

// FreePort returns a TCP port of the loopback interface that nothing listens
// on.
func FreePort() (int, error) {
	ports, err := freePorts(1)
	if err != nil {
		return 0, err
	}
	return ports[0], nil
}

// freePorts returns ports that no connection gets by itself: a node binds its own
// only after seconds, and until then tests make many connections.
func freePorts(n int) ([]int, error) {
	var ports []int
	var err error
	for attempt := 0; len(ports) < n; attempt++ {
		if attempt == 100*n {
			return nil, err
		}
		port := 10_000 + mathrand.IntN(20_000)
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err != nil {
			continue
		}
		defer l.Close() // only at the end: no port twice
		ports = append(ports, port)
	}
	return ports, nil
}

// guardianScript starts and kills the node as lines on its standard input say.
// At the end of the input, which comes with the death of the process that
// holds the other end, however it dies, it kills all and removes the
// directory.
const guardianScript = `
trap '' INT TERM HUP PIPE
dir=$1 server=$2
# In a cluster there is one already, and this one ends at once.
epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 >"$dir/epmd.out" 2>&1 & epmd=$!
node=
end() {
	[ -n "$node" ] && kill -9 $node && wait $node
	node=
	echo ended
}
while read -r order; do
	case $order in
	start) "$server" >>"$dir/out" 2>&1 & node=$!; echo $node >"$dir/pid" ;;
	kill) end 2>/dev/null ;;
	esac
done
end 2>/dev/null
kill -9 $epmd; wait
rm -rf "$dir"
`

// guardian starts the process that outlives this one by a moment.
func (n *Node) guardian() error {
	cmd := exec.Command("sh", "-c", guardianScript, "dtask-rabbitmq-guardian", n.dir, filepath.Join(n.bin, "rabbitmq-server"))
	cmd.Env = n.environ()
	cmd.Dir = "/"
	var err error
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
	go func() { cmd.Wait(); close(n.cleared) }()
	return nil
}

// Boot starts the node again after [Node.Kill], with its data,
// and waits until it serves connections.
func (n *Node) Boot(ctx context.Context) error {
	if _, err := io.WriteString(n.orders, "start\n"); err != nil {
		return err
	}
	begin := time.Now()
	for {
		conn, err := amqp.DialConfig(n.URL(), amqp.Config{Dial: amqp.DefaultDial(time.Second)})
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%sRabbitMQ did not start within %v: %w (%s)", n.output(), time.Since(begin).Round(time.Second), err, load())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// load describes the load of the machine, the usual reason for slowness.
func load() string {
	average, _ := os.ReadFile("/proc/loadavg") // of Linux
	return fmt.Sprintf("%d cores, load average %s", runtime.NumCPU(), cmp.Or(strings.TrimSpace(string(average)), "unknown"))
}

// output returns what the node printed.
func (n *Node) output() []byte {
	b, _ := os.ReadFile(filepath.Join(n.dir, "out"))
	return b
}

// Kill kills the node as kill -9 does, and waits until it is gone.
func (n *Node) Kill() error {
	if _, err := io.WriteString(n.orders, "kill\n"); err != nil {
		return err
	}
	_, err := n.answers.ReadString('\n')
	return err
}

// Name returns the name of the node, as Erlang knows it.
func (n *Node) Name() string { return n.name }

// Pid returns the process id of the node, to stop and continue it.
func (n *Node) Pid() (int, error) {
	b, err := os.ReadFile(filepath.Join(n.dir, "pid"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

// Stop kills the node and removes every trace of it. It waits for that.
func (n *Node) Stop() {
	n.orders.Close()
	<-n.cleared
}

// Ctl runs rabbitmqctl against the node and returns its output.
func (n *Node) Ctl(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(n.bin, "rabbitmqctl"), append([]string{"--quiet"}, args...)...)
	cmd.Env = n.environ()
	cmd.Dir = "/"
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("rabbitmqctl %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// environ returns the environment in which the node's tools run.
func (n *Node) environ() []string { return append(os.Environ(), n.env...) }

// URL returns the address of the node, with the user guest.
func (n *Node) URL() string { return "amqp://guest:guest@" + n.Addr() + "/" }

// Addr returns the TCP address of the node.
func (n *Node) Addr() string { return fmt.Sprintf("127.0.0.1:%d", n.port) }

// The environment variables by which a command finds its node, beside those
// that rabbitmqctl reads.
const (
	EnvURL  = "DTASK_TEST_AMQP_URL"
	envBin  = "DTASK_TEST_RABBITMQ_BIN"
	envHome = "DTASK_TEST_RABBITMQ_HOME"
	envName = "RABBITMQ_NODENAME"
)

// Env returns the environment in which a command finds the node, by EnvURL or
// by [Attached].
func (n *Node) Env() []string {
	env := []string{EnvURL + "=" + n.URL(), envBin + "=" + n.bin, envHome + "=" + n.dir}
	for _, kv := range n.env {
		if strings.HasPrefix(kv, "RABBITMQ_") || strings.HasPrefix(kv, "ERL_") {
			env = append(env, kv)
		}
	}
	return env
}

// Attached returns the node whose [Node.Env] this process runs in, or nil. It
// is there for Ctl and Eval only.
func Attached() *Node {
	if os.Getenv(envBin) == "" {
		return nil
	}
	return &Node{name: os.Getenv(envName), bin: os.Getenv(envBin), env: []string{"HOME=" + os.Getenv(envHome)}}
}
