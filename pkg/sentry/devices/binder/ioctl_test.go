// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/errors"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"

	"sentrybinder/pkg/abi/binder"
)

// TestIoctlErrors makes each ioctl with an argument that is not mapped.
func TestIoctlErrors(t *testing.T) {
	w := newWorld(t)
	th := w.newApp()
	for _, tc := range []struct {
		request uint32
		want    *errors.Error
	}{
		{binder.BINDER_WRITE_READ, linuxerr.EFAULT},
		{binder.BINDER_SET_MAX_THREADS, linuxerr.EFAULT},
		{binder.BINDER_SET_CONTEXT_MGR_EXT, linuxerr.EFAULT},
		{binder.BINDER_VERSION, linuxerr.EFAULT},
		{binder.BINDER_ENABLE_ONEWAY_SPAM_DETECTION, linuxerr.EFAULT},
		{binder.BINDER_GET_NODE_DEBUG_INFO, linuxerr.EFAULT},
		{binder.BINDER_GET_NODE_INFO_FOR_REF, linuxerr.EFAULT},
		{binder.BINDER_GET_EXTENDED_ERROR, linuxerr.EFAULT},
		{0, linuxerr.EINVAL},
		{binder.BINDER_VERSION + 1, linuxerr.EINVAL},
	} {
		for _, arg := range []hostarch.Addr{badAddr, appMemory - 1} {
			require.Equal(t, tc.want, th.ioctl(tc.request, arg), "%#x, argument %#x", tc.request, arg)
		}
	}
	require.NoError(t, th.ioctlUint32(binder.BINDER_ENABLE_ONEWAY_SPAM_DETECTION, 1))
	require.NoError(t, th.ioctl(binder.BINDER_VERSION, argAddr))
	require.EqualValues(t, 8, th.mem.Bytes[argAddr])
}

// TestIoctlByOther: requests of a process that did not open the device leave no thread.
func TestIoctlByOther(t *testing.T) {
	w := newWorld(t)
	opener, other := w.newApp(), w.newApp()
	threads, used := opener.app.threadIDs(), opener.account.Used()
	require.NoError(t, opener.app.ioctlByOther(other, &other.mem, binder.BINDER_VERSION, argAddr))
	require.EqualValues(t, 8, other.mem.Bytes[argAddr])
	require.Equal(t, threads, opener.app.threadIDs())
	require.Equal(t, used, opener.account.Used())
}

// TestManagerChanges: there's one manager at a time, and always of the same user.
func TestManagerChanges(t *testing.T) {
	w := newWorld(t)
	first, second := w.newApp(), w.newApp()
	require.NoError(t, first.ioctl(binder.BINDER_SET_CONTEXT_MGR, 0))
	require.Equal(t, linuxerr.EBUSY, first.ioctl(binder.BINDER_SET_CONTEXT_MGR, 0))
	require.Equal(t, linuxerr.EBUSY, second.ioctl(binder.BINDER_SET_CONTEXT_MGR, 0))
	second.write(second.call(0, 0, parcel("")))
	first.app.close()
	second.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_DEAD_REPLY)
	require.Equal(t, linuxerr.EPERM, second.ioctl(binder.BINDER_SET_CONTEXT_MGR, 0))
	second.app.euid = auth.KUID(first.euid)
	require.NoError(t, second.ioctl(binder.BINDER_SET_CONTEXT_MGR, 0))

	// A manager whose node was known before.
	third := w.newApp()
	second.app.close()
	w.give(third, w.newApp(), 0)
	third.app.euid = first.euid
	require.NoError(t, third.ioctl(binder.BINDER_SET_CONTEXT_MGR, 0))
	require.EqualValues(t, 1, w.active()["node"])
}

// TestWriteErrors writes commands that are unknown, truncated, or not mapped. Those before
// them are consumed.
func TestWriteErrors(t *testing.T) {
	w := newWorld(t)
	th := w.newApp()
	enter := cmd(binder.BC_ENTER_LOOPER)
	for _, tc := range []struct {
		name     string
		wr       binder.WriteRead
		commands []byte
		want     *errors.Error
		consumed uint64
	}{
		{name: "unknown", commands: append(enter, 1, 2, 3, 4), want: linuxerr.EINVAL, consumed: 4},
		{name: "a return", commands: cmd(binder.BR_NOOP), want: linuxerr.EINVAL},
		{name: "unsupported", commands: cmd(binder.BC_ATTEMPT_ACQUIRE, uint64(0)), want: linuxerr.EINVAL},
		{name: "not mapped", wr: binder.WriteRead{WriteBuffer: badAddr, WriteSize: 4}, want: linuxerr.EFAULT},
		{name: "memory that ends in the code", wr: binder.WriteRead{WriteBuffer: appMemory - 2, WriteSize: 4}, want: linuxerr.EFAULT},
		{name: "memory that ends in the parameters", wr: binder.WriteRead{WriteBuffer: appMemory - 8, WriteSize: 12}, want: linuxerr.EFAULT},
		{name: "memory that ends in the second command", wr: binder.WriteRead{WriteBuffer: appMemory - 12, WriteSize: 16}, want: linuxerr.EFAULT, consumed: 4},
		{name: "more than is read at once", commands: bytes.Repeat(cmd(binder.BC_FREE_BUFFER, uint64(badAddr)), 30), consumed: 30 * 12},
		{name: "nothing left", wr: binder.WriteRead{WriteConsumed: 4, WriteSize: 4, WriteBuffer: badAddr}, consumed: 4},
		{name: "more consumed than there is", wr: binder.WriteRead{WriteConsumed: 8, WriteSize: 4, WriteBuffer: badAddr}, consumed: 8},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wr := tc.wr
			if tc.commands != nil {
				wr = th.writing([][]byte{tc.commands})
			}
			copy(th.mem.Bytes[appMemory-12:], append(enter, cmd(binder.BC_FREE_BUFFER)...))
			wr.ReadConsumed = 4
			out := th.writeRead(wr)
			require.Equal(t, tc.consumed, out.WriteConsumed)
			if tc.want == nil {
				require.NoError(t, out.err)
				return
			}
			require.Equal(t, tc.want, out.err)
			require.Zero(t, out.ReadConsumed, "a failed write reports that nothing was read")
		})
	}
}

// TestReadErrors reads into buffers that are not mapped, or too small.
func TestReadErrors(t *testing.T) {
	w := newWorld(t)
	manager, client := w.newManager(), w.newApp()
	try := func(addr, size uint64) outcome {
		return manager.writeRead(binder.WriteRead{ReadBuffer: addr, ReadSize: size})
	}
	require.Equal(t, linuxerr.EFAULT, try(badAddr, readSize).err)
	require.Equal(t, linuxerr.EFAULT, try(readAddr, 3).err)

	// A buffer without room for the longest return gets nothing, and nothing is
	// lost.
	client.write(client.call(0, 0, parcel("")))
	const most = returnSize + returnSize + binder.SizeOfTransactionDataSecctx
	for _, size := range []uint64{4, 8, most - 1} {
		out := try(readAddr, size)
		require.NoError(t, out.err)
		require.Len(t, out.returns, 1, "in %d bytes", size)
	}
	require.Len(t, try(readAddr, most).returns, 2)

	// A transaction that can't be delivered fails.
	other, second := client.app.newThread(), manager.app.newThread()
	other.write(other.call(0, 0, parcel("", nodeObject(0x10))))
	out := second.writeRead(binder.WriteRead{ReadBuffer: appMemory - 8, ReadSize: readSize})
	require.Equal(t, linuxerr.EFAULT, out.err)
	other.expect(binder.BR_TRANSACTION_COMPLETE, binder.BR_FAILED_REPLY)
	// Its buffer is freed, with what it held.
	require.Equal(t, 1, manager.alloc.Usage().Buffers)
	require.Nil(t, client.nodeAt(0x10))
	w.requireSound()
}
