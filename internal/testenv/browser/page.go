package browser

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// A Page is a page of its own: it shares no cookies with others.
type Page struct {
	wire    *wire
	session string

	mu         sync.Mutex
	complaints []string
	loaded     chan struct{} // has something in it when a document was loaded
}

// Page opens an empty page.
func (b *Browser) Page() (*Page, error) {
	var context struct{ BrowserContextID string }
	if err := b.wire.call("", "Target.createBrowserContext", nil, &context); err != nil {
		return nil, err
	}
	var target struct{ TargetID string }
	if err := b.wire.call("", "Target.createTarget", map[string]any{"url": "about:blank", "browserContextId": context.BrowserContextID}, &target); err != nil {
		return nil, err
	}
	var attached struct{ SessionID string }
	if err := b.wire.call("", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached); err != nil {
		return nil, err
	}
	p := &Page{wire: b.wire, session: attached.SessionID, loaded: make(chan struct{}, 1)}
	b.wire.listen(p.session, p.hear)
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		if err := p.call(domain+".enable", nil, nil); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *Page) call(method string, params, result any) error {
	return p.wire.call(p.session, method, params, result)
}

// hear notes what the browser says by itself.
func (p *Page) hear(method string, params json.RawMessage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch method {
	case "Page.loadEventFired":
		select {
		case p.loaded <- struct{}{}:
		default:
		}
	case "Runtime.exceptionThrown":
		p.complaints = append(p.complaints, string(params))
	case "Runtime.consoleAPICalled":
		var e struct{ Type string }
		if json.Unmarshal(params, &e) == nil && (e.Type == "error" || e.Type == "warning" || e.Type == "assert") {
			p.complaints = append(p.complaints, string(params))
		}
	case "Log.entryAdded":
		var e struct {
			Entry struct{ Level, Text, URL string }
		}
		if json.Unmarshal(params, &e) == nil && (e.Entry.Level == "error" || e.Entry.Level == "warning") {
			p.complaints = append(p.complaints, e.Entry.Text+" "+e.Entry.URL)
		}
	}
}

// Complaints returns what the console has said of errors since the last call: exceptions,
// what the content policy has stopped, files that are not there.
func (p *Page) Complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.complaints
	p.complaints = nil
	return all
}

// patience is how long a page may take, on a machine with much else to do.
const patience = 2 * time.Minute

// Open goes to an address, and waits until it is loaded.
func (p *Page) Open(url string) error {
	return p.leads(func() error {
		var went struct{ ErrorText string }
		if err := p.call("Page.navigate", map[string]any{"url": url}, &went); err != nil || went.ErrorText != "" {
			return fmt.Errorf("%s: %s %w", url, went.ErrorText, err)
		}
		return nil
	})
}

// leads waits until what f does has led to a loaded page.
func (p *Page) leads(f func() error) error {
	select {
	case <-p.loaded:
	default:
	}
	if err := f(); err != nil {
		return err
	}
	select {
	case <-p.loaded:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("the page was not loaded within %v", patience)
	}
}

// Look sets the width and height of the window, and whether its owner likes it dark.
func (p *Page) Look(width, height int, dark bool) error {
	scheme := map[bool]string{false: "light", true: "dark"}[dark]
	err := p.call("Emulation.setEmulatedMedia", map[string]any{"features": []any{
		map[string]any{"name": "prefers-color-scheme", "value": scheme},
		map[string]any{"name": "prefers-reduced-motion", "value": "reduce"},
	}}, nil)
	if err != nil {
		return err
	}
	return p.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
}

// Eval evaluates an expression, awaits it if it is a promise, and reads its value into
// result unless that is nil.
func (p *Page) Eval(expression string, result any) error {
	var got struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	err := p.call("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}, &got)
	if err != nil {
		return err
	}
	if e := got.ExceptionDetails; e != nil {
		return fmt.Errorf("%s %s", e.Text, e.Exception.Description)
	}
	if result == nil || got.Result.Value == nil {
		return nil
	}
	return json.Unmarshal(got.Result.Value, result)
}

// Picture returns a PNG of the window.
func (p *Page) Picture() ([]byte, error) {
	var shot struct{ Data []byte }
	err := p.call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	return shot.Data, err
}
