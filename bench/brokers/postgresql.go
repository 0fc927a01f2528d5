package brokers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/internal/testenv/rabbitnode"
)

// postgreSQLServer has the settings of a new installation: fsync, and commits
// that wait for it.
var postgreSQLServer = &server{"PostgreSQL", startPostgreSQL}

func startPostgreSQL(ctx context.Context, dir string) (string, func(), error) {
	bin := postgreSQLPrograms()
	if bin == "" {
		return "", nil, errNotInstalled
	}
	data := filepath.Join(dir, "postgresql")
	if err := os.Mkdir(data, 0o700); err != nil {
		return "", nil, err
	}
	attr, err := unprivileged(dir, data)
	if err != nil {
		return "", nil, err
	}
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "--pgdata", data,
		"--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync")
	initdb.Dir = "/"
	initdb.SysProcAttr = attr
	if out, err := initdb.CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	port, err := rabbitnode.FreePort()
	if err != nil {
		return "", nil, err
	}
	url := fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
	ready := func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	}
	stop, err := serve(ctx, attr, ready, filepath.Join(bin, "postgres"), "-D", data,
		"-c", "listen_addresses=127.0.0.1", "-c", "port="+strconv.Itoa(port), "-c", "unix_socket_directories=")
	return url, stop, err
}

// postgreSQLPrograms returns the directory of initdb and postgres, or nothing.
// Debian has one for each version, none of them on the PATH.
func postgreSQLPrograms() string {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return ""
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return postgreSQLVersion(a) - postgreSQLVersion(b) })
	return filepath.Dir(newest)
}

func postgreSQLVersion(initdb string) int {
	version, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	return version
}
