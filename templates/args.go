package templates

import (
	"fmt"
	"strings"
	"unicode"

	. "github.com/dave/jennifer/jen"

	"github.com/dtaskhq/dtask/internal/fieldtag"
	"github.com/dtaskhq/dtask/internal/scan"
)

// argsStruct emits the message of a task:
//
//	// SendWelcomeArgs are the arguments of SendWelcome.
//	type SendWelcomeArgs struct {
//		To   string `json:"to"`
//		User User   `json:"user"`
//	}
func (w *writer) argsStruct(t *scan.Task) *Statement {
	fields := fieldNames(t)
	return doc(fmt.Sprintf("%s are the arguments of %s.", t.Names.Args, t.Function())).
		Type().Id(t.Names.Args).StructFunc(func(g *Group) {
		for i, p := range t.Params {
			tag := map[string]string{"json": p.Name}
			var words []string
			if t.Args.Fields[i].Secret {
				words = append(words, "secret")
			}
			for _, was := range t.Args.Fields[i].Was {
				words = append(words, "was="+was)
			}
			if words != nil {
				tag[fieldtag.Key] = strings.Join(words, ",")
			}
			g.Id(fields[i]).Add(typ(p.Type)).Tag(tag)
		}
	})
}

// fieldNames returns the name of the field for each parameter.
func fieldNames(t *scan.Task) []string {
	taken := make(map[string]bool)
	var fields []string
	for _, p := range t.Params {
		name := unused(fieldName(p.Name), taken)
		taken[name] = true
		fields = append(fields, name)
	}
	return fields
}

// initialisms are the words that Go writes in capitals
// (https://go.dev/wiki/CodeReviewComments#initialisms).
var initialisms = map[string]bool{
	"api": true, "ascii": true, "cpu": true, "css": true, "csv": true, "db": true, "dns": true,
	"html": true, "http": true, "https": true, "id": true, "ip": true, "json": true, "pdf": true,
	"rpc": true, "smtp": true, "sql": true, "ssh": true, "tcp": true, "tls": true, "ttl": true,
	"udp": true, "ui": true, "uri": true, "url": true, "utf8": true, "uuid": true, "xml": true,
}

// fieldName returns the exported form of a parameter's name: to → To,
// userID → UserID, urlPath → URLPath. What has no capital gets an X in front.
func fieldName(param string) string {
	end := strings.IndexFunc(param, unicode.IsUpper)
	if end < 0 {
		end = len(param)
	}
	if initialisms[param[:end]] {
		return strings.ToUpper(param[:end]) + param[end:]
	}
	name := scan.Capitalize(param)
	if first := []rune(name)[0]; !unicode.IsUpper(first) {
		return "X" + name
	}
	return name
}
