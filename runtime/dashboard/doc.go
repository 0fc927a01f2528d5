// Package dashboard is the page of operators: an [net/http.Handler] over package
// operate, under any prefix of a program's own, or served by a worker (-dashboard) or by
// the command dtask (ui).
//
//	board, err := dashboard.New(client, dashboard.Config{Authorize: whoAsks}, mail.Tasks(mailer))
//	…
//	mux.Handle("/tasks/", http.StripPrefix("/tasks", board))
//
// It shows everybody who reaches it everything but secrets, and lets nobody change
// anything, unless Authorize or Token of its configuration say otherwise. Who changes
// something is kept in the journal of the broker.
//
// The pages come whole from the server and can be read without JavaScript. What many
// open pages show is asked of the broker once.
//
// dashboard.go has the handler, pages.go lists what it serves, access.go and gate.go say who
// may do what. visit.go is one request and answer.go its answer, frame.go, templates.go and
// render.go write it, live.go sends it again. look.go and looks.go ask the broker. words.go,
// cron.go and chart.go are how numbers, schedules and series are shown; tallies.go sums the
// journal up.
//
// Each page has a file and a template of its own under the same name. many.go, plans.go and
// operations.go change many messages, some.go those that are selected, change.go one.
// find.go and seal.go read selections and keep them out of addresses. server.go serves a
// dashboard alone.
package dashboard
