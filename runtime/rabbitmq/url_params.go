package rabbitmq

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/internal/limit"
)

// setParams sets what the parameters of the URL say.
func (c *config) setParams(scheme, query string) error {
	params, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("broker URL: the parameters after '?' are not percent-encoded")
	}
	one := make(map[string]string)
	for name, values := range params {
		switch name {
		case "namespace", "heartbeat", "consumer_timeout", "ca", "cert", "key", "auth", "servername":
		default:
			if strings.Contains(query, "@") {
				return errors.New("broker URL: unknown parameter, and an '@' after the '?'; write reserved characters of user and password percent-encoded, '?' as %3f")
			}
			return fmt.Errorf("broker URL: unknown parameter %.40q; known are namespace, heartbeat, consumer_timeout, ca, cert, key, auth, servername", name)
		}
		if len(values) > 1 {
			return fmt.Errorf("broker URL: parameter %s is given twice", name)
		}
		one[name] = values[0]
	}
	if ns, ok := one["namespace"]; ok {
		if remedy, ok := limit.Namespace(ns); !ok {
			return fmt.Errorf("broker URL: namespace: %s", remedy)
		}
		c.namespace = ns
	}
	if h, ok := one["heartbeat"]; ok {
		n, err := strconv.Atoi(h)
		if err != nil || n < 1 || n > 3600 {
			return errors.New("broker URL: heartbeat: use a number of seconds from 1 to 3600")
		}
		c.heartbeat = time.Duration(n) * time.Second
	}
	if h, ok := one["consumer_timeout"]; ok {
		n, err := strconv.Atoi(h)
		if err != nil || n < 3 || n > 1<<30 {
			return errors.New("broker URL: consumer_timeout: use a number of seconds from 3, that of RabbitMQ")
		}
		c.consumerTimeout = time.Duration(n) * time.Second
	}
	switch one["auth"] {
	case "":
	case "external":
		c.external = true
	default:
		return errors.New("broker URL: auth: the one value known is external")
	}
	if scheme == "amqps" {
		return c.setTLS(one)
	}
	for _, name := range []string{"ca", "cert", "key", "auth", "servername"} {
		if one[name] != "" {
			return fmt.Errorf("broker URL: parameter %s needs TLS; use amqps://", name)
		}
	}
	return nil
}
