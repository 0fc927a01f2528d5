package web

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/dtaskhq/dtask/example/web/lab"
	"github.com/dtaskhq/dtask/example/web/mail"
	"github.com/dtaskhq/dtask/example/web/pictures"
	"github.com/dtaskhq/dtask/example/web/report"
	"github.com/dtaskhq/dtask/runtime/dashboard"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// tables are all tasks: workers run them, and the dashboard knows their types.
func tables(g *gallery, mailer *mail.Mailer) []dtask.Table {
	return []dtask.Table{
		pictures.Tasks(), report.Tasks(&report.Writer{Outcomes: g.outcomes()}), mail.Tasks(mailer),
		lab.Tasks(&lab.Lab{Outcomes: g.outcomes()}),
	}
}

// newBoard returns the dashboard, which is beside the page.
func newBoard(client *dtask.Client, g *gallery, mailer *mail.Mailer) (*dashboard.Dashboard, error) {
	return dashboard.New(client, dashboard.Config{Name: "example", Authorize: whoAsks, Logger: slog.Default()}, tables(g, mailer)...)
}

// whoAsks lets those at this machine do everything, and others look. A page of another
// site that has its name lead to this machine says that name.
func whoAsks(r *http.Request) (dashboard.Access, error) {
	from, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return dashboard.Access{}, fmt.Errorf("address %q: %w", r.RemoteAddr, err)
	}
	if !isHere(from) || !isHere(hostOf(r.Host)) {
		return dashboard.Access{}, nil
	}
	return dashboard.Access{User: "you", May: dashboard.Everything}, nil
}

func isHere(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// hostOf returns a host without its port.
func hostOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}
