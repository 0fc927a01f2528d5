package postgres

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// The codes of PostgreSQL's errors (appendix A of its manual) that are told apart.
const (
	codeInvalidPassword = "28P01"
	codeInvalidUser     = "28000"
	codeNoDatabase      = "3D000"
	codeNoTable         = "42P01"
	codeNoColumn        = "42703"
	codeNoSchema        = "3F000"
	codeNoPrivilege     = "42501"
	codeNoParameter     = "42704"
	codeReadOnly        = "25006"
	codeDiskFull        = "53100"
	codeManyConnections = "53300"
	codeStarting        = "57P03"
	codeLockTimeout     = "55P03"
	codeDuplicate       = "23505"
)

// code returns the code of an error of the server, or nothing.
func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// passes reports whether an error passes by itself, so that it is of use to try
// again.
func passes(err error) bool {
	switch c := code(err); {
	case c == "":
		return isConnectionError(err)
	case c == codeReadOnly: // until the connection is to the new primary
		return true
	case c == "57P04": // the database was dropped
		return false
	default:
		switch c[:2] {
		case "08", // connection
			"40", // serialization, deadlock
			"53", // no memory, no disk, no connections
			"55", // lock timeout
			"57", // shut down, cancelled
			"58": // system error
			return true
		}
		return false
	}
}

// isConnectionError reports whether the connection could not be made, or broke.
func isConnectionError(err error) bool {
	var network net.Error
	var dial *pgconn.ConnectError
	return errors.As(err, &dial) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, pgx.ErrTxClosed) || errors.Is(err, pgx.ErrTxCommitRollback) ||
		strings.Contains(err.Error(), "conn closed")
}

// isDataError reports whether the values of a statement are at fault.
func isDataError(err error) bool {
	c := code(err)
	return c == "" && !isConnectionError(err) || strings.HasPrefix(c, "22") || strings.HasPrefix(c, "23") || strings.HasPrefix(c, "54")
}

// unsent reports whether nothing of a statement has reached the server.
func unsent(err error) bool {
	var dial *pgconn.ConnectError
	return errors.As(err, &dial) || pgconn.SafeToRetry(err)
}

// explain says what is wrong, in one line, and what to do about it where it can.
func (t *target) explain(err error) error {
	if err == nil || errors.Is(err, broker.ErrClosed) {
		return err
	}
	if remedy := t.remedy(err); remedy != "" {
		return fmt.Errorf("postgres %s: %s (%w)", t.where, remedy, oneLine(err))
	}
	return fmt.Errorf("postgres %s: %w", t.where, oneLine(err))
}

func (t *target) remedy(err error) string {
	switch code(err) {
	case codeInvalidPassword, codeInvalidUser:
		return "the server refuses this user; check user and password in the URL, and pg_hba.conf"
	case codeNoDatabase:
		return "there is no such database; make it with createdb, or name another one"
	case codeNoTable, codeNoColumn, codeNoSchema:
		return "a table is missing or was changed; run dtask migrate check"
	case codeNoPrivilege:
		return "this user lacks a privilege; docs/postgresql.md lists those it needs"
	case codeNoParameter:
		return "the URL has a parameter that is unknown; known are those of libpq, schema, namespace and migrate"
	case codeReadOnly:
		return "the server is read-only; name the primary, or all hosts with target_session_attrs=read-write"
	case codeDiskFull:
		return "the disk of the server is full; make room"
	case codeManyConnections:
		return "the server has no connection left; raise max_connections, or lower pool_max_conns in the URLs"
	case codeStarting:
		return "the server is starting or stopping"
	}
	var unknownAuthority x509.UnknownAuthorityError
	if errors.As(err, &unknownAuthority) {
		return "the certificate of the server is signed by nobody known; name its authority with sslrootcert"
	}
	return ""
}

// oneLine is an error whose text is one line: pgx puts each try to connect on a line
// of its own.
func oneLine(err error) error {
	if !strings.ContainsRune(err.Error(), '\n') {
		return err
	}
	return &lined{err}
}

type lined struct{ err error }

func (e *lined) Error() string {
	lines := strings.FieldsFunc(e.err.Error(), func(r rune) bool { return r == '\n' || r == '\t' })
	return strings.Join(slices.Compact(lines), "; ") // a batch and its end have the same error
}

func (e *lined) Unwrap() error { return e.err }
