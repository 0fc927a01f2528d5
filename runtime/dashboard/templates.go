package dashboard

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
)

//go:embed templates static
var files embed.FS

// templates are those of the pages by their names, each with the frame around it.
var templates = sync.OnceValue(func() map[string]*template.Template {
	frame := template.New("").Funcs(functions)
	sets := make(map[string]*template.Template)
	names, _ := fs.Glob(files, "templates/*.html") // the pattern is right
	read := func(t *template.Template, name string) {
		text, err := files.ReadFile(name)
		if err != nil {
			panic(err) // impossible: it is embedded
		}
		template.Must(t.Parse(roles.Replace(string(text))))
	}
	for _, name := range shared {
		read(frame, "templates/"+name+".html")
	}
	for _, name := range names {
		key := strings.TrimSuffix(path.Base(name), ".html")
		if slices.Contains(shared, key) {
			continue
		}
		sets[key] = template.Must(frame.Clone())
		read(sets[key], name)
	}
	return sets
})

// shared are the templates that all pages use.
var shared = []string{"frame", "parts", "lists", "fields"}

// roles says again what the parts of tables are. On phones their rows are blocks, and
// browsers then forget it.
var roles = strings.NewReplacer(
	"<table", `<table role="table"`, "<thead>", `<thead role="rowgroup">`, "<tbody>", `<tbody role="rowgroup">`,
	"<tr", `<tr role="row"`, `<th scope="row"`, `<th role="rowheader" scope="row"`, "<th ", `<th role="columnheader" `,
	"<th>", `<th role="columnheader">`, "<td", `<td role="cell"`,
)

// functions are what templates write with.
var functions = template.FuncMap{
	"int":     func(n int) string { return number(n) },
	"long":    func(n int64) string { return number(n) },
	"plural":  func(n int, one string) string { return plural(n, one) },
	"percent": percent,
	"took":    took,
	"ago":     ago,
	"exact":   exact,
	"short":   short,
	"tail":    tail,
	"static":  func(name string) string { return "static/" + name + "?v=" + versions()[name] },
	"bar":     newBar,
	"term":    term,
	"message": messagePath,
	"ellipsis": func(text string) []string {
		if text == "" {
			return nil
		}
		return strings.Split(text, "…")
	},
	"list":  func(s ...any) []any { return s },
	"query": func(query string) template.URL { return template.URL(query) }, // our own, and escaped
	"search": func(f frame, page string, found found, terms []string) search {
		return search{f.Root, page, found, terms}
	},
	"full": func(part, all int) string {
		if part >= all {
			return "look"
		}
		return "accent"
	},
}

// A search is the field of a selection on a page.
type search struct {
	Root, Page string
	Find       found
	Terms      []string
}

// A bar shows a part of something.
type bar struct {
	Class string
	Share int // per cent
}

func newBar(class string, part, all int) bar {
	return bar{class, min(100*max(part, 0)/max(all, 1), 100)}
}

// versions are the hashes of the static files, so that browsers may keep them.
var versions = sync.OnceValue(func() map[string]string {
	all := make(map[string]string)
	entries, _ := fs.ReadDir(files, "static") // it is embedded
	for _, e := range entries {
		text, _ := files.ReadFile("static/" + e.Name())
		sum := sha256.Sum256(text)
		all[e.Name()] = hex.EncodeToString(sum[:6])
	}
	return all
})

// static answers with a file of its own, and nothing else that is there.
func static(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	version, ok := versions()[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if r.URL.Query().Get("v") == version {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeFileFS(w, r, files, "static/"+name)
}
