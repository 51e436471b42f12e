// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// What the driver writes to the argument of each ioctl, whether it succeeds or not: every
// byte, and those around it.

//covers:bad-requests
package syscalls

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/syscalls/remote"
)

// guard holds the bytes before and after an argument.
var guard = bytes.Repeat([]byte{0xa5}, 32)

// requireWritten makes an ioctl on fd with arg, and checks that it returns err and that
// arg is then want. A nil want means that arg must not change.
func (th *thread) requireWritten(fd int, request uintptr, arg, want []byte, err error) {
	th.t.Helper()
	if want == nil {
		want = arg
	}
	all := remote.Bytes(th.Scratch(), 2*len(guard)+len(arg))
	copy(all, bytes.Join([][]byte{guard, arg, guard}, nil))
	_, got := th.Call(th.t, unix.SYS_IOCTL, uintptr(fd), request, th.Scratch()+uintptr(len(guard)))
	require.Equal(th.t, err, got)
	require.Equal(th.t, bytes.Join([][]byte{guard, want, guard}, nil), append([]byte(nil), all...))
}

// written is requireWritten for the process's device and arguments of 32-bit words.
func (th *thread) written(request uintptr, arg, want text, err error) {
	th.t.Helper()
	th.requireWritten(th.p.fd, request, arg.encode(), want.encode(), err)
}

// some holds meaningless words.
func some(n int) text { return text(strings.Repeat("\xef\xbe\xad\xde", n)) }

// Requests that only pass something to the driver leave their argument alone.
//
//covers:freeze
func TestWrittenNothing(t *testing.T) {
	manager, p := newManager(t), newProcess(t)
	for name, tc := range map[string]struct {
		request uintptr
		arg     text
		want    error
	}{
		"BINDER_SET_MAX_THREADS":              {binder.BINDER_SET_MAX_THREADS, some(1), nil},
		"BINDER_ENABLE_ONEWAY_SPAM_DETECTION": {binder.BINDER_ENABLE_ONEWAY_SPAM_DETECTION, some(1), nil},
		"BINDER_SET_IDLE_TIMEOUT":             {binder.BINDER_SET_IDLE_TIMEOUT, some(2), unix.EINVAL},
		"BINDER_SET_IDLE_PRIORITY":            {binder.BINDER_SET_IDLE_PRIORITY, some(1), unix.EINVAL},
		"BINDER_SET_CONTEXT_MGR, taken":       {binder.BINDER_SET_CONTEXT_MGR, some(1), unix.EBUSY},
		"BINDER_SET_CONTEXT_MGR_EXT, taken":   {binder.BINDER_SET_CONTEXT_MGR_EXT, some(6), unix.EBUSY},
		"BINDER_FREEZE, nobody":               {binder.BINDER_FREEZE, words(^uint32(0), 1, 0xffff), unix.EINVAL},
		"BINDER_FREEZE, nobody, thaw":         {binder.BINDER_FREEZE, words(^uint32(0), 0, 0xffff), unix.EINVAL},
		"BINDER_FREEZE":                       {binder.BINDER_FREEZE, words(uint32(manager.pid()), 2, 7), nil},
		"BINDER_FREEZE, thaw":                 {binder.BINDER_FREEZE, words(uint32(manager.pid()), 0, 7), nil},
		"BINDER_GET_FROZEN_INFO, nobody":      {binder.BINDER_GET_FROZEN_INFO, words(^uint32(0), 1, 2), unix.EINVAL},
		"BINDER_GET_NODE_INFO_FOR_REF, other": {binder.BINDER_GET_NODE_INFO_FOR_REF, words(1, 0, 0, 0, 0, 0), unix.EPERM},
		"BINDER_GET_NODE_INFO_FOR_REF, set":   {binder.BINDER_GET_NODE_INFO_FOR_REF, some(6), unix.EINVAL},
		"BINDER_WRITE_READ, nothing":          {binder.BINDER_WRITE_READ, words(0, 0, 7, 0, 1, 2, 0, 0, 9, 0, 3, 4), nil},
		"an unknown request":                  {binder.BINDER_VERSION + 1, some(8), unix.EINVAL},
		"BINDER_THREAD_EXIT":                  {binder.BINDER_THREAD_EXIT, some(1), nil},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.HasPrefix(name, "BINDER_FREEZE, nobody") && differs(t, onFreezeNobody) {
				tc.want = nil
			}
			p.as(t).written(tc.request, tc.arg, tc.arg, tc.want)
		})
	}
}

// BINDER_VERSION, BINDER_GET_NODE_DEBUG_INFO and BINDER_GET_EXTENDED_ERROR return results
// in all of their argument.
//
//covers:extended-error
func TestWrittenAnswers(t *testing.T) {
	manager, p := newManager(t), newProcess(t)
	p.written(binder.BINDER_VERSION, some(1), words(8), nil)

	p.written(binder.BINDER_GET_NODE_DEBUG_INFO, words(0, 0, 1, 2, 3, 4), words(0, 0, 0, 0, 0, 0), nil)
	p.offer(manager, 0x10)
	p.written(binder.BINDER_GET_NODE_DEBUG_INFO, words(0, 0, 1, 2, 3, 4), words(0x10, 0, 0x11, 0, 1, 1), nil)
	p.written(binder.BINDER_GET_NODE_DEBUG_INFO, words(0x10, 0, 1, 2, 3, 4), words(0, 0, 0, 0, 0, 0), nil)

	p.write(bcTransaction{handle: 99})
	id := p.as(t).extendedError().ID
	p.expect(brNoop, brFailedReply)
	if !differs(t, onErrorNumber) {
		p.written(binder.BINDER_GET_EXTENDED_ERROR, some(3), words(0, binder.BR_OK, 0), nil)
	}
	p.write(bcTransaction{handle: 99})
	p.expect(brNoop, brFailedReply)
	param := -int32(unix.EINVAL)
	if differs(t, onErrno) {
		param = -int32(unix.ENOENT)
	}
	p.written(binder.BINDER_GET_EXTENDED_ERROR, some(3), words(id+1, binder.BR_FAILED_REPLY, uint32(param)), nil)
}

// BINDER_GET_NODE_INFO_FOR_REF and BINDER_GET_FROZEN_INFO change nothing if they fail,
// and otherwise only their results. BINDER_FREEZE changes nothing.
//
//covers:node-info,freeze
func TestWrittenInPart(t *testing.T) {
	manager, p := newManager(t), newProcess(t)
	h := p.offer(manager, 0x10)
	weak := uint32(0)
	if differs(t, onNodeCounts) {
		weak = 1
	}
	none := unix.ENOENT
	if differs(t, onNodeUnknown) {
		none = unix.EINVAL
	}
	manager.written(binder.BINDER_GET_NODE_INFO_FOR_REF, words(h, 0, 0, 0, 0, 0), words(h, 1, weak, 0, 0, 0), nil)
	unknown, set := words(99, 0, 0, 0, 0, 0), words(h, 0, 0, 0, 0, 1)
	manager.written(binder.BINDER_GET_NODE_INFO_FOR_REF, unknown, unknown, none)
	manager.written(binder.BINDER_GET_NODE_INFO_FOR_REF, set, set, unix.EINVAL)

	pid := uint32(manager.pid())
	p.write(bcTransaction{})
	busy := words(pid, 1, 1)
	p.written(binder.BINDER_FREEZE, busy, busy, unix.EAGAIN)
	p.written(binder.BINDER_GET_FROZEN_INFO, words(pid, 8, 9), words(pid, syncPending, 0), nil)
	manager.write(manager.read().message(t).free(), bcReply{})
	p.read()
	frozen, thawed := words(pid, 8, 9), words(pid, 0, 9)
	p.written(binder.BINDER_FREEZE, frozen, frozen, nil)
	p.written(binder.BINDER_GET_FROZEN_INFO, words(pid, 8, 9), words(pid, 0, 0), nil)
	p.written(binder.BINDER_FREEZE, thawed, thawed, nil)
}

// BINDER_WRITE_READ reports how far it got, and changes nothing else.
//
//covers:write-read
func TestWrittenByWriteRead(t *testing.T) {
	manager, p := newManager(t), newProcess(t)
	p.setNonblock(true)
	at := p.Scratch() + 1024
	b := uint64(at)
	const looper = binder.BC_ENTER_LOOPER
	for _, tc := range []struct {
		name      string
		cmds      []uint32
		arg, want binder.WriteRead
		err       error
	}{
		{"nothing to read", []uint32{looper},
			binder.WriteRead{WriteSize: 4, WriteBuffer: b, ReadSize: 256, ReadConsumed: 77, ReadBuffer: b + 128},
			binder.WriteRead{WriteSize: 4, WriteConsumed: 4, WriteBuffer: b, ReadSize: 256, ReadConsumed: 77, ReadBuffer: b + 128}, unix.EAGAIN},
		{"unknown command", []uint32{looper, 0x12345678},
			binder.WriteRead{WriteSize: 8, WriteBuffer: b, ReadSize: 256, ReadConsumed: 77, ReadBuffer: b + 128},
			binder.WriteRead{WriteSize: 8, WriteConsumed: 4, WriteBuffer: b, ReadSize: 256, ReadBuffer: b + 128}, unix.EINVAL},
		{"consumed too much", nil,
			binder.WriteRead{WriteSize: 4, WriteConsumed: 8, WriteBuffer: b, ReadSize: 256, ReadBuffer: b + 128},
			binder.WriteRead{WriteSize: 4, WriteConsumed: 8, WriteBuffer: b, ReadSize: 256, ReadBuffer: b + 128}, unix.EAGAIN},
		{"bad write buffer", nil,
			binder.WriteRead{WriteSize: 4, WriteBuffer: badAddress, ReadSize: 256, ReadConsumed: 77, ReadBuffer: b},
			binder.WriteRead{WriteSize: 4, WriteBuffer: badAddress, ReadSize: 256, ReadBuffer: b}, unix.EFAULT},
		{"bad read buffer", []uint32{looper},
			binder.WriteRead{WriteSize: 4, WriteBuffer: b, ReadSize: 256, ReadBuffer: badAddress},
			binder.WriteRead{WriteSize: 4, WriteConsumed: 4, WriteBuffer: b, ReadSize: 256, ReadBuffer: badAddress}, unix.EFAULT},
		{"only a read", nil,
			binder.WriteRead{WriteConsumed: 3, WriteBuffer: 5, ReadSize: 256, ReadBuffer: b},
			binder.WriteRead{WriteConsumed: 3, WriteBuffer: 5, ReadSize: 256, ReadBuffer: b}, unix.EAGAIN},
		{"a failure ends the write", append([]uint32{binder.BC_REPLY}, make([]uint32, binder.SizeOfTransactionData/4+1)...),
			binder.WriteRead{WriteSize: binder.SizeOfTransactionData + 8, WriteBuffer: b},
			binder.WriteRead{WriteSize: binder.SizeOfTransactionData + 8, WriteConsumed: binder.SizeOfTransactionData + 4, WriteBuffer: b}, nil},
		{"and is read", nil,
			binder.WriteRead{WriteSize: 4, WriteBuffer: b, ReadSize: 256, ReadConsumed: 16, ReadBuffer: b + 128},
			binder.WriteRead{WriteSize: 4, WriteBuffer: b, ReadSize: 256, ReadConsumed: 20, ReadBuffer: b + 128}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			copy(remote.Bytes(at, readSize), words(tc.cmds...))
			var arg, want [binder.SizeOfWriteRead]byte
			tc.arg.MarshalBytes(arg[:])
			tc.want.MarshalBytes(want[:])
			p.as(t).requireWritten(p.fd, binder.BINDER_WRITE_READ, arg[:], want[:], tc.err)
		})
	}
	for _, consumed := range []uint64{0, 8} {
		p.write(bcTransaction{flags: oneWay})
		manager.drain(1)
		var arg, want [binder.SizeOfWriteRead]byte
		wr := binder.WriteRead{WriteConsumed: 5, WriteBuffer: 6, ReadSize: 256, ReadConsumed: consumed, ReadBuffer: b}
		wr.MarshalBytes(arg[:])
		wr.ReadConsumed = max(consumed, 4) + 4 // after a BR_NOOP, or what was there
		wr.MarshalBytes(want[:])
		p.requireWritten(p.fd, binder.BINDER_WRITE_READ, arg[:], want[:], nil)
	}
}

// BINDER_CTL_ADD returns the device's number, and terminates the name: unless there is no
// room for a device, but even if the name is invalid.
//
//covers:control
func TestWrittenByControl(t *testing.T) {
	dir := mountBinderfs(t, "max=5")
	p := newBareProcess(t)
	fd := p.open(dir+"/binder-control", unix.O_RDONLY)
	last := lstat(t, dir+"/vndbinder").Rdev
	device := func(name string, major, minor uint32) []byte {
		d := binder.BinderfsDevice{Major: major, Minor: minor}
		copy(d.Name[:], strings.Repeat("x", len(d.Name)))
		copy(d.Name[:], name)
		b := make([]byte, binder.SizeOfBinderfsDevice)
		d.MarshalBytes(b)
		return b
	}
	major, minor := unix.Major(last), unix.Minor(last)+1
	long := strings.Repeat("x", binder.BINDERFS_MAX_NAME) + "\x00"
	for _, tc := range []struct {
		name, want string
		add        uint32
		err        error
	}{
		{"a\x00", "a\x00", 0, nil},
		{"a\x00", "a\x00" + long[2:], 1, unix.EEXIST},
		{"/\x00", "/\x00" + long[2:], 1, unix.EACCES},
		{"", long, 1, nil},
		{"y", "y" + long[1:], 0, unix.ENOSPC},
	} {
		want := device(tc.want, major, minor+tc.add)
		if tc.err == unix.ENOSPC {
			want = device(tc.name, 77, 78)
		} else if tc.want == "a\x00" {
			want[binder.BINDERFS_MAX_NAME] = 0
		}
		p.requireWritten(fd, binder.BINDER_CTL_ADD, device(tc.name, 77, 78), want, tc.err)
	}
	require.Equal(t, []string{long[:binder.BINDERFS_MAX_NAME], "a"}, names(t, dir)[:2])
	unknown := device("", 77, 78)
	p.requireWritten(fd, binder.BINDER_VERSION, unknown, unknown, unix.EINVAL)
}
