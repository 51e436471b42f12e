// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:spam
package syscalls

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"sentrybinder/pkg/abi/binder"
)

// setSpamDetection turns the detection of one-way spam on or off.
func (th *thread) setSpamDetection(on uint32) {
	th.t.Helper()
	_, err := th.ioctlBytes(binder.BINDER_ENABLE_ONEWAY_SPAM_DETECTION, []byte(words(on)))
	require.NoError(th.t, err, "BINDER_ENABLE_ONEWAY_SPAM_DETECTION")
}

// flood sends n one-way transactions of size bytes to the manager and returns which of
// them, from 1 on, are suspected of being spam. All must be queued.
func (th *thread) flood(n, size int) []int {
	th.t.Helper()
	var suspected []int
	for i := range n {
		th.write(bcTransaction{flags: oneWay, payload: payload{space(size)}})
		switch got := th.read(); {
		case got[len(got)-1] == brOneWaySpamSuspect:
			suspected = append(suspected, i+1)
		default:
			expect(th.t, got, brNoop, brTransactionComplete)
		}
	}
	return suspected
}

// drain makes the process read n one-way transactions and free their buffers.
func (p *process) drain(n int) {
	p.t.Helper()
	for range n {
		p.write(p.read().message(p.t).free())
	}
}

// Spam is looked for when, of the half for one-way transactions, less than a tenth of the
// mapping is left.
const (
	asyncSpace = mapSize / 2
	lowSpace   = mapSize / 10
)

// firstOf returns the reports that are expected if the first one is due.
func firstOf(t *testing.T, first, n int) []int {
	want := []int{first}
	if differs(t, onSpamOnce) {
		for i := first + 1; i <= n; i++ {
			want = append(want, i)
		}
	}
	return want
}

// A sender is suspected when it makes the space low, and has sent more than a quarter of
// the mapping before.
func TestSpamBySize(t *testing.T) {
	for _, size := range []int{64, 80, 1024, 4096, 16384} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			newManager(t)
			client := newProcess(t)
			client.setSpamDetection(1)
			n := asyncSpace / size
			first := (asyncSpace-lowSpace)/size + 1
			require.Equal(t, firstOf(t, first, n), client.flood(n, size))
		})
	}
}

// Exactly a quarter is not more than a quarter. What is just being sent does not count.
func TestSpamOfAQuarter(t *testing.T) {
	for n, size := range map[int]int{1: asyncSpace, 2: asyncSpace / 2} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			newManager(t)
			client := newProcess(t)
			client.setSpamDetection(1)
			var want []int
			if differs(t, onSpamCounts) {
				want = []int{n}
			}
			require.Equal(t, want, client.flood(n, size))
		})
	}
}

// It counts if the earlier transactions were the sender's, too.
func TestSpamInOnesOwnPlace(t *testing.T) {
	server, client, other := newManager(t), newProcess(t), newProcess(t)
	client.setSpamDetection(1)
	for _, tc := range []struct {
		before *process
		want   []int
	}{{client, []int{1}}, {other, nil}} {
		server.write(receive(server, tc.before, 8).free())
		if differs(t, onSpamCounts) {
			tc.want = []int{1}
		}
		require.Equal(t, tc.want, client.flood(1, asyncSpace))
		server.drain(1)
	}
}

// It is also suspected when it has sent more than fifty. Others are not blamed.
func TestSpamByNumber(t *testing.T) {
	for name, tc := range map[string]struct{ before, first int }{
		"low before fifty": {48, 52},
		"low at fifty":     {50, 52},
		"low at 51":        {51, 52},
		"low at 52":        {52, 52},
		"low at 53":        {53, 53},
		"low at 100":       {100, 100},
	} {
		t.Run(name, func(t *testing.T) {
			newManager(t)
			client, other := newProcess(t), newProcess(t)
			client.setSpamDetection(1)
			other.setSpamDetection(1)
			other.lowAfter(tc.before)
			first := tc.first
			if tc.before < 52 && differs(t, onSpamCounts) {
				first = 51
			}
			require.Equal(t, firstOf(t, first, 120), client.flood(120, 8))
		})
	}
}

// lowAfter makes a process send so much that the space is low once n one-way
// transactions of 8 bytes have followed.
func (p *process) lowAfter(n int) {
	p.t.Helper()
	require.Empty(p.t, p.flood(1, (asyncSpace-lowSpace+7)&^7-8*n))
}

// A process that has opened the device twice floods as one.
func TestSpamOfTwoOpens(t *testing.T) {
	newManager(t)
	client, other := newProcess(t), newProcess(t)
	other.lowAfter(60)
	again := client.again()
	client.setSpamDetection(1)
	again.setSpamDetection(1)
	require.Empty(t, client.flood(50, 8))
	require.Equal(t, firstOf(t, 10, 20), again.flood(20, 8))
}

// A child that inherited the device can't send with it. In C it is another sender.
func TestSpamOfAChild(t *testing.T) {
	if !differs(t, onOpener) {
		return
	}
	newManager(t)
	client, other := newProcess(t), newProcess(t)
	client.setSpamDetection(1)
	other.lowAfter(60)
	require.Empty(t, client.flood(50, 8))
	child := client.fork()
	child.write()
	require.Empty(t, child.flood(20, 8))
	require.Equal(t, []int{2}, client.flood(5, 8))
}

// Calls do not count, though they use the same mapping.
func TestSpamIsOneWay(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.setSpamDetection(1)
	receive(server, client, mapSize/3)
	require.Equal(t, firstOf(t, 13, 13), client.flood(13, 4096))
}

// There is one report until a one-way transaction leaves enough space.
func TestSpamIsReportedOnce(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.setSpamDetection(1)
	require.Equal(t, firstOf(t, 13, 15), client.flood(15, 4096))
	if differs(t, onSpamOnce) {
		return
	}
	for range 3 {
		server.drain(3)
		require.Empty(t, client.flood(3, 4096))
	}
	server.drain(4)
	require.Equal(t, []int{2}, client.flood(4, 4096))
}

// A process that has detection off is not told; nor is it told later.
func TestSpamDetectionOff(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	require.Empty(t, client.flood(13, 4096))
	client.setSpamDetection(1)
	if !differs(t, onSpamOnce) {
		require.Empty(t, client.flood(2, 4096))
		server.drain(2)
	}
	server.drain(13)

	// What counts is whether it is on when the completion is read.
	require.Empty(t, client.flood(12, 4096))
	one, other := brOneWaySpamSuspect, brTransactionComplete
	if differs(t, onSpamWhen) {
		one, other = other, one
	}
	client.setSpamDetection(0)
	client.write(bcTransaction{flags: oneWay, payload: payload{space(4096)}})
	client.setSpamDetection(7)
	client.expect(brNoop, one)
	server.drain(13)
	require.Empty(t, client.flood(12, 4096))
	client.write(bcTransaction{flags: oneWay, payload: payload{space(4096)}})
	client.setSpamDetection(0)
	client.expect(brNoop, other)
}

// A transaction that fails uses up the report.
func TestSpamThatFails(t *testing.T) {
	newManager(t)
	client := newProcess(t)
	client.setSpamDetection(1)
	require.Empty(t, client.flood(12, 4096))
	client.write(bcTransaction{flags: oneWay, payload: payload{handle(99), space(4072)}})
	client.expect(brNoop, brFailedReply)
	if !differs(t, onSpamOnce) {
		require.Empty(t, client.flood(2, 4096))
	}
}

// For a frozen receiver, a sender is told that it is frozen, and nothing about spam.
//
//covers:spam,freeze
func TestSpamToFrozen(t *testing.T) {
	server, client, freezer, _ := newFreezable(t)
	client.setSpamDetection(1)
	freezer.freeze(server)
	for range 13 {
		client.write(bcTransaction{flags: oneWay, payload: payload{space(4096)}})
		client.expect(brNoop, brPendingFrozen)
	}
	freezer.thaw(server)
	if !differs(t, onSpamOnce) {
		require.Empty(t, client.flood(2, 4096))
	}
}
