package dashboard

import (
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A frame is what stands around a page.
type frame struct {
	Page, Title string
	Root        string
	Name        string // of the broker, for those who have several
	Nav         [][]link
	Broker      string // what and where it is
	Access      Access
	Open        bool // nobody is asked who they are
	Version     string
	Away        *away
	Note        *note
	Now         time.Time
	Live        string // where the page is sent again when it has changed
	IsLive      bool   // it is sent so now
	Pending     bool   // it is not whole yet
	Data        any
}

// A link leads to a page, with a number beside it.
type link struct {
	Page, Title string
	Count       string
	Class       string
}

// away says that the broker has not answered.
type away struct {
	For   string
	Since time.Time
	Error string
}

// May reports whether one of some acts is allowed, for templates.
func (f frame) May(names ...string) bool {
	for act, name := range actNames {
		if slices.Contains(names, name) && f.Access.Has(act) {
			return true
		}
	}
	return false
}

// MayNot says why nothing can be changed, for those who look for the buttons, or is empty.
func (f frame) MayNot() string {
	switch {
	case f.Access.May != Nothing:
		return ""
	case f.Open:
		return "This page is read-only: the dashboard was started without a token."
	}
	return "You may look here, but not change things."
}

var actNames = map[Acts]string{
	Retry: "retry", Edit: "edit", Cancel: "cancel", Delete: "delete", Move: "move",
	Pause: "pause", Steer: "steer", Enqueue: "enqueue", Reveal: "reveal", Peek: "peek",
}

// frame returns what stands around a page.
func (v *visit) frame(name, title string, data any) frame {
	f := frame{
		Page: name, Title: title, Root: v.root(), Name: v.config.Name, Access: v.access, Open: v.config.Authorize == nil && v.config.Token == "", Version: version(),
		Now: v.now, Data: data, Note: v.notes.get(v.r.URL.Query().Get("did")), IsLive: v.live,
	}
	if !v.blind {
		f.Nav, f.Broker, f.Away = v.nav(), v.where(), v.away()
	}
	f.Pending = v.pending // as the above found it, too
	if v.r.Method == http.MethodGet && !v.live && f.Nav != nil {
		f.Live = f.Root + "live" + v.r.URL.EscapedPath()
		if v.r.URL.RawQuery != "" {
			f.Live += "?" + v.r.URL.RawQuery
		}
	}
	return f
}

// awayAfter is how long the broker may take for a simple question before the pages say so.
const awayAfter = 2 * time.Second

// away returns that the broker does not answer, or nil.
func (v *visit) away() *away {
	queues, waits := see(v, v.looks.queues), v.looks.queues.waits(v.now)
	switch {
	case queues.err != nil:
		return &away{For: ago(v.now.Sub(queues.away)), Since: queues.at, Error: sentence(queues.err)}
	case waits > awayAfter:
		return &away{For: ago(waits), Since: queues.at, Error: "It may be busy, or out of reach"}
	}
	return nil
}

// where says which system keeps the messages, and where.
func (v *visit) where() string {
	i, err := broker.As[broker.Identified](v.broker)
	if err != nil {
		return ""
	}
	id := i.Identity()
	name := map[string]string{"rabbitmq": "RabbitMQ", "postgresql": "PostgreSQL", "sqlite": "SQLite"}[id.System]
	if name == "" {
		name = id.System
	}
	if id.Host != "" {
		return name + ", " + id.Host
	}
	return name
}

// version is that of dtask in this program.
var version = sync.OnceValue(func() string {
	const module = "github.com/dtaskhq/dtask"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	if info.Main.Path == module {
		return info.Main.Version
	}
	for _, m := range info.Deps {
		if m.Path == module {
			return m.Version
		}
	}
	return ""
})
