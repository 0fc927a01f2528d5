package brokers

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/dtaskhq/dtask/internal/testenv/rabbitnode"
)

// redisServer answers once a command is in the append-only file and that is
// synced: what the other servers do, too.
var redisServer = &server{"Redis", startRedis}

func startRedis(ctx context.Context, dir string) (string, func(), error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return "", nil, errNotInstalled
	}
	dir = filepath.Join(dir, "redis")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", nil, err
	}
	free, err := rabbitnode.FreePort()
	if err != nil {
		return "", nil, err
	}
	port := strconv.Itoa(free)
	addr := net.JoinHostPort("127.0.0.1", port)
	ready := func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	stop, err := serve(ctx, nil, ready, program, "--bind", "127.0.0.1", "--port", port, "--dir", dir,
		"--appendonly", "yes", "--appendfsync", "always",
		"--save", "", "--auto-aof-rewrite-percentage", "0") // nothing in the background
	return addr, stop, err
}
