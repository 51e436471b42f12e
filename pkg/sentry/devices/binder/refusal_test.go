// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"gvisor.dev/gvisor/pkg/sentry/kernel"

	"sentrybinder/pkg/abi/binder"
)

// lastFailure returns the log's last failed transaction.
func (w *world) lastFailure() (last FailedTransaction) {
	w.t.Helper()
	for f := range w.view().Failures() {
		last = f
	}
	require.NotZero(w.t, last.DebugID, "nothing has failed")
	return last
}

// refusalScene is the parties to a refused transaction: client has a handle for a node of
// server's, and a file.
type refusalScene struct {
	*world
	server, client *thread
	handle         uint32
	fd             int32
}

func newRefusalScene(t *testing.T) *refusalScene {
	w := newWorld(t)
	s := &refusalScene{world: w, server: w.newApp(), client: w.newApp()}
	s.handle = w.give(s.server, s.client, 0x10)
	s.fd = s.client.app.installFile(newEventFile(t))
	return s
}

// send sends p to the server.
func (s *refusalScene) send(p payload) { s.client.write(s.client.call(s.handle, 0, p)) }

// sendSG is send with extra space.
func (s *refusalScene) sendSG(extra uint64, parts ...any) {
	s.client.write(s.client.callSG(s.handle, 0, parcel(parts...), extra))
}

// raw sends a transaction with an edited header.
func (s *refusalScene) raw(p payload, edit func(td *binder.TransactionData)) {
	td := binder.TransactionData{Target: uint64(s.handle), DataSize: uint64(len(p.data)), OffsetsSize: uint64(len(p.offsets)) * 8}
	td.Buffer = s.client.put(p.data)
	td.Offsets = s.client.put(must(binary.Append(nil, binary.LittleEndian, p.offsets)))
	edit(&td)
	s.client.write(cmd(binder.BC_TRANSACTION, td))
}

// refusals has a transaction for each reason.
var refusals = []struct {
	why   reason
	cause func(s *refusalScene)
	want  string
}{
	{reasonInvalidHandle, func(s *refusalScene) { s.client.write(s.client.call(99, 0, parcel("x"))) },
		"got transaction to invalid handle, 99"},
	{reasonNoManager, func(s *refusalScene) { s.client.write(s.client.call(0, 0, parcel("x"))) },
		"got transaction to handle 0, and there is no context manager"},
	{reasonOwnManager, func(s *refusalScene) {
		require.NoError(s.t, s.client.ioctl(binder.BINDER_SET_CONTEXT_MGR, 0))
		s.client.write(s.client.call(0, 0, parcel("x")))
	}, "got transaction to context manager from process owning it"},
	{reasonOwnNode, func(s *refusalScene) {
		n := s.server.nodeAt(0x10)
		handle := must(s.server.acquireNode(s.server, n, true, nil, s.server.account))
		s.server.write(s.server.call(handle, 0, parcel("x")))
	}, "got transaction to own node 1 by handle 1"},
	{reasonDeadNode, func(s *refusalScene) { s.server.app.close(); s.send(parcel("x")) },
		"got transaction to dead node by handle 1"},
	{reasonDeadReceiver, func(s *refusalScene) {
		s.client.mem.onCopy = s.server.app.close
		s.send(parcel("x"))
	}, "target of node 1 dead or dying"},
	{reasonFrozenReceiver, func(s *refusalScene) { s.freezeServer(); s.send(parcel("x")) },
		"target of node 1 frozen"},

	{reasonUnreadCall, func(s *refusalScene) {
		// The client's call comes back to it as another call.
		back := s.give(s.client, s.server, 0x20)
		s.send(parcel("x"))
		s.server.takeCall()
		s.server.write(s.server.call(back, 0, parcel("x")))
		// After BR_NOOP and BR_TRANSACTION_COMPLETE there's no room for another return.
		out := s.client.writeRead(binder.WriteRead{ReadSize: 8 + binder.SizeOfTransactionDataSecctx, ReadBuffer: readAddr})
		require.EqualValues(s.t, 8, out.ReadConsumed)
		s.send(parcel("y"))
	}, "new transaction not allowed when there is a transaction on thread todo"},
	{reasonInCall, func(s *refusalScene) { s.send(parcel("x")); s.send(parcel("y")) },
		"got new transaction with bad transaction stack: it waits for the reply to transaction 3"},
	{reasonNoStack, func(s *refusalScene) { s.client.write(s.client.reply(parcel("x"))) },
		"got reply transaction with no transaction stack"},
	{reasonWrongStack, func(s *refusalScene) {
		s.send(parcel("x"))
		s.client.write(s.client.reply(parcel("x")))
	}, "got reply transaction with bad transaction stack: it waits for the reply to transaction 3"},
	{reasonNoCaller, func(s *refusalScene) {
		s.send(parcel("x"))
		s.server.takeCall()
		s.client.app.close()
		s.server.write(s.server.reply(parcel("x")))
	}, "reply target not found"},

	{reasonNoMemory, func(s *refusalScene) {
		s.tenant.account.SetLimit(s.tenant.account.Used())
		s.send(parcel("x"))
	}, "cannot allocate transaction: the container's memory for the driver is used up"},
	{reasonUnmapped, func(s *refusalScene) {
		bare := s.open(0).newThread()
		handle := s.give(bare, s.client, 0x30)
		s.client.write(s.client.call(handle, 0, parcel("x")))
	}, "cannot allocate buffer: vma cleared, target dead or dying"},
	{reasonNoSpace, func(s *refusalScene) {
		s.raw(parcel("x"), func(td *binder.TransactionData) { td.DataSize = testMapping + 8 })
	}, "cannot allocate buffer: no space left, size 65544-0-0"},
	{reasonNoSpace, func(s *refusalScene) {
		s.raw(parcel("x"), func(td *binder.TransactionData) { td.DataSize, td.Flags = testMapping-8, binder.TF_ONE_WAY })
	}, "cannot allocate buffer: no space left for one-way calls, size 65528-0-0"},
	{reasonSizes, func(s *refusalScene) { s.sendSG(math.MaxUint64-7, "x") },
		"got transaction with invalid size 1-0-18446744073709551608"},

	{reasonOffsetsPtr, func(s *refusalScene) {
		s.raw(parcel(handleObject(s.handle)), func(td *binder.TransactionData) { td.Offsets = badAddr })
	}, "got transaction with invalid offsets ptr"},
	{reasonOffsetsSize, func(s *refusalScene) {
		s.raw(parcel(handleObject(s.handle)), func(td *binder.TransactionData) { td.OffsetsSize = 9 })
	}, "got transaction with invalid offsets size, 9"},
	{reasonBuffersSize, func(s *refusalScene) { s.sendSG(4, "x") },
		"got transaction with unaligned buffers size, 4"},
	{reasonDataPtr, func(s *refusalScene) {
		s.raw(parcel("x"), func(td *binder.TransactionData) { td.Buffer = badAddr })
	}, "got transaction with invalid data ptr"},
	{reasonDataPtr, func(s *refusalScene) {
		s.raw(parcel("text", handleObject(s.handle)), func(td *binder.TransactionData) { td.Buffer = badAddr })
	}, "got transaction with invalid data ptr (object 0 at offset 4)"},
	{reasonDataPtr, func(s *refusalScene) {
		s.raw(parcel(handleObject(s.handle)), func(td *binder.TransactionData) { td.Buffer = badAddr })
	}, "got transaction with invalid data ptr (object 0 at offset 0)"},
	{reasonDataPtr, func(s *refusalScene) {
		bad := binder.BufferObject{Type: binder.BINDER_TYPE_PTR, Buffer: badAddr, Length: 8}
		s.sendSG(16, "text", s.client.blockObject([]byte("12345678")), bad)
	}, "got transaction with invalid data ptr (object 1 at offset 44)"},
	{reasonOffset, func(s *refusalScene) {
		p := parcel(handleObject(s.handle), handleObject(s.handle))
		p.offsets[1] = 20
		s.send(p)
	}, "got transaction with invalid offset (20, min 24 max 48) or object (object 1 at offset 20)"},
	{reasonOffset, func(s *refusalScene) {
		p := parcel(handleObject(s.handle))
		p.offsets[0] = 1 << 40
		s.send(p)
	}, "got transaction with invalid offset (1099511627776, min 0 max 24) or object (object 0 at offset 1099511627776)"},
	{reasonOffset, func(s *refusalScene) {
		p := parcel("text", handleObject(s.handle))
		p.offsets[0] = 2
		s.send(p)
	}, "got transaction with invalid offset (2, min 0 max 28) or object (object 0 at offset 2)"},
	{reasonOffset, func(s *refusalScene) {
		s.raw(parcel(handleObject(s.handle)), func(td *binder.TransactionData) { td.DataSize-- })
	}, "got transaction with invalid offset (0, min 0 max 23) or object (object 0 at offset 0)"},
	{reasonObjectType, func(s *refusalScene) { s.send(parcel(binder.FlatObject{Type: 0x12345678})) },
		"got transaction with invalid object type, 12345678 (object 0 at offset 0)"},
	{reasonCookie, func(s *refusalScene) {
		o := nodeObject(0x40)
		o.Cookie++
		s.send(parcel(nodeObject(0x40), o))
	}, "sending u0000000000000040 node 4, cookie mismatch 0000000000c00c5f != 0000000000c00c5e (object 1 at offset 24)"},
	{reasonObjectHandle, func(s *refusalScene) { s.send(parcel("text", handleObject(77))) },
		"got transaction with invalid handle, 77 (object 0 at offset 4)"},
	{reasonRefCount, func(s *refusalScene) {
		third := s.newApp()
		toThird := s.give(third, s.client, 0x50)
		known := must(third.acquireNode(third, s.server.nodeAt(0x10), true, nil, third.account))
		third.refAt(known).setStrong(math.MaxInt32)
		s.client.write(s.client.call(toThird, 0, parcel(handleObject(s.handle))))
	}, "got transaction with an object that can't be acquired (object 0 at offset 0)"},
	{reasonFDsNotAllowed, func(s *refusalScene) {
		s.newManager()
		s.client.write(s.client.call(0, 0, parcel(fileObject(s.fd))))
	}, "got transaction with fd, 3, but target does not allow fds (object 0 at offset 0)"},
	{reasonFDsNotAllowed, func(s *refusalScene) {
		s.send(parcel("x"))
		s.server.takeCall()
		s.server.write(s.server.reply(parcel(fileObject(s.fd))))
	}, "got reply with fd, 3, but target does not allow fds (object 0 at offset 0)"},
	{reasonInvalidFD, func(s *refusalScene) { s.send(parcel("text", fileObject(-1))) },
		"got transaction with invalid fd, -1 (object 0 at offset 4)"},
	{reasonLargeBuffer, func(s *refusalScene) { s.sendSG(8, "text", s.client.blockObject(make([]byte, 9))) },
		"got transaction with too large buffer, 9 of 8 bytes (object 0 at offset 4)"},
	{reasonParent, func(s *refusalScene) { s.sendSG(8, "text", s.client.childObject(make([]byte, 8), 7, 0)) },
		"got transaction with invalid parent offset or type, parent 7 (object 0 at offset 4)"},
	{reasonParent, func(s *refusalScene) { s.sendSG(8, "text", fileArrayObject(1, 0, 0)) },
		"got transaction with invalid parent offset or type, parent 0 (object 0 at offset 4)"},
	{reasonFixupOrder, func(s *refusalScene) {
		parent := s.client.blockObject(make([]byte, 24))
		s.sendSG(64, "text", parent, s.client.childObject(make([]byte, 8), 0, 8), s.client.childObject(make([]byte, 8), 0, 8))
	}, "got transaction with out-of-order buffer fixup at 8, min 16 (object 2 at offset 84)"},
	{reasonFixupOrder, func(s *refusalScene) {
		parent := s.client.blockObject(make([]byte, 16))
		s.sendSG(64, "text", parent, s.client.blockObject(make([]byte, 16)), s.client.childObject(make([]byte, 8), 0, 8))
	}, "got transaction with out-of-order buffer fixup at 8, min 16 (object 2 at offset 84)"},
	{reasonParentOffset, func(s *refusalScene) {
		s.sendSG(64, "text", s.client.blockObject(make([]byte, 16)), s.client.childObject(make([]byte, 8), 0, 9))
	}, "got transaction with invalid parent offset, 9 of 16 (object 1 at offset 44)"},
	{reasonTooManyFDs, func(s *refusalScene) {
		s.sendSG(64, "text", s.client.blockObject(make([]byte, 8)), fileArrayObject(3, 0, 0))
	}, "not enough space to store 3 fds in buffer (object 1 at offset 44)"},
	{reasonFDsUnaligned, func(s *refusalScene) {
		s.sendSG(64, "text", s.client.blockObject(make([]byte, 8)), fileArrayObject(1, 0, 2))
	}, "parent offset not aligned correctly (object 1 at offset 44)"},
	{reasonFDArray, func(s *refusalScene) {
		bad := binder.BufferObject{Type: binder.BINDER_TYPE_PTR, Buffer: badAddr, Length: 8}
		s.sendSG(64, "text", bad, fileArrayObject(1, 0, 0))
	}, "got transaction with invalid fd array ptr (object 1 at offset 44)"},
}

// freezeServer freezes the server.
func (s *refusalScene) freezeServer() {
	require.NoError(s.t, s.client.freeze(binder.FreezeInfo{PID: uint32(s.server.pid), Enable: 1}))
}

// TestRefusals checks that each reason for a transaction to fail has its words.
func TestRefusals(t *testing.T) {
	told := make(map[reason]bool)
	for _, tc := range refusals {
		t.Run(tc.want, func(t *testing.T) {
			s := newRefusalScene(t)
			tc.cause(s)
			f := s.lastFailure()
			require.Equal(t, tc.want, f.Reason)
			told[tc.why] = true
		})
	}
	for why := reasonOther + 1; why < reasonUnknownCommand; why++ {
		require.True(t, told[why], "reason %d: %s", why, (&refusal{reason: why}).words(&logEntry{}))
	}
}

// command makes the client write a command.
func (s *refusalScene) command(code uint32, params ...any) { s.client.try(cmd(code, params...)) }

// noticeParams returns the parameters of a command about a notification.
func noticeParams(handle uint32, cookie uint64) []any { return []any{handle, cookie} }

// commandRefusals has a command for each reason to refuse one.
var commandRefusals = []struct {
	why   reason
	cause func(s *refusalScene)
	want  string
}{
	{reasonUnknownCommand, func(s *refusalScene) { s.command(0x1234) }, "unknown command 4660"},
	{reasonUnknownCommand, func(s *refusalScene) { s.command(binder.BC_ATTEMPT_ACQUIRE, uint64(0)) }, "BC_ATTEMPT_ACQUIRE not supported"},
	{reasonRefChange, func(s *refusalScene) { s.command(binder.BC_ACQUIRE, uint32(99)) }, "BC_ACQUIRE refcount change on invalid ref 99"},
	{reasonRefChange, func(s *refusalScene) { s.command(binder.BC_DECREFS, s.handle) }, "BC_DECREFS refcount change on invalid ref 1"},
	{reasonManagerRef, func(s *refusalScene) {
		require.NoError(s.t, s.client.ioctl(binder.BINDER_SET_CONTEXT_MGR, 0))
		s.command(binder.BC_ACQUIRE, uint32(0))
	}, "BC_ACQUIRE: context manager tried to acquire desc 0"},
	{reasonNoRoom, func(s *refusalScene) {
		s.tenant.account.SetLimit(s.tenant.account.Used())
		s.command(binder.BC_REQUEST_DEATH_NOTIFICATION, noticeParams(s.handle, 0x77)...)
	}, "BC_REQUEST_DEATH_NOTIFICATION: the container's memory for the driver is used up"},
	{reasonNoRoom, func(s *refusalScene) {
		s.newManager()
		s.tenant.account.SetLimit(s.tenant.account.Used())
		s.command(binder.BC_INCREFS, uint32(0))
	}, "BC_INCREFS: the container's memory for the driver is used up"},
	{reasonNoNode, func(s *refusalScene) { s.command(binder.BC_ACQUIRE_DONE, binder.PtrCookie{Ptr: 0x99}) },
		"BC_ACQUIRE_DONE u0000000000000099 no match"},
	{reasonNodeCookie, func(s *refusalScene) {
		s.server.try(cmd(binder.BC_INCREFS_DONE, binder.PtrCookie{Ptr: 0x10, Cookie: 0x77}))
	}, "BC_INCREFS_DONE u0000000000000010 node 1 cookie mismatch 0000000000000077 != 0000000000c00c2e"},
	{reasonNotPending, func(s *refusalScene) {
		s.server.try(cmd(binder.BC_INCREFS_DONE, binder.PtrCookie{Ptr: 0x10, Cookie: testCookie(0x10)}))
	}, "BC_INCREFS_DONE node 1 has no pending increfs request"},
	{reasonNotPending, func(s *refusalScene) {
		s.server.try(cmd(binder.BC_ACQUIRE_DONE, binder.PtrCookie{Ptr: 0x10, Cookie: testCookie(0x10)}))
	}, "BC_ACQUIRE_DONE node 1 has no pending acquire request"},
	{reasonNoBuffer, func(s *refusalScene) { s.command(binder.BC_FREE_BUFFER, uint64(0x99)) },
		"BC_FREE_BUFFER no match for buffer at 0x99"},
	{reasonNotReceived, func(s *refusalScene) {
		s.send(parcel("x"))
		s.server.try(cmd(binder.BC_FREE_BUFFER, uint64(testMapAddr)))
	}, "BC_FREE_BUFFER matched unreturned or currently freeing buffer at 0x7f0000000000"},
	{reasonLooperOrder, func(s *refusalScene) {
		s.command(binder.BC_ENTER_LOOPER)
		s.command(binder.BC_REGISTER_LOOPER)
	}, "ERROR: BC_REGISTER_LOOPER called after BC_ENTER_LOOPER"},
	{reasonLooperOrder, func(s *refusalScene) {
		s.command(binder.BC_REGISTER_LOOPER)
		s.command(binder.BC_ENTER_LOOPER)
	}, "ERROR: BC_ENTER_LOOPER called after BC_REGISTER_LOOPER"},
	{reasonNotRequested, func(s *refusalScene) { s.command(binder.BC_REGISTER_LOOPER) },
		"ERROR: BC_REGISTER_LOOPER called without request"},
	{reasonNoRef, func(s *refusalScene) { s.command(binder.BC_REQUEST_DEATH_NOTIFICATION, noticeParams(99, 0x77)...) },
		"BC_REQUEST_DEATH_NOTIFICATION invalid ref 99"},
	{reasonNoRef, func(s *refusalScene) { s.command(binder.BC_CLEAR_DEATH_NOTIFICATION, noticeParams(99, 0x77)...) },
		"BC_CLEAR_DEATH_NOTIFICATION invalid ref 99"},
	{reasonNotificationSet, func(s *refusalScene) {
		for range 2 {
			s.command(binder.BC_REQUEST_DEATH_NOTIFICATION, noticeParams(s.handle, 0x77)...)
		}
	}, "BC_REQUEST_DEATH_NOTIFICATION death notification already set"},
	{reasonNoNotification, func(s *refusalScene) { s.command(binder.BC_CLEAR_DEATH_NOTIFICATION, noticeParams(s.handle, 0x77)...) },
		"BC_CLEAR_DEATH_NOTIFICATION death notification not active"},
	{reasonWrongCookie, func(s *refusalScene) {
		s.command(binder.BC_REQUEST_DEATH_NOTIFICATION, noticeParams(s.handle, 0x77)...)
		s.command(binder.BC_CLEAR_DEATH_NOTIFICATION, noticeParams(s.handle, 0x78)...)
	}, "BC_CLEAR_DEATH_NOTIFICATION death notification cookie mismatch 0000000000000078 != 0000000000000077"},
	{reasonNotTold, func(s *refusalScene) { s.command(binder.BC_DEAD_BINDER_DONE, uint64(0x77)) },
		"BC_DEAD_BINDER_DONE 0000000000000077 not found"},
	{reasonNoRef, func(s *refusalScene) { s.command(binder.BC_REQUEST_FREEZE_NOTIFICATION, noticeParams(99, 0x77)...) },
		"BC_REQUEST_FREEZE_NOTIFICATION invalid ref 99"},
	{reasonNoRef, func(s *refusalScene) { s.command(binder.BC_CLEAR_FREEZE_NOTIFICATION, noticeParams(99, 0x77)...) },
		"BC_CLEAR_FREEZE_NOTIFICATION invalid ref 99"},
	{reasonNotificationSet, func(s *refusalScene) {
		for range 2 {
			s.command(binder.BC_REQUEST_FREEZE_NOTIFICATION, noticeParams(s.handle, 0x77)...)
		}
	}, "BC_REQUEST_FREEZE_NOTIFICATION freeze notification already set"},
	{reasonNoNotification, func(s *refusalScene) { s.command(binder.BC_CLEAR_FREEZE_NOTIFICATION, noticeParams(s.handle, 0x77)...) },
		"BC_CLEAR_FREEZE_NOTIFICATION freeze notification not active"},
	{reasonWrongCookie, func(s *refusalScene) {
		s.command(binder.BC_REQUEST_FREEZE_NOTIFICATION, noticeParams(s.handle, 0x77)...)
		s.command(binder.BC_CLEAR_FREEZE_NOTIFICATION, noticeParams(s.handle, 0x78)...)
	}, "BC_CLEAR_FREEZE_NOTIFICATION freeze notification cookie mismatch 0000000000000078 != 0000000000000077"},
	{reasonCookieUsed, func(s *refusalScene) {
		s.command(binder.BC_REQUEST_FREEZE_NOTIFICATION, noticeParams(s.handle, 0x77)...)
		s.command(binder.BC_REQUEST_FREEZE_NOTIFICATION, noticeParams(s.give(s.server, s.client, 0x20), 0x77)...)
	}, "BC_REQUEST_FREEZE_NOTIFICATION duplicate cookie 0000000000000077"},
	{reasonNoRoom, func(s *refusalScene) {
		s.tenant.account.SetLimit(s.tenant.account.Used())
		s.command(binder.BC_REQUEST_FREEZE_NOTIFICATION, noticeParams(s.handle, 0x77)...)
	}, "BC_REQUEST_FREEZE_NOTIFICATION: the container's memory for the driver is used up"},
	{reasonNotTold, func(s *refusalScene) { s.command(binder.BC_FREEZE_NOTIFICATION_DONE, uint64(0x77)) },
		"BC_FREEZE_NOTIFICATION_DONE 0000000000000077 not found"},
	{reasonFDFixups, func(s *refusalScene) {
		s.server.app.maxFiles = 0
		s.send(parcel(fileObject(s.fd)))
		s.server.tryRead()
	}, "transaction 3 fd fixups failed: EMFILE"},
	{reasonIoctl, func(s *refusalScene) {
		require.NoError(s.t, s.server.ioctl(binder.BINDER_SET_CONTEXT_MGR, 0))
		require.Error(s.t, s.client.ioctl(binder.BINDER_SET_CONTEXT_MGR, 0))
	}, "ioctl BINDER_SET_CONTEXT_MGR 0x0 returned -EBUSY"},
	{reasonIoctl, func(s *refusalScene) { require.Error(s.t, s.client.ioctl(0x6212, 0x77)) },
		"ioctl 0x6212 0x77 returned -EINVAL"},
}

// TestCommandRefusals checks that each reason to refuse a command has its words.
func TestCommandRefusals(t *testing.T) {
	told := make(map[reason]bool)
	for _, tc := range commandRefusals {
		t.Run(tc.want, func(t *testing.T) {
			s := newRefusalScene(t)
			tc.cause(s)
			var got []string
			for r := range s.view().Refusals() {
				require.NotZero(t, r.From.PID)
				require.Equal(t, "binder", r.Context)
				got = append(got, r.Reason)
			}
			require.Contains(t, got, tc.want)
			told[tc.why] = true
		})
	}
	for why := reasonUnknownCommand; why < numReasons; why++ {
		require.True(t, told[why], "reason %d: %s", why, (&refusal{reason: why}).words(&logEntry{}))
	}
}

// What succeeds is not logged.
func TestNoRefusals(t *testing.T) {
	s := newRefusalScene(t)
	s.driver.SetKernelLog(func(*kernel.Task, string) {})
	s.client.write(s.client.call(s.handle, 0, parcel("x", fileObject(s.fd), nodeObject(0x20))))
	s.server.takeCall()
	s.server.write(s.server.reply(parcel("y")))
	require.Len(t, s.client.read(), 2)
	require.Empty(t, slices.Collect(s.view().Refusals()))
	require.Empty(t, slices.Collect(s.view().Failures()))
	require.Empty(t, s.logged)
}

// A container's kernel log has its refusals, but not so many that others would notice.
func TestKernelLog(t *testing.T) {
	s := newRefusalScene(t)
	fail := func() {
		s.client.write(s.client.call(99, 0, parcel("x")))
		s.client.expect(binder.BR_FAILED_REPLY)
	}
	fail()
	require.Empty(t, s.logged, "there's no log")

	s.driver.SetKernelLog(func(*kernel.Task, string) {})
	fail()
	s.command(binder.BC_ACQUIRE, uint32(98))
	require.Equal(t, []string{"got transaction to invalid handle, 99", "BC_ACQUIRE refcount change on invalid ref 98"}, s.logged)
	for range 1000 {
		fail()
	}
	// Some time passes, so that there may be a few more than the burst.
	require.Less(t, len(s.logged), 100)
	require.NotZero(t, s.tenant.complaints.suppressed.Load())

	other := s.driver.containers("other")[0]
	ok, suppressed := other.complaints.allow()
	require.True(t, ok, "each container has its own rate")
	require.Zero(t, suppressed)
	s.tenant.complaints.limiter.SetLimit(rate.Inf)
	fail()
	require.Regexp(t, `^\d+ messages suppressed$`, s.logged[len(s.logged)-2])
}
