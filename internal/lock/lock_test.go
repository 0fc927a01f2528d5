package lock_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/lock"
	"github.com/dtaskhq/dtask/internal/schema"
)

const today = "2026-11-26"

func parse(t *testing.T, lines ...string) *schema.Schema {
	t.Helper()
	s, err := schema.Parse(lines)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run returns a run that saw some tasks of example.com/shop, in a module without
// version control.
func run(tasks ...lock.Source) lock.Run {
	return lock.Run{
		Module: "example.com/shop", Tasks: tasks, Today: today,
		Gone:      func(pkg string) bool { return pkg == "example.com/shop/mail" },
		Excluded:  func(string) bool { return false },
		Retired:   func(string) bool { return false },
		Committed: func() (*lock.Lock, string) { return nil, "" },
	}
}

func source(t *testing.T, name string, lines ...string) lock.Source {
	return lock.Source{Name: "example.com/shop/" + name, Package: "example.com/shop/mail", Queue: "default", Args: parse(t, lines...)}
}

func update(t *testing.T, l *lock.Lock, r lock.Run) *lock.Lock {
	t.Helper()
	next, err := l.Update(r)
	if err != nil {
		t.Fatal(err)
	}
	again, err := lock.Read(next.Format(), today)
	if err != nil {
		t.Fatalf("the file cannot be read: %v\n%s", err, next.Format())
	}
	if string(again.Format()) != string(next.Format()) {
		t.Fatalf("read and written:\n%s\nwas:\n%s", again.Format(), next.Format())
	}
	return again
}

func want(t *testing.T, l *lock.Lock, text string) {
	t.Helper()
	_, got, _ := strings.Cut(string(l.Format()), "module example.com/shop\n")
	if strings.TrimSpace(got) != strings.TrimSpace(text) {
		t.Errorf("got:\n%s\nwant:\n%s", got, text)
	}
}

func fp(t *testing.T, lines ...string) string { return parse(t, lines...).Fingerprint() }

// A version that was left is kept, with its fields; what is taken back is present
// again; and a task of a package that the run did not see stays.
func TestVersions(t *testing.T) {
	other := lock.Source{Name: "example.com/shop/a.F", Package: "example.com/shop/a", Queue: "default", Args: parse(t, "n int"), Result: parse(t, "result string")}
	l := update(t, new(lock.Lock), run(source(t, "mail.Send", "to string"), other))
	one := l.Format()
	l = update(t, l, run(source(t, "mail.Send", "to base64")))
	want(t, l, `
task example.com/shop/a.F
	package example.com/shop/a
	queue default
	args v1 `+fp(t, "n int")+`
		n int
	result v1 `+fp(t, "result string")+`
		result string

task example.com/shop/mail.Send
	package example.com/shop/mail
	queue default
	args v2 `+fp(t, "to base64")+`
		to base64
	args v1 `+fp(t, "to string")+` left 2026-11-26
		to string
`)
	back := update(t, l, run(source(t, "mail.Send", "to string")))
	if p := back.Task("example.com/shop/mail.Send").Args.Present(); p.N != 1 || p.Left != "" {
		t.Errorf("the change was taken back, and v%d is present", p.N)
	}
	if string(one) == string(back.Format()) {
		t.Error("v2, which may have been in use, is forgotten")
	}
}

// A version that no commit has is replaced. One that a commit has is kept, with the
// commit.
func TestCommitted(t *testing.T) {
	committed := update(t, new(lock.Lock), run(source(t, "mail.Send", "to string")))
	r := run(source(t, "mail.Send", "to base64"))
	r.Committed = func() (*lock.Lock, string) { return committed, "1a2b3c4" }
	l := update(t, committed, r)
	r.Tasks = []lock.Source{source(t, "mail.Send", "to int")}
	l = update(t, l, r)
	want(t, l, `
task example.com/shop/mail.Send
	package example.com/shop/mail
	queue default
	args v2 `+fp(t, "to int")+`
		to int
	args v1 `+fp(t, "to string")+` left 2026-11-26 after 1a2b3c4
		to string
`)
}

func TestGone(t *testing.T) {
	l := update(t, new(lock.Lock), run(source(t, "mail.A"), source(t, "mail.B")))
	r := run(source(t, "mail.B"))
	l = update(t, l, r)
	if a := l.Task("example.com/shop/mail.A"); a == nil || a.Gone != today {
		t.Errorf("not marked as gone: %+v", a)
	}
	back := update(t, l, run(source(t, "mail.A"), source(t, "mail.B")))
	if back.Task("example.com/shop/mail.A").Gone != "" {
		t.Error("gone though it is back")
	}
	r.Retired = func(name string) bool { return name == "example.com/shop/mail.A" }
	if l := update(t, l, r); l.Task("example.com/shop/mail.A") != nil || l.Task("example.com/shop/mail.B") == nil {
		t.Error("what is retired is not the only one that is removed")
	}
}

// A renamed task has the messages of its old names.
func TestRenamed(t *testing.T) {
	l := update(t, new(lock.Lock), run(source(t, "mail.A", "x int"), source(t, "mail.Z")))
	b := source(t, "mail.B", "x int64")
	b.Was = "example.com/shop/mail.A"
	l = update(t, l, run(b, source(t, "mail.Z")))
	c := source(t, "mail.C", "x int64")
	c.Was = "example.com/shop/mail.B"
	for range 2 { // again without a change
		l = update(t, l, run(c, source(t, "mail.Z")))
		want(t, l, `
task example.com/shop/mail.C
	package example.com/shop/mail
	queue default
	was example.com/shop/mail.B
	was example.com/shop/mail.A
	args v2 `+fp(t, "x int64")+`
		x int64
	args v1 `+fp(t, "x int")+` left 2026-11-26
		x int

task example.com/shop/mail.Z
	package example.com/shop/mail
	queue default
	args v1 `+fp(t)+`
`)
	}
}

func TestModuleRenamed(t *testing.T) {
	l := update(t, new(lock.Lock), run(source(t, "mail.A", "x int")))
	r := run(lock.Source{Name: "example.com/store/mail.A", Package: "example.com/store/mail", Queue: "default", Args: parse(t, "x int")})
	r.Module = "example.com/store"
	var flaw *lock.Error
	if _, err := l.Update(r); !errors.As(err, &flaw) || flaw.Line == 0 || !strings.Contains(flaw.Hint, "module example.com/store was example.com/shop") {
		t.Fatalf("%v", err)
	}
	said, err := lock.Read([]byte(strings.Replace(string(l.Format()), "module example.com/shop", "module example.com/store was example.com/shop", 1)), today)
	if err != nil {
		t.Fatal(err)
	}
	a := update(t, said, r).Task("example.com/store/mail.A")
	if a == nil || len(a.Args) != 1 || len(a.Was) != 1 || a.Was[0] != "example.com/shop/mail.A" || a.Package != "example.com/store/mail" {
		t.Errorf("%+v", a)
	}
}

// Two people change two tasks, and one task.
func TestConflict(t *testing.T) {
	base := update(t, new(lock.Lock), run(source(t, "mail.A", "x int"), source(t, "mail.B")))
	ours := update(t, base, run(source(t, "mail.A", "x string"), source(t, "mail.B")))
	theirs := update(t, base, run(source(t, "mail.A", "x bool"), source(t, "mail.B"), source(t, "mail.C")))
	cut := func(l *lock.Lock) string {
		_, text, _ := strings.Cut(string(l.Format()), "module example.com/shop\n")
		return text
	}
	head, _, _ := strings.Cut(string(base.Format()), "module")
	text := head + "module example.com/shop\n<<<<<<< HEAD\n" + cut(ours) + "||||||| 1234567\n" + cut(base) + "=======\n" + cut(theirs) + ">>>>>>> feature\n"
	l, err := lock.Read([]byte(text), today)
	if err != nil {
		t.Fatal(err)
	}
	l = update(t, l, run(source(t, "mail.A", "x bool"), source(t, "mail.B"), source(t, "mail.C")))
	want(t, l, `
task example.com/shop/mail.A
	package example.com/shop/mail
	queue default
	args v3 `+fp(t, "x bool")+`
		x bool
	args v2 `+fp(t, "x string")+` left 2026-11-26
		x string
	args v1 `+fp(t, "x int")+` left 2026-11-26
		x int

task example.com/shop/mail.B
	package example.com/shop/mail
	queue default
	args v1 `+fp(t)+`

task example.com/shop/mail.C
	package example.com/shop/mail
	queue default
	args v1 `+fp(t)+`
`)
}

// What a person or an accident has broken is said with its line.
func TestDamaged(t *testing.T) {
	good := string(update(t, new(lock.Lock), run(source(t, "mail.A", "x int", "y string"), source(t, "mail.B"))).Format())
	f := fp(t, "x int", "y string")
	for name, c := range map[string]struct{ from, to, want string }{
		"newer":            {"dtask.lock 1", "dtask.lock 2", "dtask.lock:3: a newer dtaskgen wrote it"},
		"another file":     {"dtask.lock 1", "{}", `dtask.lock:3: this is no dtask.lock: it begins with "{}"`},
		"edited":           {"x int", "x int8", "dtask.lock:9: the fields of v1 were changed by hand"},
		"unreadable":       {"x int", "x [", "dtask.lock:9: the fields of v1 cannot be read: line 1 (x [)"},
		"task twice":       {"mail.B", "mail.A", "dtask.lock:13: task example.com/shop/mail.A is there twice"},
		"version twice":    {"\targs v1 " + f, "\targs v1 " + fp(t) + " left 2026-01-01\n\targs v1 " + f, "dtask.lock:10: v1 is there twice"},
		"fingerprint":      {"\targs v1 " + f, "\targs v2 " + f + " left 2026-01-01\n\t\tx int\n\t\ty string\n\targs v1 " + f, "dtask.lock:12: fingerprint " + f + " is there twice"},
		"two present":      {"\targs v1 " + f, "\targs v2 " + fp(t) + "\n\targs v1 " + f, "dtask.lock:6: task example.com/shop/mail.A has 2 present versions"},
		"no module":        {"module example.com/shop", "", "it has no module"},
		"no package":       {"\tpackage example.com/shop/mail\n", "", "dtask.lock:6: task example.com/shop/mail.A has no package"},
		"a word":           {"\tpackage", "\tpacket", `dtask.lock:7: "packet example.com/shop/mail" says nothing about a task`},
		"no task":          {"task example.com/shop/mail.A", "", "belongs to no task"},
		"no version":       {"\targs v1 " + f + "\n", "", "dtask.lock:9: a field belongs to no version"},
		"strange version":  {"v1 " + f, "v0 " + f, "is no version"},
		"strange":          {"task example.com/shop/mail.B", "job b", `dtask.lock:13: "job b" is neither a module nor a task`},
		"long line":        {"task example.com/shop/mail.B", strings.Repeat("é", 1000), "…"},
		"conflict, broken": {"x int", "<<<<<<< a\n\t\tx int8\n=======\n\t\tx int\n>>>>>>> b", "were changed by hand"},
	} {
		text := strings.Replace(good, c.from, c.to, 1)
		if text == good {
			t.Errorf("%s: nothing was replaced", name)
		}
		_, err := lock.Read([]byte(text), today)
		var flaw *lock.Error
		if !errors.As(err, &flaw) || !strings.Contains(err.Error(), c.want) || flaw.Hint == "" || len(err.Error()) > 400 {
			t.Errorf("%s: %v\nwant %s", name, err, c.want)
		}
	}
	for n := range len(good) { // cut off anywhere: an error, or what a shorter file may say
		if l, err := lock.Read([]byte(good[:n]), today); err == nil && n > 0 && strings.Contains(good[n:], "x int") && len(l.Tasks) > 0 {
			t.Errorf("cut off at %d without an error:\n%s", n, good[:n])
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("dtask.lock 1\nmodule a\n\ntask a.B\n\tpackage a\n\tqueue q\n\targs v1 e3b0c44298fc1c14\n"))
	f.Add([]byte("dtask.lock 1\nmodule a\n<<<<<<< x\ntask a.B\n=======\n>>>>>>> y\n\tpackage a\n\tqueue q\n\targs v1 e3b0c44298fc1c14\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := lock.Read(text, today)
		if err != nil {
			return
		}
		again, err := lock.Read(l.Format(), today)
		if len(l.Tasks) > 0 && (err != nil || string(again.Format()) != string(l.Format())) {
			t.Fatalf("%v\n%s", err, l.Format())
		}
	})
}

// What was left long ago is forgotten, unless somebody has found messages of it.
func TestPrune(t *testing.T) {
	read := func() *lock.Lock {
		var text strings.Builder
		text.WriteString("dtask.lock 1\nmodule example.com/shop\n")
		for _, name := range []string{"a", "b"} {
			text.WriteString("\ntask " + name + "\n\tpackage .\n\tqueue q\n\targs v4 " + parse(t, "d int").Fingerprint() + "\n\t\td int\n")
			for i, day := range []string{"2026-03-01", "2026-02-01", "2026-01-01"} {
				field := string(rune('c' - i))
				text.WriteString("\targs v" + string(rune('3'-i)) + " " + parse(t, field+" int").Fingerprint() + " left " + day + "\n\t\t" + field + " int\n")
			}
		}
		for _, gone := range []string{"2026-01-01", "2026-03-01"} {
			text.WriteString("\ntask gone." + gone + "\n\tpackage .\n\tqueue q\n\tgone " + gone + "\n\targs v1 " + parse(t, "a int").Fingerprint() + "\n\t\ta int\n")
		}
		l, err := lock.Read([]byte(text.String()), today)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	left := func(l *lock.Lock) string {
		var parts []string
		for _, task := range l.Tasks {
			part := task.Name
			for _, v := range task.Args {
				part += " v" + string(rune('0'+v.N))
			}
			parts = append(parts, part)
		}
		return strings.Join(parts, ", ")
	}
	all := func(string) bool { return true }
	found := func(task, fields string) func(*lock.Task, string) bool {
		return func(t2 *lock.Task, fp string) bool { return t2.Name == task && fp == parse(t, fields).Fingerprint() }
	}
	for name, c := range map[string]struct {
		before string
		only   func(string) bool
		keep   func(*lock.Task, string) bool
		n      int
		want   string
	}{
		"none is so old":     {"2026-01-01", all, found("", ""), 0, "a v4 v3 v2 v1, b v4 v3 v2 v1, gone.2026-01-01 v1, gone.2026-03-01 v1"},
		"some":               {"2026-02-02", all, found("", ""), 5, "a v4 v3, b v4 v3, gone.2026-03-01 v1"},
		"all but the newest": {"2027-01-01", all, found("", ""), 8, "a v4, b v4"},
		"one task":           {"2026-02-02", func(task string) bool { return task == "b" }, found("", ""), 3, "a v4 v3 v2 v1, b v4 v3, gone.2026-03-01 v1"},
		"found":              {"2027-01-01", all, found("a", "b int"), 6, "a v4 v3 v2, b v4"},
		"found of one gone":  {"2027-01-01", all, found("gone.2026-01-01", "a int"), 7, "a v4, b v4, gone.2026-01-01 v1"},
	} {
		l := read()
		if n := l.Prune(c.before, c.only, c.keep); n != c.n || left(l) != c.want {
			t.Errorf("%s: %d, %s; want %d, %s", name, n, left(l), c.n, c.want)
		}
	}
}
