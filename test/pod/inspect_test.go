// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// inspect runs "runsc binder" in the container's sandbox.
func (c *container) inspect(subcommand string, args ...string) string {
	c.t.Helper()
	return c.run(append([]string{"binder", subcommand}, args...)...)
}

// domain is what "runsc binder" says of a domain in JSON.
type domain struct {
	Container, Name string
	Commands        map[string]uint64
	Objects         map[string]struct{ Active, Total uint64 }
	Processes       []struct {
		PID     int
		Context string
		Threads int
	}
}

// inspectJSON is inspect for JSON.
func (c *container) inspectJSON(subcommand string, args ...string) (domains []domain) {
	c.t.Helper()
	out := c.inspect(subcommand, append([]string{"-format=json"}, args...)...)
	require.NoError(c.t, json.Unmarshal([]byte(out), &domains), out)
	return domains
}

// sections splits text into that of each domain, by titles.
func sections(text string) map[string]string {
	found := make(map[string]string)
	for _, section := range strings.Split("\n"+text, "\n# ")[1:] {
		title, rest, _ := strings.Cut(section, "\n")
		if strings.HasPrefix(title, "binderfs 0:") {
			title = "binderfs"
		}
		found[title] = rest
	}
	return found
}

// An operator sees what the driver holds of a container: its /dev, and what it shares
// with others. Nothing runs in the container for that.
func TestInspect(t *testing.T) {
	p := newPod(t)
	source := t.TempDir()
	mount := mounts(specs.Mount{Type: "binder", Destination: binderfs, Source: source})
	root := p.start("root", hint(source))
	one, two := p.start("one", mount), p.start("two", mount)
	one.serve("/dev/binder", "one")
	two.serve(binderfs+"/hwbinder", "two")
	devOne, devTwo, devRoot := "/dev of container "+one.id, "/dev of container "+two.id, "/dev of container "+root.id

	got := sections(p.run("binder", "state", one.id))
	require.Len(t, got, 1)
	require.Regexp(t, `^binder state:\nproc \d+\ncontext binder\n  thread \d+: l 12 .*\n  node 1: u`, got[devOne])

	got = sections(p.run("binder", "state", two.id))
	require.Len(t, got, 2)
	require.Equal(t, "binder state:", got[devTwo])
	require.Regexp(t, `^binder state:\nproc \d+\ncontext hwbinder\n`, got["binderfs"])

	got = sections(p.run("binder", "stats", "-sandbox", two.id))
	require.Len(t, got, 4)
	require.Contains(t, got[devOne], "\nBC_ENTER_LOOPER: 1\n")
	require.Contains(t, got["binderfs"], "\nBC_ENTER_LOOPER: 1\n")
	require.NotContains(t, got[devTwo]+got[devRoot], "BC_ENTER_LOOPER")

	domains := one.inspectJSON("stats", one.id)
	require.Len(t, domains, 1)
	require.Equal(t, one.id, domains[0].Container)
	require.Equal(t, "/dev", domains[0].Name)
	require.EqualValues(t, 1, domains[0].Commands["BC_ENTER_LOOPER"])
	require.EqualValues(t, 1, domains[0].Objects["node"].Active)
	require.Len(t, domains[0].Processes, 1)

	// Processes have the IDs that "runsc ps" shows, or the container's own.
	pid := domains[0].Processes[0].PID
	require.Regexp(t, `"?`+strconv.Itoa(pid)+`\b`, p.run("ps", "--format=json", one.id))
	own := one.inspectJSON("ps", "-container-pids", one.id)[0].Processes[0].PID
	require.NotEqual(t, pid, own)
	require.Contains(t, p.run("binder", "proc", one.id, strconv.Itoa(pid)), "\nproc "+strconv.Itoa(pid)+"\ncontext binder\n")
	require.Contains(t, p.run("binder", "proc", "-container-pids", one.id, strconv.Itoa(own)), "\nproc "+strconv.Itoa(own)+"\ncontext binder\n")
	require.NotContains(t, p.run("binder", "proc", one.id, strconv.Itoa(own)), "proc "+strconv.Itoa(own)+"\n")
	require.Regexp(t, `(?m)^`+strconv.Itoa(pid)+` +binder +1 `, p.run("binder", "ps", one.id))
}

// What can't be shown is an error.
func TestInspectWhatIsNot(t *testing.T) {
	p := newPod(t)
	root := p.start("root", nil)
	created := p.create("created", nil)
	for want, args := range map[string][]string{
		"has not been started":              {"state", created.id},
		"container \"nobody\"":              {"state", "nobody"},
		"is no process ID":                  {"proc", root.id, "x"},
		"it is text or json":                {"stats", "-format=xml", root.id},
		"flag provided but not defined":     {"state", "-format=json", root.id},
		"show all that the driver holds":    {"state"},
		"show all that the driver holds of": {"proc", root.id},
	} {
		out, err := p.try(append([]string{"binder"}, args...)...)
		require.Error(t, err, "%v", args)
		require.Contains(t, out, want, "%v", args)
	}
}
