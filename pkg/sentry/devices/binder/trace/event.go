// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package trace defines the events of a trace of the Binder driver, and the ring that
// buffers them for a reader.
//
// Application threads add events, and never wait. One reader removes them. If it is too
// slow, the ring fills up, and events are dropped and counted.
package trace

import (
	"fmt"

	"gvisor.dev/gvisor/pkg/hostarch"
)

// Kind is the kind of an Event.
//
// +marshal
type Kind uint16

// The kinds of events, with Linux's tracepoints for them.
const (
	// Command: the thread wrote Code, a BC_ command. binder_command.
	Command Kind = iota + 1

	// Return: the thread reads Code, a BR_ return. binder_return.
	Return

	// Transaction: the thread sends transaction ID, for which it needs a buffer of
	// Data, Offsets and Extra. binder_transaction and binder_transaction_alloc_buf.
	Transaction

	// Received: the thread reads Code, with transaction ID.
	// binder_transaction_received and binder_return.
	Received

	// Wait: the thread waited from Start to Time, for a Reply or for any work.
	// binder_wait_for_work.
	Wait

	// Frozen, Thawed: the process was frozen or thawed.
	Frozen
	Thawed

	// Closed: the process closed the device, or died.
	Closed

	// Lost: Extra events were dropped, for lack of room, since the one read before.
	Lost
)

// Event is an event in the driver. Fields that its Kind doesn't need are zero.
//
// +marshal
type Event struct {
	// Time is when it happened, and Start when a Wait began, in nanoseconds on the
	// host's CLOCK_MONOTONIC.
	Time, Start int64

	Kind Kind

	// Reply is 1 for a transaction that is a reply, and a wait for one.
	Reply uint16

	// PID and TID are the event's process and thread, in the root PID namespace.
	// ToPID and ToTID are a transaction's receiver; ToTID is zero if any thread may
	// receive it.
	PID, TID, ToPID, ToTID int32

	// ID is the number of a transaction, and Node that of its target.
	ID, Node int32

	// Code and Flags are a transaction's. Code may also be a command or a return.
	Code, Flags uint32

	// Data, Offsets and Extra are the sizes of the parts of a buffer.
	Data, Offsets, Extra uint32

	// Domain is the domain that ID belongs to: each numbers its own transactions.
	Domain uint64
}

// Size is the size of an encoded Event, in bytes.
const Size = 72

// AppendTo appends the encoded e to b, which has room for it.
func (e *Event) AppendTo(b []byte) []byte {
	n := len(b)
	b = b[:n+Size]
	e.MarshalUnsafe(b[n:])
	return b
}

// TID returns the TID of the encoded Event at the start of b.
func TID(b []byte) int32 {
	const at = 24 // Event.TID
	return int32(hostarch.ByteOrder.Uint32(b[at:]))
}

// Decode decodes the Event at the start of b, encoded on the same machine.
//
// Errors: if b is too short, or is not an Event.
func (e *Event) Decode(b []byte) error {
	if len(b) < Size {
		return fmt.Errorf("an event has %d bytes, got %d", Size, len(b))
	}
	e.UnmarshalUnsafe(b)
	if e.Kind < Command || e.Kind > Lost {
		return fmt.Errorf("unknown kind of event %d", e.Kind)
	}
	return nil
}
