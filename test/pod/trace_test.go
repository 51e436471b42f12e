// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/encoding/protowire"
)

// trace traces the container's sandbox while during runs, and returns the trace.
func (c *container) trace(during func(), flags ...string) *timeline {
	c.t.Helper()
	tr := c.startTrace(flags...)
	during()
	require.NoError(c.t, tr.cmd.Process.Signal(unix.SIGINT))
	said := tr.wait()
	require.Contains(c.t, said, "events written to "+tr.path)
	require.NotContains(c.t, said, "lost")
	text, err := os.ReadFile(tr.path)
	require.NoError(c.t, err)
	return readTimeline(c.t, text)
}

// runningTrace is a trace in progress.
type runningTrace struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  *bufio.Reader
	path string
}

func (c *container) startTrace(flags ...string) *runningTrace {
	c.t.Helper()
	tr := &runningTrace{t: c.t, path: filepath.Join(c.t.TempDir(), "trace")}
	tr.cmd = c.command(append(append([]string{"binder", "trace", "-duration=10m", "-o=" + tr.path}, flags...), c.id)...)
	out, err := tr.cmd.StderrPipe()
	require.NoError(c.t, err)
	require.NoError(c.t, tr.cmd.Start())
	c.t.Cleanup(func() { _ = tr.cmd.Process.Kill() })
	tr.out = bufio.NewReader(out)
	line, err := tr.out.ReadString('\n')
	require.NoError(c.t, err)
	require.Contains(c.t, line, "tracing for 10m")
	return tr
}

// wait waits until the command has exited, and returns its output.
func (tr *runningTrace) wait() string {
	tr.t.Helper()
	said, err := io.ReadAll(tr.out)
	require.NoError(tr.t, err)
	require.NoError(tr.t, tr.cmd.Wait(), "%s", said)
	return string(said)
}

// Fields of Perfetto's messages that these tests read.
const (
	packetFtrace protowire.Number = 1
	packetTree   protowire.Number = 2
	bundleEvent  protowire.Number = 2
	treeProcess  protowire.Number = 1

	ftracePID         protowire.Number = 2
	ftraceTransaction protowire.Number = 50
	ftraceReceived    protowire.Number = 51
)

// timeline is the part of a trace that these tests look at.
type timeline struct {
	// sent holds the messages by number, processes their names by PID.
	sent      map[uint64]*sentMessage
	processes map[uint64]string
}

// sentMessage is a message: its sender, its receiver, and who read it.
type sentMessage struct {
	from, toProcess, got uint64
	reply                bool
}

// protoFields calls f for each field of a message: a number or bytes.
func protoFields(t *testing.T, b []byte, f func(n protowire.Number, v uint64, text []byte)) {
	t.Helper()
	for len(b) > 0 {
		n, kind, size := protowire.ConsumeTag(b)
		require.Positive(t, size)
		b = b[size:]
		var v uint64
		var text []byte
		if kind == protowire.BytesType {
			text, size = protowire.ConsumeBytes(b)
		} else {
			v, size = protowire.ConsumeVarint(b)
		}
		require.Positive(t, size)
		b = b[size:]
		f(n, v, text)
	}
}

func readTimeline(t *testing.T, text []byte) *timeline {
	t.Helper()
	tl := &timeline{sent: map[uint64]*sentMessage{}, processes: map[uint64]string{}}
	protoFields(t, text, func(_ protowire.Number, _ uint64, packet []byte) {
		protoFields(t, packet, func(n protowire.Number, _ uint64, data []byte) {
			switch n {
			case packetFtrace:
				protoFields(t, data, func(n protowire.Number, _ uint64, event []byte) {
					if n == bundleEvent {
						tl.event(t, event)
					}
				})
			case packetTree:
				protoFields(t, data, func(n protowire.Number, _ uint64, process []byte) {
					if n != treeProcess {
						return
					}
					var pid uint64
					protoFields(t, process, func(n protowire.Number, v uint64, text []byte) {
						switch n {
						case 1:
							pid = v
						case 3:
							tl.processes[pid] = string(text)
						}
					})
				})
			}
		})
	})
	return tl
}

func (tl *timeline) event(t *testing.T, event []byte) {
	t.Helper()
	var tid uint64
	protoFields(t, event, func(n protowire.Number, v uint64, data []byte) {
		switch n {
		case ftracePID:
			tid = v
		case ftraceTransaction:
			m := &sentMessage{from: tid}
			var id uint64
			protoFields(t, data, func(n protowire.Number, v uint64, _ []byte) {
				switch n {
				case 1:
					id = v
				case 3:
					m.toProcess = v
				case 5:
					m.reply = v != 0
				}
			})
			require.NotContains(t, tl.sent, id)
			tl.sent[id] = m
		case ftraceReceived:
			protoFields(t, data, func(n protowire.Number, v uint64, _ []byte) {
				require.Contains(t, tl.sent, v, "it was not sent before")
				tl.sent[v].got = tid
			})
		}
	})
}

// callsTo returns the number of calls that the process called name received and answered.
func (tl *timeline) callsTo(t *testing.T, name string) (calls int) {
	t.Helper()
	answers := map[[2]uint64]int{}
	for _, m := range tl.sent {
		if m.reply {
			answers[[2]uint64{m.from, m.got}]++
		}
	}
	for id, m := range tl.sent {
		if m.reply || tl.processes[m.toProcess] != name {
			continue
		}
		require.NotZero(t, m.got, "call %d", id)
		require.Positive(t, answers[[2]uint64{m.got, m.from}], "call %d has no answer", id)
		calls++
	}
	return calls
}

// named gives a container's program, and so its processes, another name.
func named(name string) func(*specs.Spec) {
	return func(spec *specs.Spec) {
		err := os.Link(filepath.Join(spec.Root.Path, "agent"), filepath.Join(spec.Root.Path, name))
		if err != nil {
			panic(err)
		}
	}
}

// serveAs is serve for a program with another name.
func (c *container) serveAs(name string) {
	c.t.Helper()
	c.startServer("exec", "--env="+agentVariable+"=1", c.id, "/"+name, "serve", "/dev/binder", name)
}

// A container's trace has its calls, from the sender to the receiver and back, and
// nothing of others; the sandbox's has everybody's.
func TestTrace(t *testing.T) {
	p := newPod(t)
	p.start("root", nil)
	one, two := p.start("one", named("first")), p.start("two", named("second"))
	one.serveAs("first")
	two.serveAs("second")
	calls := func() {
		for range 3 {
			_, _ = one.call("/dev/binder")
			_, _ = two.call("/dev/binder")
		}
	}
	tl := one.trace(calls)
	require.Equal(t, 3, tl.callsTo(t, "first"))
	require.Len(t, tl.sent, 6)
	for pid, name := range tl.processes {
		require.NotEqual(t, "second", name, "pid %d", pid)
	}
	tl = two.trace(calls, "-sandbox")
	require.Equal(t, 3, tl.callsTo(t, "first"))
	require.Equal(t, 3, tl.callsTo(t, "second"))
	require.Len(t, tl.sent, 12)
}

// Only one trace runs at a time; it ends with its time, or with its size; and a sandbox
// can be traced after a restore.
func TestTracesEnd(t *testing.T) {
	p := newPod(t)
	saved := p.start("root", nil)
	path := filepath.Join(t.TempDir(), "trace")
	saved.trace(func() {
		out, err := p.try("binder", "trace", "-duration=1s", "-o="+path, saved.id)
		require.Error(t, err)
		require.Contains(t, out, "is already being traced")
		require.NoFileExists(t, path)
	})
	require.Contains(t, p.run("binder", "trace", "-duration=1ms", "-o="+path, saved.id), "0 events written")
	saved.serve("/dev/binder", "it")
	small := saved.startTrace("-max-size=144")
	_, _ = saved.call("/dev/binder")
	require.Contains(t, small.wait(), "ended by -max-size=144")
	image := t.TempDir()
	p.run("checkpoint", "--image-path="+image, saved.id)
	saved.delete()
	p.id = ""
	c := p.create("root", named("server"))
	p.run("restore", "--detach", "--image-path="+image, c.id)
	c.serveAs("server")
	tl := c.trace(func() { _, _ = c.call("/dev/binder") })
	require.Equal(t, 1, tl.callsTo(t, "server"))

	// What happened until the end of a sandbox is in the trace, though nobody is left to
	// name the threads.
	last := c.startTrace()
	_, _ = c.call("/dev/binder")
	c.delete()
	require.Contains(t, last.wait(), "the sandbox has ended")
	text, err := os.ReadFile(last.path)
	require.NoError(t, err)
	readTimeline(t, text)
}

// A trace continues in a sandbox that continues after a checkpoint.
func TestTraceDuringACheckpoint(t *testing.T) {
	p := newPod(t)
	c := p.start("root", named("server"))
	c.serveAs("server")
	tl := c.trace(func() {
		_, _ = c.call("/dev/binder")
		p.run("checkpoint", "--leave-running", "--image-path="+t.TempDir(), c.id)
		_, _ = c.call("/dev/binder")
	})
	require.Equal(t, 2, tl.callsTo(t, "server"))
}

func TestTraceArguments(t *testing.T) {
	p := newPod(t)
	c := p.start("root", nil)
	for flag, why := range map[string]string{
		"-duration=0s":   "want more than zero",
		"-events=3":      "want 1024 to 1048576",
		"-max-size=-1":   "want at least 72, the size of an event",
		"-o=/none/trace": "no such file",
	} {
		out, err := p.try("binder", "trace", flag, c.id)
		require.Error(t, err)
		require.Contains(t, out, why)
	}
}
