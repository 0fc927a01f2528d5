package postgres

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/dtaskhq/dtask/internal/limit"
)

// schemes are the URL schemes of this broker, as libpq has them.
var schemes = []string{"postgres", "postgresql"}

// target is what a URL names: a server, and the tables there.
type target struct {
	names
	pool    *pgxpool.Config
	migrate bool
	where   string // server and database, for errors
	mode    bool   // the URL says how statements are executed
}

const (
	wanted = "postgres://USER:PASSWORD@HOST:PORT/DATABASE"

	dialTimeout = 5 * time.Second // of one host, if the URL does not say
	leastConns  = 4
	usualConns  = 10
)

// parseURL parses a broker URL. Its errors show nothing of the URL but parameters:
// anything else may be part of a password.
func parseURL(raw string) (t target, err error) {
	scheme, _, ok := strings.Cut(raw, "://")
	if !ok || !slices.Contains(schemes, scheme) {
		return t, errors.New("broker URL: use " + wanted)
	}
	place, query, _ := strings.Cut(raw, "?")
	params, err := url.ParseQuery(query)
	if err != nil {
		return t, errors.New("broker URL: the parameters after '?' are not percent-encoded")
	}
	if err := t.takeOurs(params); err != nil {
		return t, err
	}
	t.mode = params.Has("default_query_exec_mode")
	conns := params.Has("pool_max_conns")
	t.pool, err = pgxpool.ParseConfig(place + "?" + params.Encode())
	if err != nil {
		return t, unparsable(place, err)
	}
	if !conns {
		t.pool.MaxConns = usualConns
	} else if t.pool.MaxConns < leastConns {
		return t, fmt.Errorf("broker URL: pool_max_conns %d: a worker needs %d", t.pool.MaxConns, leastConns)
	}
	c := t.pool.ConnConfig
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = dialTimeout
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "dtask"
	}
	if !params.Has("target_session_attrs") && severalHosts(c) {
		c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	t.where = showHosts(c)
	return t, nil
}

// takeOurs takes out the parameters that PostgreSQL does not know.
func (t *target) takeOurs(params url.Values) error {
	t.namespace, t.migrate = defaultNamespace, true
	for _, name := range []string{"schema", "namespace", "migrate"} {
		values := params[name]
		params.Del(name)
		switch {
		case len(values) == 0:
			continue
		case len(values) > 1:
			return fmt.Errorf("broker URL: parameter %s is given twice", name)
		}
		switch v := values[0]; name {
		case "schema":
			if v == "" || len(v) > maxName || strings.ContainsRune(v, 0) {
				return fmt.Errorf("broker URL: schema: use a name of 1 to %d bytes", maxName)
			}
			t.schema = v
		case "namespace":
			if remedy, ok := limit.Namespace(v); !ok {
				return fmt.Errorf("broker URL: namespace: %s", remedy)
			}
			t.namespace = v
		case "migrate":
			if v != "on" && v != "off" {
				return errors.New("broker URL: migrate: use on or off")
			}
			t.migrate = v == "on"
		}
	}
	return nil
}

// maxName is the longest name that PostgreSQL keeps, in bytes.
const maxName = 63

// unparsable explains why pgx cannot parse a URL, unless that could show a part of
// the password.
func unparsable(place string, err error) error {
	const encode = "write reserved characters of user and password percent-encoded ('/' as %2f, '@' as %40, '?' as %3f, '%' as %25)"
	u, parseErr := url.Parse(place)
	cause := errors.Unwrap(err)
	if parseErr != nil && !strings.Contains(place, ",") || cause == nil {
		return errors.New("broker URL: it cannot be parsed; use " + wanted + ", and " + encode)
	}
	if u != nil && u.User != nil {
		if password, ok := u.User.Password(); ok && strings.Contains(cause.Error(), password) {
			return errors.New("broker URL: it cannot be parsed; " + encode)
		}
	}
	return fmt.Errorf("broker URL: %s", strings.ReplaceAll(cause.Error(), "\n", " "))
}

// severalHosts reports whether there is more than one server to connect to: that
// the same one is tried with and without TLS does not count.
func severalHosts(c *pgx.ConnConfig) bool {
	return slices.ContainsFunc(c.Fallbacks, func(f *pgconn.FallbackConfig) bool { return f.Host != c.Host || f.Port != c.Port })
}

// showHosts names the servers and the database.
func showHosts(c *pgx.ConnConfig) string {
	hosts := []string{showHost(c.Host, c.Port)}
	for _, f := range c.Fallbacks {
		if h := showHost(f.Host, f.Port); !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	database := c.Database
	if database == "" {
		database = c.User // as PostgreSQL has it
	}
	return strings.Join(hosts, ",") + "/" + database
}

func showHost(host string, port uint16) string {
	if strings.HasPrefix(host, "/") { // the directory of a socket
		return host
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}
