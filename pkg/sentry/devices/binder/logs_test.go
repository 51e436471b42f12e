// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

// readLog returns the text of a log.
func readLog(v *View, log Log) string {
	var buf bytes.Buffer
	var place LogPlace
	for v.WriteLog(memorytest.Context(), &buf, log, &place) {
	}
	return buf.String()
}

// logsOf returns the text of all logs.
func logsOf(v *View) string {
	all := ""
	for _, log := range []Log{
		{Kind: LogState},
		{Kind: LogState, Hashed: true},
		{Kind: LogTransactions},
		{Kind: LogTransactions, Hashed: true},
		{Kind: LogStats},
		{Kind: LogLast},
		{Kind: LogLastFailed},
	} {
		all += readLog(v, log)
	}
	for p := range v.LoggedProcesses(math.MaxUint64) {
		all += readLog(v, Log{Kind: LogProcess, PID: p.PID})
	}
	return all
}

func stateOf(v *View) string { return readLog(v, Log{Kind: LogState}) }

// requireLine checks that the log has a line that matches the regular expression want.
func requireLine(t testing.TB, log, want string) {
	t.Helper()
	require.Regexp(t, "(?m)^"+want+"$", log)
}

// A restored process has the logs of the saved one.
func TestLogsAfterRestore(t *testing.T) {
	s := newScene(newWorld(t))
	before := logsOf(s.view())
	for _, line := range []string{
		`dead nodes:`,
		`  ref \d+: desc 3 dead node \d+ s 1 w 0 d [0-9a-f]{16}`,
		`    incoming transaction \d+: .* r0 elapsed \d+ms node \d+ size 56:16 offset 0`,
		`    outgoing transaction \d+: .* code 0 flags 0 pri 0 a0 r0 elapsed \d+ms`,
		`    pending transaction \d+: .* size 5:0 offset 0`,
		`    pending async transaction \d+: .*`,
		`  pending transaction \d+: .*`,
		`  thread \d+: l 02 need_return 0 tr 0`,
		`    transaction complete`,
		`    node work \d+: u0000000000000200 c0000000000c00e1e`,
		`    node work \d+: u00000000[0-9a-f]{8} c00000000[0-9a-f]{8}`,
		`  has dead binder`,
		`  has delivered dead binder`,
		`  BR_SPAWN_LOOPER: 1`,
		`\d+: async from .* ret 0/0 l=0`,
	} {
		requireLine(t, before, line)
	}
	// Hashes differ, and time goes on.
	unstable := regexp.MustCompile(`\b[uc]?00000000[0-9a-f]{8}\b|elapsed \d+ms`)
	after := logsOf(s.restore().view())
	require.Equal(t, unstable.ReplaceAllString(before, "@"), unstable.ReplaceAllString(after, "@"))
}

// Large numbers of objects are copied in pieces. The log has all of them, in order.
func TestLogsInPieces(t *testing.T) {
	const many = 3*batchSize + 5
	w := newWorld(t)
	manager, client := w.newManager(), w.newApp()
	for i := range uint64(many) {
		w.give(manager, client, 0x1000-8*i)
		w.give(client, manager, 8*i)
	}
	for range many {
		client.app.newThread()
		client.write(client.call(0, binder.TF_ONE_WAY, parcel("x")))
	}
	state := stateOf(w.view())
	count := func(line string) []string {
		found := regexp.MustCompile("(?m)^"+line).FindAllStringSubmatch(state, -1)
		var keys []string
		for _, m := range found {
			keys = append(keys, fmt.Sprintf("%16s", m[1]))
		}
		require.True(t, slices.IsSorted(keys) && len(slices.Compact(keys)) == len(found), "%s: %v", line, keys)
		return keys
	}
	requireLine(t, state, `  node \d+: u0000000000001000 .* hs 1 hw 1 ls 0 lw 0 is 1 iw 1 tr 1 proc \d+`)
	proc := fmt.Sprintf(`proc %d\ncontext binder\n`, client.pid)
	parts := regexp.MustCompile(proc).Split(state, 2)
	state = parts[1] // the manager came first, and is last
	state = state[:strings.Index(state, "\nproc ")]
	require.Len(t, count(`  node \d+: u([0-9a-f]{16}) `), many)
	require.Len(t, count(`  ref \d+: desc (\d+) `), many)
	require.Len(t, count(`  thread (\d+):`), many+1)
	require.Equal(t, many, strings.Count(state, "    transaction complete\n"))
	state = stateOf(w.view())
	require.Len(t, count(`  buffer \d+: ([0-9a-f]+) size 1:0:0 active`), many)

	client.app.close()
	manager.write(cmd(binder.BC_RELEASE, uint32(1)))
	state = stateOf(w.view())
	require.Equal(t, many-1, strings.Count(state, " dead node "))
	dead := state[:strings.Index(state, "\nproc ")]
	require.Equal(t, many-1, strings.Count(dead, "  node "), "the one without references is gone")
	require.True(t, strings.HasPrefix(state, "binder state:\ndead nodes:\n"))
}

// A call abandoned by its thread has no receiver any more.
func TestLogOfLeftThread(t *testing.T) {
	w := newWorld(t)
	manager, client := w.newManager(), w.newApp()
	inner := w.give(client, manager, 0x10)
	client.write(client.call(0, 0, parcel()))
	got := manager.expectTransaction(binder.BR_TRANSACTION)
	// The manager calls back, and leaves. The client isn't told.
	manager.write(manager.call(inner, 0, parcel()))
	requireLine(t, logsOf(w.view()), fmt.Sprintf("    outgoing .* to %d:%d code 0 .*", manager.pid, manager.id))
	require.NoError(t, manager.ioctl(binder.BINDER_THREAD_EXIT, 0))
	requireLine(t, logsOf(w.view()), "    outgoing .* to 0:0 code 0 .*")
	requireLine(t, logsOf(w.view()), fmt.Sprintf("  buffer %s delivered", ".*"))
	w.deaf[client.app.Process] = true
	w.deaf[manager.app.Process] = true
	_ = got
}

// The transaction log keeps the last transactions, and shows which are incomplete.
func TestTransactionLog(t *testing.T) {
	var l transactionLog
	text := func() string {
		var buf bytes.Buffer
		l.print(&buf, pidsIn{})
		return buf.String()
	}
	require.Empty(t, text())
	e := logEntry{debugID: 5, kind: logOneWay, from: pidOf(1), fromTID: 2, context: "binder", node: 4, handle: 3, dataSize: 1 << 33, offsetsSize: 16}
	place := l.add(&e)
	require.Equal(t, "5: async from 1:2 to 0:0 context binder node 4 handle 3 size 0:16 ret 0/0 l=0 (incomplete)\n", text())
	e.done, e.error, e.line = true, extendedError{command: binder.BR_FAILED_REPLY, param: -22}, 99
	e.to(&Process{id: pidOf(6)}, &Thread{id: 7})
	l.update(place, &e)
	const last = "5: async from 1:2 to 6:7 context binder node 4 handle 3 size 0:16 ret 29201/-22 l=99\n"
	require.Equal(t, last, text())
	for i := range int32(logSize - 1) {
		l.add(&logEntry{debugID: 10 + i, kind: logReply, done: true})
	}
	require.True(t, strings.HasPrefix(text(), last))
	require.Equal(t, logSize, strings.Count(text(), "\n"))
	l.add(&logEntry{debugID: 100, done: true})
	require.True(t, strings.HasPrefix(text(), "10: reply from"))
	require.True(t, strings.HasSuffix(text(), "100: call  from 0:0 to 0:0 context  node 0 handle 0 size 0:0 ret 0/0 l=0\n"))
	// Another transaction has its entry now.
	l.update(place, &e)
	require.NotContains(t, text(), "99")
}

// A transaction being sent is in the log, as far as it is known.
func TestTransactionLogMeanwhile(t *testing.T) {
	w := newWorld(t)
	manager, client := w.newManager(), w.newApp()
	m := message{}
	client.state().begin(client, &m, logCall)
	requireLine(t, logsOf(w.view()), fmt.Sprintf(`\d+: call  from %d:%d to 0:0 context binder node 0 handle 0 size 0:0 ret 0/0 l=0 \(incomplete\)`, client.pid, client.id))
	client.state().end(client, &m, failedContents.by(nil))
	require.NotContains(t, logsOf(w.view()), "incomplete")
	_ = manager
}

// Equal values have equal hashes of 32 bits, and zero has none.
func TestHasher(t *testing.T) {
	var h, other hasher
	h.init()
	other.init()
	require.Zero(t, h.address(0))
	require.Zero(t, hashed[*Node](&h, nil))
	differ := false
	for addr := uint64(1); addr < 100; addr++ {
		require.Equal(t, h.address(addr), h.address(addr))
		require.Less(t, h.address(addr), uint64(1<<32))
		differ = differ || h.address(addr) != other.address(addr)
	}
	require.True(t, differ)
	require.Equal(t, "00000000000000ff", pointers{}.format(0xff))
	require.Equal(t, fmt.Sprintf("%016x", h.address(0xff)), pointers{&h}.format(0xff))
}

// The counts of a process stay in the sum when it's gone.
func TestCountsStay(t *testing.T) {
	w := newWorld(t)
	client := w.newApp()
	client.write(cmd(binder.BC_ENTER_LOOPER), cmd(binder.BC_EXIT_LOOPER))
	require.Error(t, client.try(cmd(0xffff_ffff)).err)
	before := w.domain.counts()
	require.EqualValues(t, 1, before.commands[binder.CommandNumber(binder.BC_ENTER_LOOPER)].Load())
	client.app.close()
	var now, then bytes.Buffer
	before.print(&then, "")
	w.domain.counts().print(&now, "")
	require.Equal(t, then.String(), now.String())
}
