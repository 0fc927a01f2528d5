// Package management asks the management API of RabbitMQ for what AMQP does not show:
// policies, permissions, and how nodes are.
package management

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A Server is a management API.
type Server struct {
	base           string // without a user
	user, password string
	client         http.Client
}

// patience bounds a request.
const patience = 10 * time.Second

// New returns the server of a URL. Without a user in it, it is asked as this one.
func New(raw, user, password string) (*Server, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("management URL: use http://USER:PASSWORD@HOST:15672")
	}
	s := &Server{user: user, password: password, client: http.Client{Timeout: patience}}
	if u.User != nil {
		s.user = u.User.Username()
		s.password, _ = u.User.Password()
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	s.base = strings.TrimSuffix(u.String(), "/")
	return s, nil
}

// A Queue is what is told of one.
type Queue struct {
	Name    string         `json:"name"`
	Type    string         `json:"type"`
	Policy  string         `json:"policy"`
	Applied map[string]any `json:"effective_policy_definition"`
	Members []string       `json:"members"` // the nodes that have it
	Online  []string       `json:"online"`  // those that run
}

// Queues returns the queues of a virtual host.
func (s *Server) Queues(ctx context.Context, vhost string) (list []Queue, err error) {
	return list, s.get(ctx, &list, "queues", vhost)
}

// A Node is what is told of one.
type Node struct {
	Name        string   `json:"name"`
	Running     bool     `json:"running"`
	MemoryAlarm bool     `json:"mem_alarm"`
	DiskAlarm   bool     `json:"disk_free_alarm"`
	Partitions  []string `json:"partitions"` // nodes that it does not reach
}

// Nodes returns the nodes of the cluster.
func (s *Server) Nodes(ctx context.Context) (list []Node, err error) {
	return list, s.get(ctx, &list, "nodes")
}

// Permissions are regular expressions of what a user may use.
type Permissions struct {
	Configure string `json:"configure"`
	Write     string `json:"write"`
	Read      string `json:"read"`
}

// Permissions returns those of a user in a virtual host.
func (s *Server) Permissions(ctx context.Context, vhost, user string) (p Permissions, err error) {
	return p, s.get(ctx, &p, "permissions", vhost, user)
}

// get asks for the JSON at a path. An error says nothing of the password.
func (s *Server) get(ctx context.Context, answer any, path ...string) error {
	address := s.base + "/api"
	for _, p := range path {
		address += "/" + url.PathEscape(p)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	request.SetBasicAuth(s.user, s.password)
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
			return fmt.Errorf("%s: no answer of a management API: %w", address, err)
		}
		return nil
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%s: user %q may not see that; it needs the tag monitoring, or administrator for permissions", address, s.user)
	}
	return fmt.Errorf("%s: %s", address, response.Status)
}
