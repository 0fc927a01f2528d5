package dashboard

import (
	"net/http"
	"strconv"
)

// routes are all that the dashboard answers.
func (d *Dashboard) routes() http.Handler {
	mux := http.NewServeMux()
	page := func(path, name, title string, show page) {
		mux.HandleFunc("GET /"+path, d.serve(name, title, show))
		mux.HandleFunc("GET /live/"+path, d.stream(name, title, show))
	}
	mux.HandleFunc("GET /static/{name}", static)
	mux.HandleFunc("POST /enter", d.enter)
	mux.HandleFunc("POST /leave", d.leave)

	page("{$}", "overview", "Overview", (*visit).overview)
	page("queues", "queues", "Queues", (*visit).queues)
	mux.HandleFunc("POST /queues/pause", d.does(Pause, (*visit).pauseQueue))
	mux.HandleFunc("POST /queues/resume", d.does(Pause, (*visit).resumeQueue))

	page("messages", "messages", "Messages", (*visit).messages)
	mux.HandleFunc("POST /messages/find", d.toMessages)
	mux.HandleFunc("POST /messages/peek", d.shows(Peek, "messages", "Messages", (*visit).peek))
	mux.HandleFunc("POST /messages/retry", d.does(Retry, (*visit).retrySome))
	mux.HandleFunc("POST /messages/cancel", d.does(Cancel, (*visit).cancelSome))
	mux.HandleFunc("POST /messages/move", d.does(Move, (*visit).moveSome))
	mux.HandleFunc("POST /messages/delete", d.does(Delete, (*visit).deleteSome))

	page("message/{id}", "message", "Message", (*visit).message)
	mux.HandleFunc("GET /message/{id}/json", d.messageJSON)
	mux.HandleFunc("POST /message/{id}/edit", d.edit)
	mux.HandleFunc("POST /message/{id}/retry", d.does(Retry, (*visit).retryOne))
	mux.HandleFunc("POST /message/{id}/cancel", d.does(Cancel, (*visit).cancelOne))
	mux.HandleFunc("POST /message/{id}/move", d.does(Move, (*visit).moveOne))
	mux.HandleFunc("POST /message/{id}/delete", d.does(Delete, (*visit).deleteOne))
	mux.HandleFunc("POST /message/{id}/reveal", d.shows(Reveal, "message", "Message", (*visit).reveal))

	page("dead", "dead", "Dead letters", (*visit).dead)
	mux.HandleFunc("POST /many", d.many)
	mux.HandleFunc("POST /many/start", d.start)
	mux.HandleFunc("POST /operations/{id}/{what}", d.steerOperation)

	page("schedules", "schedules", "Schedules", (*visit).schedules)
	mux.HandleFunc("POST /schedules/run", d.does(Enqueue, (*visit).runSchedule))
	mux.HandleFunc("POST /schedules/pause", d.does(Pause, (*visit).pauseSchedule))
	mux.HandleFunc("POST /schedules/resume", d.does(Pause, (*visit).resumeSchedule))

	page("workers", "workers", "Workers", (*visit).workers)
	mux.HandleFunc("POST /workers/quiet", d.does(Steer, (*visit).quietWorkers))
	mux.HandleFunc("POST /workers/resume", d.does(Steer, (*visit).resumeWorkers))
	mux.HandleFunc("POST /workers/stop", d.does(Steer, (*visit).stopWorkers))
	mux.HandleFunc("POST /workers/cancel", d.does(Cancel, (*visit).cancelRunning))

	page("deploy", "deploy", "Deploy", (*visit).deploy)
	page("catalogue", "catalogue", "Catalogue", (*visit).catalogue)
	page("task", "task", "Task", (*visit).showTask)
	mux.HandleFunc("GET /task/schema", d.schemaFile)
	mux.HandleFunc("POST /task/enqueue", d.enqueue)
	page("history", "history", "History", (*visit).history)

	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if v, err := d.newVisit(w, r); err == nil {
			v.fail(w, http.StatusNotFound, "No such page", "Nothing is here. The pages of the dashboard are listed beside this one.")
		}
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "" { // the prefix without its slash: links are relative to what follows one
			w.Header().Set("Location", r.RequestURI+"/")
			w.WriteHeader(http.StatusPermanentRedirect)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// nav lists the pages, with the number of what is there.
func (v *visit) nav() [][]link {
	queues, workers, schedules := see(v, v.looks.queues), see(v, v.looks.workers), see(v, v.looks.schedules)
	count := func(known bool, n int) string {
		if !known {
			return ""
		}
		return strconv.Itoa(n)
	}
	dead := 0
	for _, q := range queues.value {
		dead += max(q.Dead, 0)
	}
	deads := ""
	if dead > 0 {
		deads = number(dead)
	}
	return [][]link{{
		{Page: "overview", Title: "Overview"},
		{Page: "queues", Title: "Queues", Count: count(queues.known(), len(queues.value))},
		{Page: "messages", Title: "Messages"},
		{Page: "dead", Title: "Dead letters", Count: deads},
		{Page: "workers", Title: "Workers", Count: count(workers.known(), len(workers.value))},
	}, {
		{Page: "schedules", Title: "Schedules", Count: count(schedules.known(), len(schedules.value))},
		{Page: "deploy", Title: "Deploy", Class: v.stuck()},
		{Page: "catalogue", Title: "Catalogue"},
	}, {
		{Page: "history", Title: "History"},
	}}
}

// stuck says how many messages nobody takes, or nothing.
func (v *visit) stuck() string {
	n := 0
	for _, r := range v.looks.deploy.last().value.Rows {
		if r.Nobody() {
			n += max(r.Waiting, 0)
		}
	}
	if n == 0 {
		return ""
	}
	return number(n) + " stuck"
}
