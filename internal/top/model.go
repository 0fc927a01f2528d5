package top

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
)

// A model is what the page knows.
type model struct {
	ctx      context.Context
	operator *operate.Operator
	soon     chan struct{} // cuts the pause before the next look

	width, height int
	screen        int
	picture       picture
	err           error     // of the last look
	failing       time.Time // since when looks fail

	rows     int // of the screen, at the last drawing
	marked   [screenCount]int
	top      [screenCount]int // the first row that is seen
	detail   bool             // the marked row is shown alone
	scroll   int              // of the detail
	help     bool
	showActs bool

	filter  string // what was typed as a selection
	chosen  selection.Selection
	typing  *typing // nil: keys are commands
	asking  *change // to be confirmed
	working bool    // a change is planned or made
	said    string  // how the last change ended, or what is wrong
}

// typing is a line that is typed.
type typing struct {
	prompt string
	text   string
	done   func(text string) tea.Cmd
}

func newModel(ctx context.Context, o *operate.Operator) *model {
	return &model{ctx: ctx, operator: o, soon: make(chan struct{}, 1), width: 80, height: 24}
}

// Init implements [tea.Model].
func (m *model) Init() tea.Cmd { return m.look() }

// Update implements [tea.Model].
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case looked:
		switch {
		case msg.err == nil:
			m.picture, m.err, m.failing = msg.picture, nil, time.Time{}
		case m.ctx.Err() == nil:
			if m.err = msg.err; m.failing.IsZero() {
				m.failing = time.Now()
			}
		}
		return m, m.pause()
	case lookNow:
		return m, m.look()
	case planned:
		return m, m.confirm(msg)
	case changed:
		m.working, m.said = false, msg.text
		m.picture.rareAt = time.Time{} // what was changed is to be seen
		m.hurry()
	case tea.PasteMsg:
		if m.typing != nil {
			m.typing.text += msg.Content
		}
	case tea.KeyPressMsg:
		if m.typing != nil {
			return m, m.typed(msg)
		}
		return m, m.press(msg.String())
	}
	return m, nil
}

// hurry makes the next look happen at once.
func (m *model) hurry() {
	select {
	case m.soon <- struct{}{}:
	default:
	}
}

// press does what a key means.
func (m *model) press(key string) tea.Cmd {
	if m.help {
		m.help = false
		return nil
	}
	m.said = ""
	switch key {
	case "q", "ctrl+c":
		return tea.Quit
	case "?", "h":
		m.help = true
	case "esc", "backspace":
		if !m.detail && m.lists() {
			m.filter, m.chosen = "", selection.Selection{}
			m.hurry()
		}
		m.detail, m.scroll = false, 0
	case "enter", "l", "right":
		m.detail, m.scroll = m.rows > 0 && screens[m.screen].detail != nil, 0
	case "tab":
		m.show((m.screen + 1) % len(screens))
	case "shift+tab":
		m.show((m.screen + len(screens) - 1) % len(screens))
	case "j", "down":
		m.move(1)
	case "k", "up":
		m.move(-1)
	case "pgdown", "space":
		m.move(m.body() - 1)
	case "pgup":
		m.move(1 - m.body())
	case "g", "home":
		m.move(-1 << 30)
	case "G", "end":
		m.move(1 << 30)
	case "o":
		if m.screen == journalScreen {
			m.showActs = !m.showActs
			m.hurry()
		}
	case "/":
		if m.lists() {
			m.typing = &typing{prompt: "select: ", text: m.filter, done: m.choose}
		}
	default:
		if len(key) == 1 && key[0] >= '1' && int(key[0]-'1') < len(screens) {
			m.show(int(key[0] - '1'))
			return nil
		}
		return m.begin(key)
	}
	return nil
}

// show goes to a screen.
func (m *model) show(screen int) {
	m.screen, m.detail, m.scroll = screen, false, 0
	m.hurry()
}

// move moves the mark, or what is seen of a detail.
func (m *model) move(by int) {
	if m.detail {
		m.scroll = max(0, m.scroll+by)
		return
	}
	m.marked[m.screen] = max(0, min(m.marked[m.screen]+by, m.rows-1))
}

// lists reports whether the screen lists messages.
func (m *model) lists() bool { return m.screen == messagesScreen || m.screen == deadScreen }

// listing returns the selection of the messages of the screen, nil if it has none.
func (m *model) listing() *selection.Selection {
	if !m.lists() {
		return nil
	}
	s := m.chosen
	if m.screen == deadScreen {
		dead, _ := selection.Parse("state:dead")
		s = dead.And(s)
	}
	return &s
}

// choose takes what was typed as the selection.
func (m *model) choose(text string) tea.Cmd {
	s, err := selection.Parse(text)
	if err != nil {
		m.said = err.Error()
		return nil
	}
	m.filter, m.chosen = text, s
	m.marked[m.screen] = 0
	m.hurry()
	return nil
}

// typed takes a key of a line that is typed.
func (m *model) typed(key tea.KeyPressMsg) tea.Cmd {
	t := m.typing
	switch key.String() {
	case "esc", "ctrl+c":
		m.typing, m.asking = nil, nil
		m.said = "nothing was changed"
	case "enter":
		m.typing = nil
		return t.done(t.text)
	case "backspace":
		if r := []rune(t.text); len(r) > 0 {
			t.text = string(r[:len(r)-1])
		}
	case "ctrl+u":
		t.text = ""
	default:
		t.text += key.Text
	}
	return nil
}

// messages returns the messages that are listed on the screen.
func (m *model) messages() []broker.Stored {
	if s := m.listing(); s == nil || listedAs(*s) != m.picture.listed {
		return nil
	}
	return m.picture.messages
}
