package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func TestEmit(t *testing.T) {
	dir := module(t, map[string]string{
		"m.go": "package m\n\n//dtask:task\nfunc Send(to string) (int, error) { return 0, nil }\n\n//dtask:task name=../../odd\nfunc Odd() {}\n",
	})
	const want = "2 tasks in 1 package; wrote schemas/%../%../odd.json, schemas/example.com/m.Send.json, schemas/example.com/m.Send.result.json\n"
	if code, stdout, stderr := dtaskgen(t, "-emit", "jsonschema", "-o", "schemas"); code != 0 || stdout != want || stderr != "" {
		t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
	}
	var args struct {
		Title      string
		Properties map[string]struct{ Type string }
	}
	if err := json.Unmarshal([]byte(readFile(t, filepath.Join(dir, "schemas/example.com/m.Send.json"))), &args); err != nil || args.Title != "arguments of example.com/m.Send" || args.Properties["to"].Type != "string" {
		t.Errorf("%v: %+v", err, args)
	}
	var result struct{ Type string }
	if err := json.Unmarshal([]byte(readFile(t, filepath.Join(dir, "schemas/example.com/m.Send.result.json"))), &result); err != nil || result.Type != "integer" {
		t.Errorf("%v: %+v", err, result)
	}
	for _, generated := range []string{"dtask_gen.go", "dtask.lock"} {
		if _, err := os.Stat(filepath.Join(dir, generated)); !os.IsNotExist(err) {
			t.Errorf("%s was written: %v", generated, err)
		}
	}
	for _, args := range [][]string{{"-emit", "xml", "-o", "x"}, {"-emit", "jsonschema"}, {"-o", "x"}, {"-emit", "jsonschema", "-o", "x", "-check"}} {
		if code, _, stderr := dtaskgen(t, args...); code != 2 || stderr == "" {
			t.Errorf("%v: exit %d\n%s", args, code, stderr)
		}
	}
}
