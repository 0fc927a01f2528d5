package dashboard

import (
	"net/url"
	"slices"
	"strings"
)

// A sorting is the order of a table that its heads change: by one column, whose name is in
// the address, or the page's own order.
type sorting struct {
	by      string // or empty
	down    bool   // from the most to the least
	address url.Values
}

// sorting returns the order that the address of a page asks for: sort=NAME, or sort=-NAME
// for the opposite. own is that of a page that is sorted by a column by itself, or empty.
func (v *visit) sorting(own string) sorting {
	s := sorting{address: v.r.URL.Query()}
	by := own
	if s.address.Has("sort") {
		by = s.address.Get("sort")
	}
	s.by, s.down = strings.CutPrefix(by, "-")
	return s
}

// A head is a head of a column that sorts the table.
type head struct{ Title, Class, Link, Order string }

// Numbers is the head of a column of numbers: those who look want the largest first.
func (s sorting) Numbers(name, title, class string) head { return s.head(name, title, class, true) }

// Names is the head of a column of names.
func (s sorting) Names(name, title string) head { return s.head(name, title, "", false) }

func (s sorting) head(name, title, class string, down bool) head {
	h := head{Title: title, Class: class}
	if s.by == name {
		down, h.Order = !s.down, "ascending"
		if s.down {
			h.Order = "descending"
		}
	}
	address := url.Values{}
	for key, values := range s.address {
		if key != "did" { // a note that is read once
			address[key] = values
		}
	}
	address.Set("sort", map[bool]string{true: "-"}[down]+name)
	h.Link = "?" + address.Encode()
	return h
}

// sortRows sorts rows by the column that is asked for, if there is one of that name. What
// is alike there stays in the page's own order.
func sortRows[T any](s sorting, rows []T, columns map[string]func(a, b *T) int) {
	compare := columns[s.by]
	if compare == nil {
		return
	}
	slices.SortStableFunc(rows, func(a, b T) int {
		if s.down {
			return compare(&b, &a)
		}
		return compare(&a, &b)
	})
}
