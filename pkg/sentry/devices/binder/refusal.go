// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"fmt"

	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
)

// refusal says why a transaction failed, or why another command had no effect: what
// Linux writes to its log. An application can fail as often as it likes, so a refusal
// is numbers, which are turned into text only for a reader.
//
// +stateify savable
type refusal struct {
	reason reason

	// object is the number of the object at fault, from 1 on, or zero, and offset its
	// offset in the data.
	object uint64
	offset uint64

	// args are the details of reason.
	args [5]uint64
}

// refusalFor returns a refusal that does not concern an object.
func refusalFor(why reason, args ...uint64) *refusal {
	r := &refusal{reason: why}
	copy(r.args[:], args)
	return r
}

// reason is the reason of a refusal. The comments list its args.
type reason uint8

const (
	// reasonOther is a reason without words: the sentry's own.
	reasonOther reason = iota

	// The receiver.
	reasonInvalidHandle
	reasonNoManager
	reasonOwnManager
	reasonOwnNode
	reasonDeadNode
	reasonDeadReceiver
	reasonFrozenReceiver

	// The sender's state.
	reasonUnreadCall
	reasonInCall     // the number of the call
	reasonNoStack    // for a reply
	reasonWrongStack // for a reply: the number of the call
	reasonNoCaller   // for a reply

	// Memory.
	reasonNoMemory
	reasonUnmapped
	reasonNoSpace // 1 if for one-way calls; the extra space
	reasonSizes   // the extra space

	// The contents.
	reasonOffsetsPtr
	reasonOffsetsSize
	reasonBuffersSize // the extra space
	reasonDataPtr
	reasonOffset     // the offset, its minimum and maximum
	reasonObjectType // the type
	reasonCookie     // the address, the node's number, the cookie and the node's own
	reasonObjectHandle
	reasonRefCount
	reasonFDsNotAllowed // the descriptor
	reasonInvalidFD     // the descriptor
	reasonLargeBuffer   // its length, and the space left for it
	reasonParent        // the parent's number
	reasonFixupOrder    // the offset, and its minimum
	reasonParentOffset  // the offset, and the parent's length
	reasonTooManyFDs    // their number
	reasonFDsUnaligned
	reasonFDArray

	// Of other commands and requests. The args of all but the last two begin with the
	// command.
	reasonUnknownCommand
	reasonRefChange   // the command, the handle
	reasonNoRef       // the command, the handle
	reasonManagerRef  // the command
	reasonNoRoom      // the command
	reasonNoNode      // the command, the address
	reasonNodeCookie  // the command, the address, the node's number, the cookie and the node's own
	reasonNotPending  // the command, the node's number
	reasonNoBuffer    // the command, the address
	reasonNotReceived // the command, the address
	reasonLooperOrder // the command, the one that came before
	reasonNotRequested
	reasonNotificationSet // the command
	reasonNoNotification  // the command
	reasonWrongCookie     // the command, the cookie and that of the request
	reasonCookieUsed      // the command, the cookie
	reasonNotTold         // the command, the cookie
	reasonFDFixups        // of what was to be read: the transaction's number, the errno
	reasonIoctl           // the request, its argument, the errno

	numReasons
)

// text returns the words for r, which is about the transaction e.
func (r *refusal) text(e *logEntry) string {
	text := r.words(e)
	if r.object != 0 {
		text += fmt.Sprintf(" (object %d at offset %d)", r.object-1, r.offset)
	}
	return text
}

func (r *refusal) words(e *logEntry) string {
	a := &r.args
	switch r.reason {
	case reasonInvalidHandle:
		return fmt.Sprintf("got transaction to invalid handle, %d", e.handle)
	case reasonNoManager:
		return "got transaction to handle 0, and there is no context manager"
	case reasonOwnManager:
		return "got transaction to context manager from process owning it"
	case reasonOwnNode:
		return fmt.Sprintf("got transaction to own node %d by handle %d", e.node, e.handle)
	case reasonDeadNode:
		return fmt.Sprintf("got transaction to dead node by handle %d", e.handle)
	case reasonDeadReceiver:
		return fmt.Sprintf("target of node %d dead or dying", e.node)
	case reasonFrozenReceiver:
		return fmt.Sprintf("target of node %d frozen", e.node)

	case reasonUnreadCall:
		return "new transaction not allowed when there is a transaction on thread todo"
	case reasonInCall:
		return fmt.Sprintf("got new transaction with bad transaction stack: it waits for the reply to transaction %d", a[0])
	case reasonNoStack:
		return "got reply transaction with no transaction stack"
	case reasonWrongStack:
		return fmt.Sprintf("got reply transaction with bad transaction stack: it waits for the reply to transaction %d", a[0])
	case reasonNoCaller:
		return "reply target not found"

	case reasonNoMemory:
		return "cannot allocate transaction: the container's memory for the driver is used up"
	case reasonUnmapped:
		return "cannot allocate buffer: vma cleared, target dead or dying"
	case reasonNoSpace:
		of := ""
		if a[0] != 0 {
			of = " for one-way calls"
		}
		return fmt.Sprintf("cannot allocate buffer: no space left%s, size %d-%d-%d", of, e.dataSize, e.offsetsSize, a[1])
	case reasonSizes:
		return fmt.Sprintf("got transaction with invalid size %d-%d-%d", e.dataSize, e.offsetsSize, a[0])

	case reasonOffsetsPtr:
		return "got transaction with invalid offsets ptr"
	case reasonOffsetsSize:
		return fmt.Sprintf("got transaction with invalid offsets size, %d", e.offsetsSize)
	case reasonBuffersSize:
		return fmt.Sprintf("got transaction with unaligned buffers size, %d", a[0])
	case reasonDataPtr:
		return "got transaction with invalid data ptr"
	case reasonOffset:
		return fmt.Sprintf("got transaction with invalid offset (%d, min %d max %d) or object", a[0], a[1], a[2])
	case reasonObjectType:
		return fmt.Sprintf("got transaction with invalid object type, %x", a[0])
	case reasonCookie:
		return fmt.Sprintf("sending u%016x node %d, cookie mismatch %016x != %016x", a[0], a[1], a[2], a[3])
	case reasonObjectHandle:
		return fmt.Sprintf("got transaction with invalid handle, %d", a[0])
	case reasonRefCount:
		return "got transaction with an object that can't be acquired"
	case reasonFDsNotAllowed:
		what := "transaction"
		if e.kind == logReply {
			what = "reply"
		}
		return fmt.Sprintf("got %s with fd, %d, but target does not allow fds", what, int32(a[0]))
	case reasonInvalidFD:
		return fmt.Sprintf("got transaction with invalid fd, %d", int32(a[0]))
	case reasonLargeBuffer:
		return fmt.Sprintf("got transaction with too large buffer, %d of %d bytes", a[0], a[1])
	case reasonParent:
		return fmt.Sprintf("got transaction with invalid parent offset or type, parent %d", a[0])
	case reasonFixupOrder:
		return fmt.Sprintf("got transaction with out-of-order buffer fixup at %d, min %d", a[0], a[1])
	case reasonParentOffset:
		return fmt.Sprintf("got transaction with invalid parent offset, %d of %d", a[0], a[1])
	case reasonTooManyFDs:
		return fmt.Sprintf("not enough space to store %d fds in buffer", a[0])
	case reasonFDsUnaligned:
		return "parent offset not aligned correctly"
	case reasonFDArray:
		return "got transaction with invalid fd array ptr"
	}
	if r.reason == reasonOther {
		return "transaction failed in the sentry"
	}
	return r.commandWords()
}

// commandWords is words for refusals that don't concern a transaction.
func (r *refusal) commandWords() string {
	a := &r.args
	cmd := binder.CommandName(uint32(a[0]))
	switch r.reason {
	case reasonFDFixups:
		return fmt.Sprintf("transaction %d fd fixups failed: %s", a[0], unix.ErrnoName(unix.Errno(a[1])))
	case reasonIoctl:
		return fmt.Sprintf("ioctl %s %#x returned -%s", requestName(uint32(a[0])), a[1], unix.ErrnoName(unix.Errno(a[2])))
	case reasonUnknownCommand:
		switch a[0] {
		case binder.BC_ACQUIRE_RESULT, binder.BC_ATTEMPT_ACQUIRE:
			return cmd + " not supported"
		}
		return fmt.Sprintf("unknown command %d", a[0])
	case reasonRefChange:
		return fmt.Sprintf("%s refcount change on invalid ref %d", cmd, a[1])
	case reasonNoRef:
		return fmt.Sprintf("%s invalid ref %d", cmd, a[1])
	case reasonManagerRef:
		return fmt.Sprintf("%s: context manager tried to acquire desc 0", cmd)
	case reasonNoRoom:
		return fmt.Sprintf("%s: the container's memory for the driver is used up", cmd)
	case reasonNoNode:
		return fmt.Sprintf("%s u%016x no match", cmd, a[1])
	case reasonNodeCookie:
		return fmt.Sprintf("%s u%016x node %d cookie mismatch %016x != %016x", cmd, a[1], a[2], a[3], a[4])
	case reasonNotPending:
		request := "increfs"
		if a[0] == binder.BC_ACQUIRE_DONE {
			request = "acquire"
		}
		return fmt.Sprintf("%s node %d has no pending %s request", cmd, a[1], request)
	case reasonNoBuffer:
		return fmt.Sprintf("%s no match for buffer at %#x", cmd, a[1])
	case reasonNotReceived:
		return fmt.Sprintf("%s matched unreturned or currently freeing buffer at %#x", cmd, a[1])
	case reasonLooperOrder:
		return fmt.Sprintf("ERROR: %s called after %s", cmd, binder.CommandName(uint32(a[1])))
	case reasonNotRequested:
		return fmt.Sprintf("ERROR: %s called without request", cmd)
	case reasonNotificationSet:
		return fmt.Sprintf("%s %s notification already set", cmd, notificationOf(a[0]))
	case reasonNoNotification:
		return fmt.Sprintf("%s %s notification not active", cmd, notificationOf(a[0]))
	case reasonWrongCookie:
		return fmt.Sprintf("%s %s notification cookie mismatch %016x != %016x", cmd, notificationOf(a[0]), a[1], a[2])
	case reasonCookieUsed:
		return fmt.Sprintf("%s duplicate cookie %016x", cmd, a[1])
	case reasonNotTold:
		return fmt.Sprintf("%s %016x not found", cmd, a[1])
	default:
		return fmt.Sprintf("%s refused", cmd)
	}
}

// notificationOf returns the kind of notification that command cmd is about.
func notificationOf(cmd uint64) string {
	switch cmd {
	case binder.BC_REQUEST_FREEZE_NOTIFICATION, binder.BC_CLEAR_FREEZE_NOTIFICATION:
		return "freeze"
	default:
		return "death"
	}
}

// requestName returns the name of an ioctl request, or its number if it has none.
func requestName(request uint32) string {
	if name, ok := binder.Requests[request]; ok {
		return name
	}
	return fmt.Sprintf("%#x", request)
}
