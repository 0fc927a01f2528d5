package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/dtaskhq/dtask/internal/scan"
)

// emitJSONSchema is what -emit is for JSON Schemas, which are written into files.
const emitJSONSchema = "jsonschema"

// emit returns a file with the JSON Schema of the arguments of each task, and one of
// the result where there is one: DIR/github.com/acme/shop/mail.Send.json and
// mail.Send.result.json.
func emit(dir string, pkgs []*scan.Package) ([]*file, error) {
	var files []*file
	add := func(name, suffix string, text []byte) error {
		f, err := read(filepath.Join(dir, schemaPath(name)+suffix))
		if err != nil {
			return err
		}
		f.new = text
		files = append(files, f)
		return os.MkdirAll(filepath.Dir(f.path), 0o777)
	}
	for _, p := range pkgs {
		for _, t := range p.Tasks {
			if err := add(t.Name, ".json", t.Args.JSONSchema("arguments of "+t.Name)); err != nil {
				return nil, fmt.Errorf("cannot write a schema: %w", err)
			}
			if t.Returns == nil {
				continue
			}
			if err := add(t.Name, ".result.json", t.Returns.FieldSchema("result of "+t.Name)); err != nil {
				return nil, fmt.Errorf("cannot write a schema: %w", err)
			}
		}
	}
	return files, nil
}

// schemaPath returns the path of a task's schemas, whatever its name is.
func schemaPath(name string) string {
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		part = url.PathEscape(part)
		if strings.Trim(part, ".") == "" {
			part = "%" + part // no part leads up
		}
		parts = append(parts, part)
	}
	return filepath.Join(parts...)
}
