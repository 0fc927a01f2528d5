package templates

import (
	"fmt"
	"strings"

	. "github.com/dave/jennifer/jen"

	"github.com/dtaskhq/dtask/internal/scan"
)

// delayFunc emits the wrapper that enqueues a task:
//
//	// DelaySendWelcome enqueues SendWelcome(to, user) on queue "mail".
//	//
//	// SendWelcome mails the welcome letter.
//	func DelaySendWelcome(ctx context.Context, args SendWelcomeArgs, opts ...dtask.Option) (dtask.Handle[dtask.None], error) {
//		return SendWelcomeTask.Delay(ctx, args, opts...)
//	}
func (w *writer) delayFunc(t *scan.Task) *Statement {
	ctx, args, opts := w.names.ctx, w.names.args, w.names.opts
	return doc(delayDoc(t)).
		Func().Id(t.Names.Delay).
		Params(
			Id(ctx).Qual(contextPath, "Context"),
			Id(args).Id(t.Names.Args),
			Id(opts).Op("...").Qual(runtimePath, "Option"),
		).
		Params(Qual(runtimePath, "Handle").Types(result(t)), Error()).
		Block(
			Return(Id(t.Names.Task).Dot("Delay").Call(Id(ctx), Id(args), Id(opts).Op("..."))),
		)
}

func delayDoc(t *scan.Task) string {
	var params []string
	for _, p := range t.Params {
		params = append(params, p.Name)
	}
	text := wrap(fmt.Sprintf("%s enqueues %s(%s) on queue %q.", t.Names.Delay, t.Function(), strings.Join(params, ", "), t.Options.Get("queue")))
	if t.Cron != nil {
		text += " " + fmt.Sprintf("Package worker also enqueues it by the clock, at %q.", t.Cron.Schedule)
		text = wrap(text)
	}
	if t.Doc != "" {
		text += "\n\n" + t.Doc
	}
	return text
}
