package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/dtaskhq/dtask/internal/testenv/browser"
	"github.com/dtaskhq/dtask/internal/testenv/postgresnode"
	"github.com/dtaskhq/dtask/internal/testenv/rabbitnode"
	"github.com/dtaskhq/dtask/internal/testenv/terminal"
)

// install installs the Debian packages that the tests need and the machine
// lacks: the servers, a C compiler, which the race detector needs, a browser for the
// page of the example, a terminal for that of operators, and promtool for the alerts.
func install() error {
	var packages []string
	if !rabbitnode.Installed() {
		packages = append(packages, "rabbitmq-server")
	}
	if _, err := postgresnode.Programs(); errors.Is(err, postgresnode.ErrNotInstalled) {
		packages = append(packages, "postgresql")
	}
	if _, err := exec.LookPath("gcc"); err != nil {
		packages = append(packages, "gcc", "libc6-dev")
	}
	if _, err := browser.Path(); err != nil {
		packages = append(packages, "chromium")
	}
	if _, err := exec.LookPath("promtool"); err != nil {
		packages = append(packages, "prometheus")
	}
	if _, err := terminal.Path(); err != nil {
		packages = append(packages, "tmux")
	}
	if len(packages) == 0 {
		return nil
	}
	missing := "install " + strings.Join(packages, " ") + " (on Debian: apt-get install " + strings.Join(packages, " ") + ")"
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New(missing)
	}
	sh := []string{"sh", "-ec", installScript, "testenv-install"}
	if os.Geteuid() != 0 {
		sh = append([]string{"sudo", "-n"}, sh...)
		if err := exec.Command("sudo", "-n", "true").Run(); err != nil {
			return fmt.Errorf("%s; to let testenv do it, run as root or allow sudo without a password", missing)
		}
	}
	fmt.Fprintln(os.Stderr, "testenv: installing", strings.Join(packages, " "))
	cmd := exec.Command(sh[0], append(sh[1:], packages...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: apt-get failed: %w\n%s", missing, err, out)
	}
	return nil
}

// installScript installs packages with a policy-rc.d in place, which keeps
// their services from starting (Debian Policy, section 9.3.3.1).
const installScript = `
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap 'rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends "$@"
`
