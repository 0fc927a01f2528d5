package scan

import (
	"go/types"
	"slices"
	"strings"

	"github.com/dtaskhq/dtask/internal/diagnostic"
)

const transactionHint = "take one transaction, first or right after ctx; dtask begins and commits it"

// transaction notes that parameter i of t is a transaction, which the worker begins:
// it is no part of the message.
func (p *packageScan) transaction(t *Task, i int, v *types.Var, field syntaxField) {
	switch {
	case t.Tx != nil:
		p.ReportAt(field.pos, diagnostic.Signature, transactionHint, "%s takes two transactions", t.Function())
	case i != 0 && (i != 1 || !t.Context):
		p.ReportAt(field.pos, diagnostic.Signature, transactionHint, "%s: the transaction comes after other parameters", t.Function())
	default:
		t.Tx = p.typeSource(types.Unalias(v.Type()))
	}
}

// leading returns how many parameters of t are no part of its message.
func (t *Task) leading() (n int) {
	if t.Context {
		n++
	}
	if t.Tx != nil {
		n++
	}
	return n
}

// collectTransactions lists the types of transactions that the tasks take.
func (p *packageScan) collectTransactions() {
	for _, t := range p.pkg.Tasks {
		if t.Tx != nil {
			p.pkg.Transactions = append(p.pkg.Transactions, t.Tx)
		}
	}
	p.pkg.Transactions = distinct(p.pkg.Transactions)
}

// Transactions returns the types of transactions that the tasks of all packages take,
// sorted.
func (t *Table) Transactions() (all []Type) {
	for _, e := range t.Entries {
		all = append(all, e.Transactions...)
	}
	return distinct(all)
}

// distinct returns the types sorted, each once.
func distinct(ts []Type) []Type {
	slices.SortFunc(ts, func(a, b Type) int { return strings.Compare(a.String(), b.String()) })
	return slices.CompactFunc(ts, func(a, b Type) bool { return slices.Equal(a, b) })
}
