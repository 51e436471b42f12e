// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package trace has the events of a trace of the Binder driver, and the ring that they
// wait in for whoever has asked for them.
//
// Threads of applications add events; they never wait for anybody. One reader takes
// them out. If it is too slow, the ring is full, and events are dropped and counted.
package trace

import (
	"fmt"

	"gvisor.dev/gvisor/pkg/hostarch"
)

// Kind says what an Event tells of.
//
// +marshal
type Kind uint16

// The kinds of events, and what Linux calls its tracepoints for them.
const (
	// Command: the thread has written Code, a BC_ command. binder_command.
	Command Kind = iota + 1

	// Return: the thread is told Code, a BR_ return. binder_return.
	Return

	// Transaction: the thread sends transaction ID, for which it wants a buffer of
	// Data, Offsets and Extra. binder_transaction and binder_transaction_alloc_buf.
	Transaction

	// Received: the thread is told Code, with transaction ID.
	// binder_transaction_received and binder_return.
	Received

	// Wait: the thread has waited from Start to Time, for a Reply or for any work.
	// binder_wait_for_work.
	Wait

	// Frozen, Thawed: the process was frozen or thawed.
	Frozen
	Thawed

	// Closed: the process has closed the device, or has died.
	Closed

	// Lost: Extra events were dropped, for want of room, since the last one that was
	// read before.
	Lost
)

// Event is something that happened in the driver. What its Kind doesn't need is zero.
//
// +marshal
type Event struct {
	// Time is when it happened, on the host's CLOCK_MONOTONIC, in nanoseconds, and
	// Start, of a Wait, when it began.
	Time, Start int64

	Kind Kind

	// Reply is 1 for a transaction that is a reply, and a wait for one.
	Reply uint16

	// PID and TID are the process and the thread that it happened to, in the root
	// PID namespace. ToPID and ToTID are a transaction's receiver; ToTID is zero
	// if that is any thread.
	PID, TID, ToPID, ToTID int32

	// ID is the number of a transaction, and Node that of the node that it is for.
	ID, Node int32

	// Code and Flags are those of a transaction; Code may also be a command or a
	// return.
	Code, Flags uint32

	// Data, Offsets and Extra are the sizes of the parts of a buffer.
	Data, Offsets, Extra uint32

	// Domain tells the numbers of transactions apart: each domain has its own.
	Domain uint64
}

// Size is the size of an encoded Event, in bytes.
const Size = 72

// AppendTo appends e, encoded, to b, which has room for it.
func (e *Event) AppendTo(b []byte) []byte {
	n := len(b)
	b = b[:n+Size]
	e.MarshalUnsafe(b[n:])
	return b
}

// Who returns the thread of the encoded Event that b begins with.
func Who(b []byte) (tid int32) {
	const at = 24 // Event.TID
	return int32(hostarch.ByteOrder.Uint32(b[at:]))
}

// Decode decodes the Event that b begins with. It was encoded on the same
// machine.
//
// Errors: if b is too short, or has no Event.
func (e *Event) Decode(b []byte) error {
	if len(b) < Size {
		return fmt.Errorf("an event has %d bytes, not %d", Size, len(b))
	}
	e.UnmarshalUnsafe(b)
	if e.Kind < Command || e.Kind > Lost {
		return fmt.Errorf("there is no event of kind %d", e.Kind)
	}
	return nil
}
