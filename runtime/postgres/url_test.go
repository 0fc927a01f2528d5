package postgres

import (
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	for raw, want := range map[string]string{
		"postgres://u:p@h/shop":                                      "h:5432/shop",
		"postgresql://u@h1:1,h2:2/shop?schema=s&namespace=n":         "h1:1,h2:2/shop",
		"postgres://u@[::1]:7/shop?migrate=off&pool_max_conns=4":     "[::1]:7/shop",
		"postgres://u:p%2f%40%3f@h/shop?sslmode=disable":             "h:5432/shop",
		"postgres:///shop?host=/var/run/postgresql&user=u&port=5433": "/var/run/postgresql/shop",
	} {
		c, err := parseURL(raw)
		if err != nil || c.where != want {
			t.Errorf("%s: %q, %v, want %q", raw, c.where, err, want)
			continue
		}
		if several := strings.Contains(want, ","); several != (c.pool.ConnConfig.ValidateConnect != nil) {
			t.Errorf("%s: any of several servers will do, though only one can be written", raw)
		}
	}
	c, err := parseURL("postgres://u@h/shop?schema=s&namespace=n&migrate=off")
	if err != nil || c.names != (names{"s", "n"}) || c.migrate || len(c.pool.ConnConfig.RuntimeParams) != 1 {
		t.Errorf("parsed as %+v, %v", c, err)
	}
}

// Errors say what is wrong, and show no password.
func TestParseURLErrors(t *testing.T) {
	const secret = "s3cr3t"
	for raw, want := range map[string]string{
		"mysql://u:s3cr3t@h/shop":                      "use postgres://",
		"postgres:h/shop":                              "use postgres://",
		"postgres://u:s3cr3t/x@h/shop":                 "percent-encoded",
		"postgres://u:s3cr3t@h:port/shop":              "percent-encoded",
		"postgres://u:%zzs3cr3t@h/shop":                "percent-encoded",
		"postgres://u:s3cr3t@h/shop?namespace=A":       "namespace: use a lower-case letter",
		"postgres://u:s3cr3t@h/shop?schema=":           "schema: use a name",
		"postgres://u:s3cr3t@h/shop?migrate=no":        "migrate: use on or off",
		"postgres://u:s3cr3t@h/shop?schema=a&schema=b": "given twice",
		"postgres://u:s3cr3t@h/shop?sslmode=x":         "sslmode",
		"postgres://u:s3cr3t@h/shop?pool_max_conns=2":  "a worker needs 4",
		"postgres://u:s3cr3t@h/shop?%zz":               "not percent-encoded",
	} {
		_, err := parseURL(raw)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want %s", raw, err, want)
		}
	}
}
