// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	gocontext "context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// families are metrics as Prometheus parses them.
type families map[string]*dto.MetricFamily

func parseMetrics(t *testing.T, text string) families {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	fs, err := parser.TextToMetricFamilies(strings.NewReader(text))
	require.NoError(t, err, text)
	return fs
}

// metric returns the metric of a family that has all of the given labels, or nil.
func (fs families) metric(name string, labels map[string]string) *dto.Metric {
	for _, m := range fs[name].GetMetric() {
		found := 0
		for _, l := range m.GetLabel() {
			if v, ok := labels[l.GetName()]; ok && v == l.GetValue() {
				found++
			}
		}
		if found == len(labels) {
			return m
		}
	}
	return nil
}

func (fs families) counter(name string, labels map[string]string) float64 {
	return fs.metric(name, labels).GetCounter().GetValue()
}

func (fs families) gauge(name string, labels map[string]string) float64 {
	return fs.metric(name, labels).GetGauge().GetValue()
}

// sentCalls are the labels of calls that were sent.
var sentCalls = map[string]string{"kind": "call", "result": "sent"}

const prefix = "runsc_binder_"

// exportMetrics returns the metrics of p's sandbox as runsc prints them.
func (p *pod) exportMetrics() families {
	p.t.Helper()
	out, err := p.command("export-metrics", p.id).Output()
	require.NoError(p.t, err)
	return parseMetrics(p.t, string(out))
}

// A sandbox's metrics are those of all of its containers, including stopped ones.
func TestExportMetrics(t *testing.T) {
	p := newPod(t)
	p.metricServer = filepath.Join(p.dir, "metrics.sock")
	p.start("root", nil)
	one, two := p.start("one", nil), p.start("two", nil)
	for _, c := range []*container{one, two} {
		who, _ := c.call("/dev/binder")
		require.Empty(t, who)
		c.serve("/dev/binder", "it")
		for range 2 {
			who, _ := c.call("/dev/binder")
			require.Equal(t, "it", who)
		}
	}
	fs := p.exportMetrics()
	require.EqualValues(t, 4, fs.counter(prefix+"transactions", sentCalls))
	require.EqualValues(t, 4, fs.counter(prefix+"transactions", map[string]string{"kind": "reply", "result": "sent"}))
	require.EqualValues(t, 2, fs.counter(prefix+"transactions", map[string]string{"kind": "call", "result": "dead"}))
	require.EqualValues(t, 2, fs.gauge(prefix+"objects", map[string]string{"kind": "proc"}), "the servers")
	require.EqualValues(t, 2, fs.gauge(prefix+"objects", map[string]string{"kind": "node"}))
	require.EqualValues(t, 2, fs.gauge(prefix+"threads_waiting", nil))
	require.Positive(t, fs.gauge(prefix+"charged_bytes", nil))

	times := fs.metric(prefix+"call_nanoseconds", nil).GetHistogram()
	require.EqualValues(t, 4, times.GetSampleCount())
	last := uint64(0)
	for _, b := range times.GetBucket() {
		require.GreaterOrEqual(t, b.GetCumulativeCount(), last)
		last = b.GetCumulativeCount()
	}
	require.EqualValues(t, 4, last)
	waits := fs.metric(prefix+"queue_nanoseconds", map[string]string{"kind": "call"}).GetHistogram()
	require.EqualValues(t, 4, waits.GetSampleCount())
	require.Less(t, waits.GetSampleSum(), times.GetSampleSum(), "a call is taken before it is answered")

	two.delete()
	require.EqualValues(t, 4, p.exportMetrics().counter(prefix+"transactions", sentCalls))
	requireExported(t, p.exportMetrics())
}

// In a restored sandbox counters begin at zero, like gVisor's own, and gauges show what
// was restored.
func TestMetricsOfARestoredSandbox(t *testing.T) {
	p := newPod(t)
	p.metricServer = filepath.Join(p.dir, "metrics.sock")
	saved := p.start("root", nil)
	saved.serve("/dev/binder", "it") // It is started by exec, so it isn't restored.
	_, _ = saved.call("/dev/binder")
	require.EqualValues(t, 1, p.exportMetrics().counter(prefix+"transactions", sentCalls))
	image := t.TempDir()
	p.run("checkpoint", "--image-path="+image, saved.id)
	saved.delete()

	p.id = ""
	c := p.create("root", nil)
	p.run("restore", "--detach", "--image-path="+image, c.id)
	fs := p.exportMetrics()
	require.Nil(t, fs.metric(prefix+"transactions", sentCalls))
	require.NotNil(t, fs.metric(prefix+"objects", map[string]string{"kind": "proc"}))
	c.serve("/dev/binder", "again")
	who, _ := c.call("/dev/binder")
	require.Equal(t, "again", who)
	fs = p.exportMetrics()
	require.EqualValues(t, 1, fs.counter(prefix+"transactions", sentCalls))
	require.EqualValues(t, 1, fs.metric(prefix+"call_nanoseconds", nil).GetHistogram().GetSampleCount())
}

// Prometheus scrapes gVisor's metric server, which checks the sandbox's values against
// what was registered.
func TestScrape(t *testing.T) {
	p := newPod(t)
	if _, err := os.Stat(filepath.Join(filepath.Dir(p.runsc), "sentrybinder-bin", "runsc-metric-server")); err != nil {
		t.Skip("tools/build/metric-server has not built the metric server")
	}
	// A socket address must be short.
	dir, err := os.MkdirTemp("", "")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	p.metricServer = filepath.Join(dir, "metrics")
	server := p.command("metric-server", "--pid-file="+filepath.Join(dir, "pid"))
	require.NoError(t, os.MkdirAll(filepath.Join(p.dir, "state"), 0700))
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	one := p.start("one", nil)
	one.serve("/dev/binder", "one")
	_, _ = one.call("/dev/binder")

	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DialContext: func(ctx gocontext.Context, _, _ string) (net.Conn, error) {
			for {
				conn, err := (&net.Dialer{}).DialContext(ctx, "unix", p.metricServer)
				if err == nil || ctx.Err() != nil {
					return conn, err
				}
			}
		},
	}}
	reply, err := client.Get("http://metrics/metrics")
	require.NoError(t, err)
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, reply.StatusCode, "%s", text)
	fs := parseMetrics(t, string(text))
	require.EqualValues(t, 1, fs.counter(prefix+"transactions", map[string]string{"kind": "call", "result": "sent", "sandbox": one.id}))
	require.EqualValues(t, 1, fs.metric(prefix+"call_nanoseconds", nil).GetHistogram().GetSampleCount())
	require.EqualValues(t, 1, fs.gauge("runsc_meta_sandbox_running", map[string]string{"sandbox": one.id}))
}

// dashboard is the part of a Grafana dashboard that this test needs.
type dashboard struct {
	Panels []struct {
		Title   string
		Targets []struct{ Expr string }
	}
}

// deployed lists the files with queries.
const deployed = "../../deploy"

// metricName matches the driver's metrics in a query.
var metricName = regexp.MustCompile(`\brunsc_binder_\w+`)

// requireExported checks that the queries of dashboards and rules ask for existing
// metrics. fs has all of them except counters that are zero.
func requireExported(t *testing.T, fs families) {
	t.Helper()
	known := map[string]bool{prefix + "notifications": true}
	for name, f := range fs {
		known[name] = true
		if f.GetType() == dto.MetricType_HISTOGRAM {
			known[name+"_bucket"], known[name+"_sum"], known[name+"_count"] = true, true, true
		}
	}
	boards, err := filepath.Glob(deployed + "/grafana/*.json")
	require.NoError(t, err)
	rules, err := filepath.Glob(deployed + "/prometheus/*.y*ml")
	require.NoError(t, err)
	if len(boards) == 0 {
		t.Log("the files of deploy are not here")
		return
	}
	var asked int
	for _, path := range append(boards, rules...) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, name := range metricName.FindAllString(string(text), -1) {
			require.True(t, known[name], "%s asks for %s", path, name)
			asked++
		}
	}
	require.NotZero(t, asked)
	for _, path := range boards {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var d dashboard
		require.NoError(t, json.Unmarshal(text, &d), path)
		require.NotEmpty(t, d.Panels)
		for _, panel := range d.Panels {
			require.NotEmpty(t, panel.Targets, panel.Title)
			for _, target := range panel.Targets {
				require.Regexp(t, metricName, target.Expr, panel.Title)
			}
		}
	}
}
