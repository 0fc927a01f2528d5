package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// board has a real Prometheus watch the shop at work, and draws what it says to the
// queries of the board for Grafana. Grafana itself is in few package registries.
func board(file string) error {
	panels, err := readBoard("docs/deploy/grafana.json")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "pictures")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	health, err := freeAddress()
	if err != nil {
		return err
	}
	ctx, closeShop, err := openShop("sqlite:"+filepath.Join(dir, "tasks.db"), "-health", health)
	if err != nil {
		return err
	}
	defer closeShop()
	prometheus, stop, err := startPrometheus(dir, health)
	if err != nil {
		return fmt.Errorf("prometheus: %w", err)
	}
	defer stop()
	began := time.Now()
	if err := keepBusy(ctx, boardTime); err != nil {
		return err
	}
	for i := range panels {
		if err := panels[i].ask(prometheus, began, time.Now()); err != nil {
			return err
		}
	}
	return os.WriteFile(file, []byte(drawBoard(panels)), 0o666)
}

// boardTime is how long the shop is watched.
const boardTime = 75 * time.Second

// keepBusy orders more and less, some of which fails.
func keepBusy(ctx context.Context, d time.Duration) error {
	if err := order(ctx, reportTask, "november"); err != nil {
		return err
	}
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for i, end := 0, time.Now().Add(d); time.Now().Before(end); i++ {
		letters := []string{"ann@example.com", "bob@example.com"}
		if i%80 < 30 {
			letters = append(letters, letters...)
		}
		if i%9 == 0 {
			letters = append(letters, "later")
		}
		if i%50 == 49 {
			letters = append(letters, "nobody")
		}
		if err := order(ctx, sendTask, letters...); err != nil {
			return err
		}
		if i%80 < 40 {
			if err := order(ctx, scaleTask, "a", "b", "c", "d", "e", "f", "g", "h", "i"); err != nil {
				return err
			}
		}
		<-tick.C
	}
	return nil
}

// A panel of the board.
type panel struct {
	Type, Title string
	GridPos     struct{ X, Y, W, H int }
	FieldConfig struct {
		Defaults struct{ Unit string }
	}
	Targets []struct{ Expr, LegendFormat string }

	lines []line
}

// A line is a series of a panel.
type line struct {
	name   string
	points []point
}

type point struct{ at, value float64 }

func readBoard(file string) ([]panel, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var b struct{ Panels []panel }
	return b.Panels, json.Unmarshal(text, &b)
}

// ask asks Prometheus what a panel shows.
func (p *panel) ask(prometheus string, from, until time.Time) error {
	for _, t := range p.Targets {
		expr := strings.NewReplacer("$queue", ".*", "$__rate_interval", "15s").Replace(t.Expr)
		answer, err := http.Get(prometheus + "/api/v1/query_range?" + url.Values{
			"query": {expr}, "start": {strconv.FormatInt(from.Unix(), 10)}, "end": {strconv.FormatInt(until.Unix(), 10)}, "step": {"1"},
		}.Encode())
		if err != nil {
			return err
		}
		var found struct {
			Error string
			Data  struct {
				Result []struct {
					Metric map[string]string
					Values [][2]any
				}
			}
		}
		err = json.NewDecoder(answer.Body).Decode(&found)
		answer.Body.Close()
		if err != nil || found.Error != "" {
			return fmt.Errorf("%s: %w %s", p.Title, err, found.Error)
		}
		for _, r := range found.Data.Result {
			l := line{name: t.LegendFormat}
			for name, value := range r.Metric {
				l.name = strings.ReplaceAll(l.name, "{{"+name+"}}", value[strings.LastIndexByte(value, '/')+1:])
			}
			for _, v := range r.Values {
				if n, err := strconv.ParseFloat(fmt.Sprint(v[1]), 64); err == nil && n == n {
					l.points = append(l.points, point{v[0].(float64), n})
				}
			}
			if len(l.points) > 0 {
				p.lines = append(p.lines, l)
			}
		}
	}
	return nil
}

// startPrometheus starts a Prometheus that asks a worker each second, and returns its URL.
func startPrometheus(dir, worker string) (address string, stop func(), err error) {
	listen, err := freeAddress()
	if err != nil {
		return "", nil, err
	}
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 1s}\nscrape_configs: [{job_name: shop, static_configs: [{targets: ['%s']}]}]\n", worker)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return "", nil, err
	}
	cmd := exec.Command("prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "tsdb"), "--web.listen-address="+listen, "--log.level=error")
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("%w (on Debian: apt-get install prometheus)", err)
	}
	stop = func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	}
	address = "http://" + listen
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if answer, err := http.Get(address + "/-/ready"); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return address, stop, nil
			}
		}
	}
	stop()
	return "", nil, errors.New("the server is not ready after a minute")
}

// freeAddress returns one that nobody listens at.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
