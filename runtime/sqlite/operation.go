package sqlite

import (
	"context"
	"fmt"
	"slices"
)

// operation is something else to be done in a transaction. It leaves no trace
// if it fails.
type operation struct {
	do      func(*conn) error
	then    func() // by the writer, once it is durable; may be nil
	lasting bool   // if it fails it is tried again, though the caller was told
	private bool   // it changes nothing that other consumers of this process are to look at
	err     error
	done    chan struct{}
}

func newOperation(do func(*conn) error, then func()) *operation {
	return &operation{do: do, then: then, done: make(chan struct{})}
}

// do runs f in a transaction, and waits until that is durable, or ctx ends.
func (w *writer) do(ctx context.Context, f func(*conn) error) error {
	return w.await(ctx, newOperation(f, nil))
}

// await hands in an operation, unless ctx has ended, and waits until it is
// durable, or ctx ends.
func (w *writer) await(ctx context.Context, op *operation) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return w.handIn(ctx, op)
}

// handIn hands in an operation in any case, and waits until it is durable, or
// ctx ends.
func (w *writer) handIn(ctx context.Context, op *operation) error {
	if err := w.failure(); err != nil {
		return err
	}
	if err := w.put(func(in *inbox) { in.operations = append(in.operations, op) }); err != nil {
		return err
	}
	select {
	case <-op.done:
		return op.err
	case <-ctx.Done():
		return w.gaveUp(ctx)
	}
}

// gaveUp returns the error of a caller whose context ended before its transaction did.
func (w *writer) gaveUp(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.trouble != nil {
		return fmt.Errorf("%w: %w", ctx.Err(), w.trouble)
	}
	return fmt.Errorf("%w: sqlite %s: the transaction is still on its way to the disk", ctx.Err(), w.file)
}

// operate runs an operation so that it leaves no trace if it fails.
func (w *writer) operate(do func(*conn) error) (failed, lost error) {
	if _, err := w.conn.exec("SAVEPOINT operation"); err != nil {
		return nil, err
	}
	failed = do(w.conn)
	if failed != nil {
		if _, err := w.conn.exec("ROLLBACK TO operation"); err != nil {
			return nil, failed // SQLite has rolled back everything by itself
		}
	}
	w.judge(failed)
	_, lost = w.conn.exec("RELEASE operation")
	return explain(w.file, failed), lost
}

// answerOne tells the caller of an operation that it is done, or has failed.
func (w *writer) answerOne(op *operation) {
	switch {
	case op.err != nil && op.lasting:
		again := newOperation(op.do, op.then)
		again.lasting = true
		w.putBack(inbox{operations: []*operation{again}})
	case op.err == nil && op.then != nil:
		op.then()
	}
	close(op.done)
}

// operated takes over what operations may have changed.
func (w *writer) operated(ops ...*operation) {
	if !slices.ContainsFunc(ops, func(op *operation) bool { return !op.private }) {
		return
	}
	w.lookAgain()
	w.readControls()
}
