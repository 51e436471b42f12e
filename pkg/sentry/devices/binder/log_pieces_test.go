// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"bytes"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	gosync "sync"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/sync"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/binder/list"
	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

// maxLogPiece is the maximum size of a piece of a log, in bytes: the step that fills it is
// of about the same size.
const maxLogPiece = 3 * logPieceSize

// readPieces reads a log and calls f after each piece.
func readPieces(t testing.TB, v *View, log Log, f func()) string {
	var all strings.Builder
	var place LogPlace
	for more := true; more; f() {
		var piece bytes.Buffer
		more = v.WriteLog(memorytest.Context(), &piece, log, &place)
		require.LessOrEqual(t, piece.Len(), maxLogPiece)
		all.Write(piece.Bytes())
	}
	return all.String()
}

// crowd is processes that hold many objects of each kind.
type crowd struct {
	*world
	manager, client *thread
	holders         []*thread
	calls           []received
}

const (
	manyNodes   = 3000
	manyHolders = 700
	manyThreads = 700
	manyCalls   = 400
	manyQueued  = 2500
)

func newCrowd(t testing.TB) *crowd {
	w := newWorld(t)
	c := &crowd{world: w, manager: w.open(1 << 20).newLooper(), client: w.newApp()}
	require.NoError(t, c.manager.ioctl(binder.BINDER_SET_CONTEXT_MGR, 0))
	for i := range uint64(manyNodes) {
		w.give(c.client, c.manager, 0x10+8*i)
		w.give(c.manager, c.client, 0x10_0000-8*i)
	}
	// The manager's node 0 has many holders.
	for range manyHolders {
		th := w.open(0).newThread()
		th.write(cmd(binder.BC_ACQUIRE, uint32(0)))
		c.holders = append(c.holders, th)
	}
	for range manyThreads {
		c.client.app.newThread()
	}
	// A stack of nested calls.
	ths := [2]*thread{c.client, c.manager}
	handles := [2]uint32{0, 1}
	for i := range manyCalls {
		from, to := ths[i%2], ths[(i+1)%2]
		from.write(from.call(handles[i%2], 0, parcel("")))
		got := to.read() // with its own call's completion
		c.calls = append(c.calls, to.received(got[len(got)-1]))
	}
	// Work for a thread, for a node and for a process.
	other := c.client.app.newThread()
	for range manyQueued {
		other.write(other.call(1, binder.TF_ONE_WAY, parcel("")))
		other.write(other.call(0, binder.TF_ONE_WAY, parcel("")))
	}
	return c
}

func (c *crowd) release() {
	for _, a := range c.apps {
		c.deaf[a.Process] = true
	}
}

// However many objects there are, no piece of a log is large, and everything is shown once.
func TestLogPiecesAreBounded(t *testing.T) {
	c := newCrowd(t)
	defer c.release()
	pieces := 0
	state := readPieces(t, c.view(), Log{Kind: LogState}, func() { pieces++ })
	require.Greater(t, pieces, len(state)/maxLogPiece)
	for line, want := range map[string]int{
		`  node \d+: .*`:                        2*manyNodes + 1,
		`  ref \d+: .*`:                         2*manyNodes + manyHolders,
		`  thread \d+: .*`:                      1 + 2 + manyThreads + manyHolders,
		`    incoming transaction .*`:           manyCalls,
		`    outgoing transaction .*`:           manyCalls,
		`  buffer \d+: .* active`:               manyCalls + 2*manyQueued,
		`    pending async transaction .*`:      2*manyQueued - 2,
		`    transaction complete`:              2*manyQueued + 1,
		`  pending transaction .*`:              2,
		`  node \d+: u0{16} .* proc( \d+){700}`: 1,
	} {
		found := regexp.MustCompile("(?m)^"+line+"$").FindAllString(state, -1)
		require.Len(t, found, want, line)
	}
	// A reader of small pieces sees the same as one that reads everything at once.
	elapsed := regexp.MustCompile(`elapsed \d+ms`)
	require.Equal(t, elapsed.ReplaceAllString(readLog(c.view(), Log{Kind: LogState}), ""), elapsed.ReplaceAllString(state, ""))

	idle := readPieces(t, c.view(), Log{Kind: LogTransactions}, func() {})
	require.Equal(t, 2, strings.Count(idle, "\nproc "), "idle processes aren't shown")
	require.Equal(t, 3, strings.Count(idle, "\n  thread "))
	require.Equal(t, 2, strings.Count(idle, "\n  node "))
	require.Equal(t, 2*manyCalls, strings.Count(idle, "going transaction ")+strings.Count(idle, "coming transaction "))
}

// Between two pieces, a reader makes the driver keep only its place, which has no pointers;
// while a piece is written, little more than the piece.
func TestLogReadersTakeLittleMemory(t *testing.T) {
	c := newCrowd(t)
	defer c.release()
	const readers = 8
	var places [readers]LogPlace
	var held runtime.MemStats
	heap := func() uint64 {
		runtime.GC()
		runtime.ReadMemStats(&held)
		return held.HeapAlloc
	}
	before := heap()
	var most uint64
	for n, more := 0, true; more; n++ {
		var wg gosync.WaitGroup
		var bufs [readers]bytes.Buffer
		more = false
		var mu sync.Mutex
		for i := range places {
			wg.Go(func() {
				again := c.view().WriteLog(memorytest.Context(), &bufs[i], Log{Kind: LogState}, &places[i])
				mu.Lock()
				defer mu.Unlock()
				more = more || again
			})
		}
		wg.Wait()
		if n%8 == 0 {
			most = max(most, heap())
		}
		runtime.KeepAlive(&bufs)
	}
	require.Less(t, most, before+readers*256<<10, "of %d", before)
}

// Objects that come or go while a log is read may be shown or not; the others are shown
// once, in order.
func TestLogWhileThingsChange(t *testing.T) {
	c := newCrowd(t)
	defer c.release()
	const gone = 0x10 + 8*(manyNodes-200) // nodes from here on go, one with each piece
	spare := c.client.app.newThread()
	next, handle := uint64(gone), uint32(manyNodes-200+1)
	state := readPieces(t, c.view(), Log{Kind: LogState}, func() {
		c.give(spare, c.manager, 0x20_0000+next)
		if next < 0x10+8*manyNodes {
			c.manager.write(cmd(binder.BC_RELEASE, handle), cmd(binder.BC_DECREFS, handle))
			handle++
		}
		next += 8
		if n := len(c.holders); n > 1 {
			require.NoError(t, c.holders[n-1].ioctl(binder.BINDER_THREAD_EXIT, 0))
			c.holders[n-1].app.close()
			c.holders = c.holders[:n-1]
		}
		if n := len(c.calls); n > 0 {
			// The innermost call is answered.
			by := [2]*thread{c.manager, c.client}[(n-1)%2]
			by.write(by.reply(parcel("")))
			c.calls = c.calls[:n-1]
		}
	})
	for _, line := range []string{`(?m)^  node \d+: u([0-9a-f]{16}) `, `(?m)^  thread (\d+): `} {
		for i, proc := range strings.Split(state, "\nproc ") {
			var keys []string
			for _, m := range regexp.MustCompile(line).FindAllStringSubmatch(proc, -1) {
				keys = append(keys, fmt.Sprintf("%16s", m[1]))
			}
			require.True(t, slices.IsSorted(keys), "%s %d", line, i)
			require.Equal(t, len(keys), len(slices.Compact(keys)), "%s %d", line, i)
		}
	}
	shown := make(map[string]int)
	for _, m := range regexp.MustCompile(`(?m)^  node \d+: u([0-9a-f]{16}) `).FindAllStringSubmatch(state, -1) {
		shown[m[1]]++
	}
	for ptr := uint64(0x10); ptr < gone; ptr += 8 {
		require.Equal(t, 1, shown[fmt.Sprintf("%016x", ptr)], "%x", ptr)
	}
	for line := range strings.Lines(state) {
		require.Regexp(t, `^(binder|dead|proc|context|  \S.*:|    \S| {2,4}pending|  has)`, line)
	}
}

// A log read in part continues after a restore, with the objects that exist then.
func TestLogReadAfterRestore(t *testing.T) {
	s := newScene(newWorld(t))
	unstable := regexp.MustCompile(`\b[uc]?00000000[0-9a-f]{8}\b|elapsed \d+ms`)
	log := Log{Kind: LogState}
	whole := unstable.ReplaceAllString(readLog(s.view(), log), "@")
	// Small pieces end after any step.
	var places []LogPlace
	var first []string
	var place LogPlace
	var buf bytes.Buffer
	for place.part != logEnd {
		places = append(places, place)
		first = append(first, buf.String())
		s.view().newLogWriter(memorytest.Context(), &buf, log, &place).step()
	}
	require.Greater(t, len(places), 20)
	restored := s.restore()
	for i, place := range places {
		rest := bytes.NewBufferString(first[i])
		for restored.view().WriteLog(memorytest.Context(), rest, log, &place) {
		}
		require.Equal(t, whole, unstable.ReplaceAllString(rest.String(), "@"), "%+v", places[i])
	}
}

// The next items of a list are found by the last one's number, wherever that item went.
func TestWorkListAfter(t *testing.T) {
	const many = 3*batchSize + 5
	var items []*threadError
	var p Process
	var l workList
	for i := range uint32(many) {
		e := list.NewUnique(&threadError{br: i})
		items = append(items, e.Get())
		held := e.Share()
		l.pushBack(held.Get())
		held.Release(memorytest.Context())
	}
	after := func(seq uint64) (brs []uint32) {
		var buf [batchSize]queuedWork
		for _, q := range p.queuedAfter(memorytest.Context(), &l, seq, buf[:0]) {
			brs = append(brs, q.Get().(*threadError).br)
			require.Equal(t, q.seq, q.Get().item().seq)
			q.Release(memorytest.Context())
		}
		return brs
	}
	require.Len(t, after(0), batchSize)
	require.Equal(t, []uint32{many - 1}, after(many-1))
	require.Equal(t, []uint32{70, 71}, after(70)[:2])
	dequeue(memorytest.Context(), items[69])
	dequeue(memorytest.Context(), items[70])
	require.Equal(t, []uint32{71, 72}, after(70)[:2])
	require.Empty(t, after(many))
	// An item queued again is last.
	held := list.BorrowOf(items[0]).Arc()
	dequeue(memorytest.Context(), items[0])
	l.pushBack(items[0])
	held.Release(memorytest.Context())
	require.Equal(t, []uint32{0}, after(many))
	for w, ok := l.popFront(); ok; w, ok = l.popFront() {
		w.Release(memorytest.Context())
	}
}
