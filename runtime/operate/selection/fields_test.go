package selection

import (
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/schema"
)

func TestCheck(t *testing.T) {
	known := func(name, fingerprint string, lines ...string) Known {
		s, err := schema.Parse(lines)
		if err != nil {
			t.Fatal(err)
		}
		return Known{[]string{"acme.org/shop/" + name}, fingerprint, s}
	}
	two := []Known{
		known("mail.Send", "aa", "to string", "user *User", "raw JSON of x.Raw", "n int, as string", "at time.Time", "User.id int64", "User.friends []User", "User.by map[string]User"),
		known("pay.Charge", "bb", "user User", "amount float64", "User.ID int", "User.iban string"),
	}
	for text, want := range map[string]string{
		"":               "",
		"state:dead":     "",
		"args.user.id:7": "", "args.user.ID:7": "", "args.user.iban~DE": "", "args.user.friends.0.by.anybody.id>7": "",
		"args.raw.what.ever:x": "", "args.n:7": "", "args.user:null": "", "args.amount:1e3,2": "", "args.to:a*": "",
		"args.usr.id:7":                         `args has no "usr"; did you mean user?`,
		"-args.usr.id:7":                        `did you mean user?`,
		"args.user.idd:7":                       `args.user has no "idd"; did you mean id?`,
		"args.user.Iban:7":                      `args.user has no "Iban"; did you mean iban?`,
		"args.zzzzzzzz:7":                       `no task of this program that is selected has args.zzzzzzzz`,
		"task:mail.Send args.amount:7":          `args has no "amount"; it has to, user, raw, n, at`,
		"task:pay.* args.amount:7":              "",
		"task:pay.*,mail.* args.amount:7":       "",
		"task:pay.Charge args.user.id:7":        `did you mean ID?`,
		"schema:aa args.user.iban:7":            `args.user has no "iban"`,
		"schema:old args.nothing:7":             "",
		"task:other.Task args.nothing:7":        "",
		"task:other.Task,mail.Send args.none:7": "",
		"args.to.x:7":                           `args.to is string, and has no "x"`,
		"args.user.friends.first:7":             `an element of it is args.user.friends.0`,
		"args.user.friends.-1:7":                `an element of it is args.user.friends.0`,
		"args.to>7":                             `args.to is string, and > compares numbers`,
		"args.at<7":                             `args.at is time.Time, and < compares numbers`,
		"task:mail.Send args.user.id:7,x":       `args.user.id is int64, and never equal to "x"`,
	} {
		s, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		err = s.Check(two)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	unknown := append(two, Known{Names: []string{"x.Y"}})
	if s, _ := Parse("args.zzzzzzzz:7"); s.Check(unknown) != nil {
		t.Error("a task of which nothing is known may have every argument")
	}
}
