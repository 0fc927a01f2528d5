package web

import (
	"context"
	"log/slog"
	"os"

	"github.com/dtaskhq/dtask/example/web/mail"
	"github.com/dtaskhq/dtask/example/web/outcome"
	"github.com/dtaskhq/dtask/example/web/report"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// What the page shows, the newest first. A report is about the pictures that
// are shown.
const (
	shownPictures = 60
	shownReports  = 8
	shownLab      = 4
)

// A view is the state of the gallery, for the templates.
type view struct {
	Message  string // to the user
	Pictures []pictureView
	Reports  []reportView
	Lab      []labView
	Queues   []broker.QueueState
	Pending  bool // whether to look again soon
}

type pictureView struct {
	report.Picture
	Thumbnail outcome.Outcome
}

type reportView struct {
	report.Order
	Report, Mail outcome.Outcome
	MailIsFile   bool
}

type labView struct {
	experiment
	Outcome outcome.Outcome
}

// view collects what the page shows.
func (p *page) view(ctx context.Context) (v view, err error) {
	if err := v.addPictures(p.gallery); err != nil {
		return v, err
	}
	if err := v.addReports(p.gallery); err != nil {
		return v, err
	}
	if err := v.addLab(p.gallery); err != nil {
		return v, err
	}
	if v.Queues, err = p.admin.Queues(ctx); err != nil {
		slog.Warn("queues not shown", "err", err) // the rest is worth showing
	}
	return v, nil
}

func (v *view) addPictures(g *gallery) error {
	pictures, err := g.newestPictures(shownPictures)
	if err != nil {
		return err
	}
	for _, p := range pictures {
		thumbnail, err := g.outcomes().Of(p.Task)
		if err != nil {
			return err
		}
		v.Pictures = append(v.Pictures, pictureView{p, thumbnail})
		v.Pending = v.Pending || !thumbnail.Final()
	}
	return nil
}

func (v *view) addReports(g *gallery) error {
	orders, err := g.newestOrders(shownReports)
	if err != nil {
		return err
	}
	for _, o := range orders {
		r := reportView{Order: o}
		if r.Report, err = g.outcomes().Of(o.ID); err != nil {
			return err
		}
		if r.Mail, err = g.outcomes().Of(o.MailID()); err != nil {
			return err
		}
		_, err := os.Stat(mail.File(g.mail(), o.ID))
		r.MailIsFile = err == nil
		v.Reports = append(v.Reports, r)
		// The mail may be done by now though the report was not when it was looked at.
		v.Pending = v.Pending || !r.Report.Final() || !r.Report.Failed && !r.Mail.Final()
	}
	return nil
}

func (v *view) addLab(g *gallery) error {
	experiments, err := g.newestExperiments(shownLab)
	if err != nil {
		return err
	}
	for _, e := range experiments {
		o, err := g.outcomes().Of(e.ID)
		if err != nil {
			return err
		}
		v.Lab = append(v.Lab, labView{e, o})
		v.Pending = v.Pending || !o.Final()
	}
	return nil
}
