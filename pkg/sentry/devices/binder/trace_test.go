// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/gohacks"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/trace"
)

// tracing is a trace of the driver.
type tracing struct {
	t    *testing.T
	ring *trace.Ring
	stop func()
}

// startTrace traces w's driver, or one of its containers.
func (w *world) startTrace(t *testing.T, container string) *tracing {
	ring := trace.NewRing(0)
	stop, err := w.driver.StartTrace(ring, container)
	require.NoError(t, err)
	t.Cleanup(stop)
	return &tracing{t, ring, stop}
}

// events returns the events since the last call.
func (tr *tracing) events() (events []trace.Event) {
	require.Zero(tr.t, tr.ring.Dropped())
	for b := tr.ring.Read(make([]byte, 0, trace.MinEvents*trace.Size)); len(b) > 0; b = b[trace.Size:] {
		var e trace.Event
		require.NoError(tr.t, e.Decode(b))
		events = append(events, e)
	}
	return events
}

// commandNames names the commands that the tests below write.
var commandNames = map[uint32]string{
	binder.BC_TRANSACTION: "BC_TRANSACTION",
	binder.BC_REPLY:       "BC_REPLY",
	binder.BC_FREE_BUFFER: "BC_FREE_BUFFER",
}

// steps returns the events since the last call, a line for each.
func (tr *tracing) steps() (steps []string) {
	for _, e := range tr.events() {
		who := fmt.Sprintf("%d:%d ", e.PID, e.TID)
		switch e.Kind {
		case trace.Command:
			steps = append(steps, who+commandNames[e.Code])
		case trace.Return:
			steps = append(steps, who+name(e.Code))
		case trace.Transaction:
			steps = append(steps, who+fmt.Sprintf("sends %d to %d:%d node %d code %d flags %#x reply %d size %d:%d:%d",
				e.ID, e.ToPID, e.ToTID, e.Node, e.Code, e.Flags, e.Reply, e.Data, e.Offsets, e.Extra))
		case trace.Received:
			steps = append(steps, who+fmt.Sprintf("takes %d %s", e.ID, name(e.Code)))
		case trace.Wait:
			steps = append(steps, who+fmt.Sprintf("waited %d", e.Reply))
		case trace.Frozen:
			steps = append(steps, who+"frozen")
		case trace.Thawed:
			steps = append(steps, who+"thawed")
		case trace.Closed:
			steps = append(steps, who+"closed")
		}
	}
	return steps
}

// traced returns th's name in steps.
func (th *thread) traced() string { return fmt.Sprintf("%d:%d ", th.pid, th.id) }

// A call, from the command to the reply, has the events of Linux's tracepoints.
func TestTraceOfACall(t *testing.T) {
	w := newWorld(t)
	server, client := w.newApp(), w.newApp()
	handle := w.give(server, client, 0x10)
	tr := w.startTrace(t, "")

	call := client.lastDebugID() + 1
	client.write(client.call(handle, binder.TF_ACCEPT_FDS, parcel("abcd", nodeObject(0x20))))
	got := server.received(server.expect(binder.BR_TRANSACTION)[0])
	server.write(got.free(), server.reply(parcel("ok")))
	server.expect(binder.BR_TRANSACTION_COMPLETE)
	client.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_REPLY)

	c, s := client.traced(), server.traced()
	steps := tr.steps()
	var reply, node int
	_, err := fmt.Sscanf(steps[1][len(c):], "sends %d to %d:0 node %d", new(int), new(int), &node)
	require.NoError(t, err)
	_, err = fmt.Sscanf(steps[5][len(s):], "sends %d", &reply)
	require.NoError(t, err)
	require.Greater(t, reply, int(call))
	require.NotZero(t, node)
	require.Equal(t, []string{
		c + "BC_TRANSACTION",
		c + fmt.Sprintf("sends %d to %d:0 node %d code %d flags 0x10 reply 0 size 28:8:0", call, server.pid, node, got.TransactionData.Code),
		s + fmt.Sprintf("takes %d BR_TRANSACTION", call),
		s + "BC_FREE_BUFFER",
		s + "BC_REPLY",
		s + fmt.Sprintf("sends %d to %d:%d node 0 code 0 flags 0x0 reply 1 size 2:0:0", reply, client.pid, client.id),
		s + "BR_TRANSACTION_COMPLETE",
		c + "BR_TRANSACTION_COMPLETE",
		c + fmt.Sprintf("takes %d BR_REPLY", reply),
	}, steps)
}

// lastDebugID returns the last debug ID.
func (th *thread) lastDebugID() int32 { return th.ctx.domain.lastID.Load() }

// Events have the times at which they happened, waits also their start.
func TestTimesInATrace(t *testing.T) {
	w := newWorld(t)
	server, client := w.newApp(), w.newApp()
	handle := w.give(server, client, 0x10)
	tr := w.startTrace(t, "")
	before := gohacks.Nanotime()
	client.write(client.call(handle, 0, parcel("")))
	client.sleepRead(func() {
		server.takeCall()
		server.write(server.reply(parcel("")))
	})
	after := gohacks.Nanotime()
	var waits int
	for _, e := range tr.events() {
		require.LessOrEqual(t, before, e.Time)
		require.LessOrEqual(t, e.Time, after)
		if e.Kind != trace.Wait {
			require.Zero(t, e.Start)
			continue
		}
		waits++
		require.LessOrEqual(t, before, e.Start)
		require.LessOrEqual(t, e.Start, e.Time)
		require.EqualValues(t, 1, e.Reply, "it waits for the reply")
		require.Equal(t, client.id, e.TID)
	}
	require.Equal(t, 1, waits)
	// One that waits for work only.
	server.expect(binder.BR_TRANSACTION_COMPLETE)
	server.sleepRead(func() { client.write(client.call(handle, binder.TF_ONE_WAY, parcel(""))) })
	require.Contains(t, tr.steps(), server.traced()+"waited 0")
}

// Failures show in the returns.
func TestTraceOfFailures(t *testing.T) {
	w, server, client, freezer, handle := freezeWorld(t)
	tr := w.startTrace(t, "")
	client.write(client.call(99, 0, parcel("")))
	client.expect(binder.BR_FAILED_REPLY)
	c := client.traced()
	require.Equal(t, []string{c + "BC_TRANSACTION", c + "BR_FAILED_REPLY"}, tr.steps())

	require.NoError(t, freezer.setFrozen(server, true))
	client.write(client.call(handle, 0, parcel("")))
	client.expect(binder.BR_FROZEN_REPLY)
	require.NoError(t, freezer.setFrozen(server, false))
	server.app.close()
	steps := tr.steps()
	who := fmt.Sprintf("%d:0 ", server.pid)
	require.Equal(t, who+"frozen", steps[0])
	require.Contains(t, steps, c+"BR_FROZEN_REPLY")
	require.Contains(t, steps, who+"thawed")
	require.Equal(t, who+"closed", steps[len(steps)-1])
}

// A process that could not be frozen in time is thawed.
func TestTraceOfAFreezeThatFails(t *testing.T) {
	w, server, client, freezer, handle := freezeWorld(t)
	client.write(client.call(handle, 0, parcel("")))
	server.takeCall()
	tr := w.startTrace(t, "")
	require.Equal(t, linuxerr.EAGAIN, freezer.setFrozen(server, true))
	who := fmt.Sprintf("%d:0 ", server.pid)
	require.Equal(t, []string{who + "frozen", who + "thawed"}, tr.steps())
}

// The trace of a container has what it sends to others, what they do with that, and nothing
// else of theirs.
func TestTraceOfAContainer(t *testing.T) {
	w, other := sharing(t)
	tr := w.startTrace(t, "id")
	server, stranger := other.newManager(), other.newApp()
	stranger.write(stranger.call(0, 0, parcel("")))
	server.takeCall()
	server.write(server.reply(parcel("")))
	server.expect(binder.BR_TRANSACTION_COMPLETE)
	stranger.expectReply()
	require.Empty(t, tr.steps())

	client := w.newApp()
	client.write(client.call(0, 0, parcel("")))
	server.takeCall()
	server.write(server.reply(parcel("")))
	client.expectReply()
	pids := map[int32]int{}
	for _, e := range tr.events() {
		pids[e.PID]++
		if e.PID == server.pid {
			require.Contains(t, []trace.Kind{trace.Received, trace.Transaction}, e.Kind)
		}
	}
	require.Equal(t, 2, pids[server.pid], "the call is received, and answered")
	require.Zero(t, pids[stranger.pid])
	require.NotZero(t, pids[client.pid])
}

func TestOneTraceAtATime(t *testing.T) {
	w := newWorld(t)
	_, err := w.driver.StartTrace(trace.NewRing(0), "none")
	require.Equal(t, linuxerr.ENOENT, err)
	first := w.startTrace(t, "")
	_, err = w.driver.StartTrace(trace.NewRing(0), "")
	require.Equal(t, linuxerr.EBUSY, err)
	first.stop()
	second := w.startTrace(t, "")
	first.stop() // It was stopped before, and doesn't affect the second.
	w.newApp()
	require.Empty(t, first.events())
	client := w.newApp()
	client.write(client.call(99, 0, parcel("")))
	client.expect(binder.BR_FAILED_REPLY)
	require.Empty(t, first.events())
	require.NotEmpty(t, second.events())
}

// A restored sandbox is not traced.
func TestRestoreOfTraced(t *testing.T) {
	w := newWorld(t)
	w.newApp()
	w.startTrace(t, "")
	require.Nil(t, w.restore().driver.tracer.Load())
	require.NotNil(t, w.driver.tracer.Load())
}
