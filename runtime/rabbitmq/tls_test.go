package rabbitmq_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbitnode"
	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq"
)

// An authority issues certificates into a directory.
type authority struct {
	t    *testing.T
	dir  string
	name string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, dir, name string) *authority {
	a := &authority{t: t, dir: dir, name: name}
	a.cert, a.key = a.issue(name, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// issue writes NAME.pem and NAME.key.
func (a *authority) issue(name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore = time.Now().Add(-time.Hour)
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name+".pem", "CERTIFICATE", der)
	a.write(name+".key", "PRIVATE KEY", keyDER)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) write(name, kind string, der []byte) {
	a.t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// TLS with an authority of one's own, with a client certificate, and with the
// certificate in the place of a password; and what is said when it fails.
func TestTLS(t *testing.T) {
	t.Parallel()
	if os.Getenv(rabbitnode.EnvURL) == "" {
		rabbittest.URL(t) // skips, or fails
	}
	dir := t.TempDir()
	ca, other := newAuthority(t, dir, "ca"), newAuthority(t, dir, "other")
	ca.issue("server", &x509.Certificate{
		Subject: pkix.Name{CommonName: "server"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"rabbit.example"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	client := func() *x509.Certificate {
		return &x509.Certificate{Subject: pkix.Name{CommonName: "robot"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	}
	ca.issue("client", client())
	for _, name := range []string{"nobody", "newcomer"} {
		c := client()
		c.Subject.CommonName = name
		ca.issue(name, c)
	}
	other.issue("stranger", client())

	port, err := rabbitnode.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	node := rabbittest.StartNode(t, rabbitnode.Options{
		Plugins: []string{"rabbitmq_auth_mechanism_ssl"},
		Config: fmt.Sprintf("listeners.ssl.1 = 127.0.0.1:%d\n", port) +
			"ssl_options.cacertfile = " + file("ca.pem") + "\n" +
			"ssl_options.certfile = " + file("server.pem") + "\n" +
			"ssl_options.keyfile = " + file("server.key") + "\n" +
			"ssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true\n" +
			"auth_mechanisms.1 = PLAIN\nauth_mechanisms.2 = EXTERNAL\nssl_cert_login_from = common_name\n",
	})
	node.AddUser("robot", "unused")
	node.Permit("robot", ".*", ".*", ".*")
	node.AddUser("newcomer", "unused") // and no permission

	base := fmt.Sprintf("amqps://guest:guest@127.0.0.1:%d/", port)
	plain := strings.Replace(base, "guest:guest@", "", 1)
	trust, mine := "?ca="+file("ca.pem"), "&cert="+file("client.pem")+"&key="+file("client.key")
	for _, url := range []string{base + trust + mine, plain + trust + mine + "&auth=external", base + trust + mine + "&servername=rabbit.example"} {
		b := open(t, url)
		c := consume(t, b, "q", 1)
		m := message("q")
		enqueue(t, b, m)
		d := receive(t, c)
		if d.Message().ID != m.ID {
			t.Errorf("delivered %s, want %s", d.Message().ID, m.ID)
		}
		d.Settle(broker.Settlement{Verdict: broker.Done})
		if err := c.Close(testContext(t)); err != nil {
			t.Error(err)
		}
	}
	external := func(who string) string {
		return plain + trust + "&cert=" + file(who+".pem") + "&key=" + file(who+".key") + "&auth=external"
	}
	for _, c := range []struct{ name, url, want string }{
		{"unknown authority", base + "?ca=" + file("other.pem") + mine, "ca=FILE"},
		{"other name", base + trust + mine + "&servername=wrong.example", "servername=NAME"},
		{"no client certificate", base + trust, "client certificate"},
		{"client certificate of a stranger", base + trust + "&cert=" + file("stranger.pem") + "&key=" + file("stranger.key"), "client certificate"},
		{"certificate of no user", external("nobody"), `refuses the user of the certificate "CN=nobody"; create that user, or check cert`},
		{"certificate without permission", external("newcomer"), `does not let the user of the certificate "CN=newcomer" into virtual host "/"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := rabbitmq.Open(testContext(t), c.url, broker.Config{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("open: %v, want %q", err, c.want)
			}
		})
	}
}

// The certificate of a server that has expired is told at once, with the remedy.
func TestExpiredCertificate(t *testing.T) {
	t.Parallel()
	noLeaks(t)
	dir := t.TempDir()
	ca := newAuthority(t, dir, "ca")
	cert, key := ca.issue("server", &x509.Certificate{
		Subject: pkix.Name{CommonName: "server"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		NotAfter:    time.Now().Add(-time.Minute),
	})
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	accepted := 0
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted++
			c.(*tls.Conn).Handshake()
			c.Close()
		}
	})
	_, err = rabbitmq.Open(testContext(t), "amqps://guest:guest@"+l.Addr().String()+"/?ca="+filepath.Join(dir, "ca.pem"), broker.Config{})
	l.Close()
	serving.Wait()
	if err == nil || !strings.Contains(err.Error(), "renew the server's certificate") || accepted != 1 {
		t.Errorf("open: %v at attempt %d, want the remedy at the first", err, accepted)
	}
}
