// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"bytes"
	"fmt"
	"iter"
	"time"

	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
)

// FailedTransaction describes a failed transaction to operators.
type FailedTransaction struct {
	Time time.Time `json:"time"`

	// DebugID is the transaction's number, and Kind one of call, async and reply.
	DebugID int32  `json:"debug_id"`
	Kind    string `json:"kind"`

	// From and To are its sender and receiver, as far as known. IDs are those in the
	// reader's PID namespace, or zero.
	From Party `json:"from"`
	To   Party `json:"to"`

	// Context is the device's name, Handle the sender's handle for a call's target,
	// and Node the number of its node.
	Context string `json:"context"`
	Handle  uint32 `json:"handle"`
	Node    int32  `json:"node"`

	DataSize    uint64 `json:"data_size"`
	OffsetsSize uint64 `json:"offsets_size"`

	// Return is what the sender reads, or, for a reply, the receiver. Error is the
	// name of an errno, or empty.
	Return string `json:"return"`
	Error  string `json:"error,omitempty"`

	// Reason is why it failed, in the words of Linux's log.
	Reason string `json:"reason"`

	// Object is the index of the object at fault among all objects of the
	// transaction, and Offset its offset in the data.
	Object *uint64 `json:"object,omitempty"`
	Offset *uint64 `json:"offset,omitempty"`
}

// Party is a thread.
type Party struct {
	PID int32 `json:"pid"`
	TID int32 `json:"tid"`
}

// Failures returns the last failed transactions of v's domains, oldest first.
func (v *View) Failures() iter.Seq[FailedTransaction] {
	return func(yield func(FailedTransaction) bool) {
		for _, d := range v.domains() {
			for e := range d.failedLog.all() {
				if !yield(e.describe(v.pids)) {
					return
				}
			}
		}
	}
}

// Refused is a refused command or ioctl request.
type Refused struct {
	Time time.Time `json:"time"`

	// From is the caller, and Context the name of the device.
	From    Party  `json:"from"`
	Context string `json:"context"`

	// Reason is why it was refused, in the words of Linux's log.
	Reason string `json:"reason"`
}

// Refusals returns the last refused commands and requests of v's domains, except for
// transactions, oldest first.
func (v *View) Refusals() iter.Seq[Refused] {
	return func(yield func(Refused) bool) {
		for _, d := range v.domains() {
			for e := range d.refusedLog.all() {
				from := Party{v.pids.pid(e.from), v.pids.tid(e.fromTID, e.from)}
				if !yield(Refused{time.Unix(0, e.when), from, e.context, e.refused.text(&e.logEntry)}) {
					return
				}
			}
		}
	}
}

// describe returns e, with IDs of a PID namespace.
func (e *failureEntry) describe(ids pidsIn) FailedTransaction {
	f := FailedTransaction{
		Time:        time.Unix(0, e.when),
		DebugID:     e.debugID,
		Kind:        e.kind.name(),
		From:        Party{ids.pid(e.from), ids.tid(e.fromTID, e.from)},
		To:          Party{ids.pid(e.toProc), ids.tid(e.toTID, e.toProc)},
		Context:     e.context,
		Handle:      e.handle,
		Node:        e.node,
		DataSize:    e.dataSize,
		OffsetsSize: e.offsetsSize,
		Return:      binder.ReturnName(e.error.command),
		Reason:      e.refused.text(&e.logEntry),
	}
	if e.error.param != 0 {
		f.Error = unix.ErrnoName(unix.Errno(-e.error.param))
	}
	if e.refused.object != 0 {
		object, offset := e.refused.object-1, e.refused.offset
		f.Object, f.Offset = &object, &offset
	}
	return f
}

// timeLayout is the layout of times in the log.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// print writes r.
func (r *Refused) print(buf *bytes.Buffer) {
	fmt.Fprintf(buf, "%s %d:%d context %s: %s\n", r.Time.UTC().Format(timeLayout), r.From.PID, r.From.TID, r.Context, r.Reason)
}

// explain writes e as Linux does, and then the reason.
func (e *failureEntry) explain(buf *bytes.Buffer, ids pidsIn) {
	e.print(buf, ids)
	f := e.describe(ids)
	fmt.Fprintf(buf, "  %s %d:%d %s: %s", f.Time.UTC().Format(timeLayout), f.From.PID, f.From.TID, f.Return, f.Reason)
	if f.Error != "" {
		fmt.Fprintf(buf, ": %s", f.Error)
	}
	buf.WriteByte('\n')
}
