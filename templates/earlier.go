package templates

import (
	. "github.com/dave/jennifer/jen"

	"github.com/dtaskhq/dtask/internal/scan"
)

// earlier emits what becomes of messages of earlier versions:
//
//	[]dtask.Earlier{
//		{Schema: "91ab33f07c2e88d4"},
//		{Schema: "0f3d5c7a99b1e6c2", Upcast: dtask.Upcast(dtask.Compose(upcastSendV1, upcastSendV2))},
//		{Schema: "2b7c6c0e5d3f4a11", Refused: "it is of v1, and since then: to: string became base64"},
//	}
func earlier(t *scan.Task) *Statement {
	return Index().Qual(runtimePath, "Earlier").CustomFunc(Options{Open: "{", Close: "}", Separator: ",", Multi: true}, func(g *Group) {
		for _, e := range t.Earlier {
			g.ValuesFunc(func(g *Group) {
				g.Id("Schema").Op(":").Lit(e.Schema)
				if len(e.Upcast) > 0 {
					g.Id("Upcast").Op(":").Qual(runtimePath, "Upcast").Call(compose(e.Upcast))
				}
				if e.Refused != "" {
					g.Id("Refused").Op(":").Lit(e.Refused)
				}
			})
		}
	})
}

// compose emits functions one after the other as one function.
func compose(chain []*scan.Upcaster) *Statement {
	first := Id(chain[0].Func)
	if len(chain) == 1 {
		return first
	}
	return Qual(runtimePath, "Compose").Call(first, compose(chain[1:]))
}
