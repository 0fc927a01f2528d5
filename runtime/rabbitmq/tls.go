package rabbitmq

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// setTLS sets the TLS configuration from the files named by the parameters.
func (c *config) setTLS(params map[string]string) error {
	c.tls = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: params["servername"]}
	if file := params["ca"]; file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("broker URL: ca: %w", err)
		}
		c.tls.RootCAs = x509.NewCertPool()
		if !c.tls.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("broker URL: ca: %s holds no certificate in PEM form", file)
		}
	}
	cert, key := params["cert"], params["key"]
	if (cert == "") != (key == "") {
		return errors.New("broker URL: cert and key are given together or not at all")
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return fmt.Errorf("broker URL: cert and key: %w", err)
		}
		c.tls.Certificates = []tls.Certificate{pair}
	}
	if c.external && cert == "" {
		return errors.New("broker URL: auth=external needs the client certificate: cert and key")
	}
	return nil
}
