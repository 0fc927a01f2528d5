package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Config is what a broker is opened with, beside its URL.
type Config struct {
	// Logger is the log of the broker. [Open] makes it slog.Default() if it is
	// nil.
	Logger *slog.Logger
}

// An OpenFunc opens the broker that a URL names.
type OpenFunc func(ctx context.Context, url string, c Config) (Broker, error)

// validScheme matches what may be shown of a URL: other beginnings may hold a
// password.
var validScheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]{0,20}$`)

var (
	driversMu sync.RWMutex
	drivers   = make(map[string]OpenFunc)
)

// Register makes a broker available to [Open] under a URL scheme. A package of
// a broker calls it in its init. It panics if the scheme is taken.
func Register(scheme string, open OpenFunc) {
	driversMu.Lock()
	defer driversMu.Unlock()
	if drivers[scheme] != nil {
		panic("broker: Register called twice for scheme " + scheme)
	}
	drivers[scheme] = open
}

// packages names the package to import for each scheme of this module.
var packages = map[string]string{
	"sqlite": "sqlite",
	"amqp":   "rabbitmq",
	"amqps":  "rabbitmq",

	"postgres":   "postgres",
	"postgresql": "postgres",
}

// Open opens the broker that url names by its scheme.
func Open(ctx context.Context, url string, c Config) (Broker, error) {
	if url == "" {
		return nil, errors.New("broker URL is empty; use sqlite:FILE, postgres://HOST/DATABASE or amqp://HOST, and see that DTASK_URL is set")
	}
	scheme, _, ok := strings.Cut(url, ":")
	if !ok || scheme == "" {
		// Not quoted: what is not a URL may still hold a password.
		return nil, errors.New("broker URL has no scheme; use sqlite:FILE, postgres://HOST/DATABASE or amqp://HOST (DTASK_URL)")
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	driversMu.RLock()
	open := drivers[scheme]
	known := slices.Sorted(maps.Keys(drivers))
	driversMu.RUnlock()
	if open != nil {
		return open(ctx, url, c)
	}
	if p := packages[scheme]; p != "" {
		return nil, fmt.Errorf("broker %q is not linked in; import _ \"github.com/dtaskhq/dtask/runtime/%s\"", scheme, p)
	}
	if !validScheme.MatchString(scheme) || strings.Contains(url, "@") && !strings.Contains(url, "://") {
		return nil, fmt.Errorf("broker URL does not begin with a scheme and a colon; linked in: %s", strings.Join(known, ", "))
	}
	return nil, fmt.Errorf("no broker for URL scheme %q; linked in: %s", scheme, strings.Join(known, ", "))
}
