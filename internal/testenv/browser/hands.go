package browser

import (
	"encoding/json"
	"fmt"
	"time"
)

// find returns the middle of the first element that a selector has which is seen and has a
// text in it, after it was scrolled to; or null. What is typed into has its name there.
const find = `((selector, text) => {
	for (const e of document.querySelectorAll(selector)) {
		const name = (e.innerText || "") + " " + (e.getAttribute("aria-label") || "") + " " + (e.value || "");
		if (!e.checkVisibility({visibilityProperty: true}) || !name.includes(text)) continue;
		e.scrollIntoView({block: "center", behavior: "instant"});
		const box = e.getBoundingClientRect();
		if (box.width && box.height) return {x: box.x + box.width / 2, y: box.y + box.height / 2};
	}
	return null;
})(%s, %s)`

type point struct{ X, Y float64 }

// at waits until there is such an element, and returns its middle.
func (p *Page) at(selector, text string) (*point, error) {
	s, _ := json.Marshal(selector) // strings can be written
	t, _ := json.Marshal(text)
	for deadline := time.Now().Add(patience); ; time.Sleep(30 * time.Millisecond) {
		var found *point
		if err := p.Eval(fmt.Sprintf(find, s, t), &found); err == nil && found != nil {
			return found, nil
		}
		if time.Now().After(deadline) {
			var seen string
			p.Eval("location.pathname + '\\n' + document.body.innerText", &seen) // it is only told
			return nil, fmt.Errorf("no %s with %q is seen on\n%s", selector, text, seen)
		}
	}
}

// expect notes on the page that no click has come yet to an element of a selector. A page
// that is loaded after one has no such note.
const expect = `(selector => {
	window.clickExpected = true;
	addEventListener("click", e => { if (e.target.closest(selector)) window.clickExpected = false }, {capture: true, once: true});
})(%s)`

// Click clicks at the first element of a selector that has a text in it, as a person does
// with a mouse: it goes there first, and again if the page has moved meanwhile, or moves
// under the pressed button.
func (p *Page) Click(selector, text string) error {
	s, _ := json.Marshal(selector) // a string can be written
	for deadline := time.Now().Add(patience); ; {
		at, err := p.at(selector, text)
		for moved := true; err == nil && moved; {
			if err = p.mouse("mouseMoved", *at, "none"); err != nil {
				break
			}
			before := *at
			if at, err = p.at(selector, text); err == nil {
				moved = *at != before
			}
		}
		if err != nil {
			return err
		}
		if err := p.Eval(fmt.Sprintf(expect, s), nil); err != nil {
			return err
		}
		if err := p.mouse("mousePressed", *at, "left"); err != nil {
			return err
		}
		if err := p.mouse("mouseReleased", *at, "left"); err != nil {
			return err
		}
		missed := false
		if err := p.Eval("window.clickExpected === true", &missed); err != nil || !missed { // an error: the page is being left
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s with %q moves away from every click", selector, text)
		}
	}
}

func (p *Page) mouse(what string, at point, button string) error {
	return p.call("Input.dispatchMouseEvent", map[string]any{"type": what, "x": at.X, "y": at.Y, "button": button, "clickCount": 1}, nil)
}

// Follow is Click at what leads to another page, and waits until that is loaded.
func (p *Page) Follow(selector, text string) error {
	return p.leads(func() error { return p.Click(selector, text) })
}

// Type types a text in place of what an input has.
func (p *Page) Type(selector, text string) error {
	if _, err := p.at(selector, ""); err != nil {
		return err
	}
	s, _ := json.Marshal(selector) // a string can be written
	if err := p.Eval(fmt.Sprintf("(e => {e.focus(); e.select()})(document.querySelector(%s))", s), nil); err != nil {
		return err
	}
	return p.call("Input.insertText", map[string]any{"text": text}, nil)
}

// Press presses a key with a character, or Enter.
func (p *Page) Press(key string) error {
	event := map[string]any{"type": "keyDown", "key": key, "text": key}
	if key == "Enter" {
		event["text"], event["windowsVirtualKeyCode"] = "\r", 13
	}
	if err := p.call("Input.dispatchKeyEvent", event, nil); err != nil {
		return err
	}
	event["type"] = "keyUp"
	delete(event, "text")
	return p.call("Input.dispatchKeyEvent", event, nil)
}
