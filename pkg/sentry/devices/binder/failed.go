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

// FailedTransaction is a transaction that failed, for whoever wants to know why.
type FailedTransaction struct {
	Time time.Time `json:"time"`

	// DebugID is the transaction's number, and Kind one of call, async and reply.
	DebugID int32  `json:"debug_id"`
	Kind    string `json:"kind"`

	// From and To are its sender and receiver, as far as they are known. IDs are
	// those in the reader's PID namespace, or zero.
	From Party `json:"from"`
	To   Party `json:"to"`

	// Context is the device's name, Handle that of a call's target for the sender,
	// and Node the number of its node.
	Context string `json:"context"`
	Handle  uint32 `json:"handle"`
	Node    int32  `json:"node"`

	DataSize    uint64 `json:"data_size"`
	OffsetsSize uint64 `json:"offsets_size"`

	// Return is what the sender reads, or, of a reply, the receiver. Error is the
	// name of an errno, or empty.
	Return string `json:"return"`
	Error  string `json:"error,omitempty"`

	// Reason is why it failed, in the words of Linux's log.
	Reason string `json:"reason"`

	// Object is the place, among all objects of the transaction, of that which is to
	// blame, and Offset where it stands in the data.
	Object *uint64 `json:"object,omitempty"`
	Offset *uint64 `json:"offset,omitempty"`
}

// Party is a thread.
type Party struct {
	PID int32 `json:"pid"`
	TID int32 `json:"tid"`
}

// Failures returns the last transactions of v's domains that failed, the oldest first.
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

// Refused is a command, or an ioctl request, that was refused.
type Refused struct {
	Time time.Time `json:"time"`

	// From is who made it, and Context by which device.
	From    Party  `json:"from"`
	Context string `json:"context"`

	// Reason is why it was refused, in the words of Linux's log.
	Reason string `json:"reason"`
}

// Refusals returns the last commands of v's domains that were refused, but for
// transactions, the oldest first.
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

// timeLayout is how the log writes times.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// print writes r.
func (r *Refused) print(buf *bytes.Buffer) {
	fmt.Fprintf(buf, "%s %d:%d context %s: %s\n", r.Time.UTC().Format(timeLayout), r.From.PID, r.From.TID, r.Context, r.Reason)
}

// explain writes e as Linux does, and then why.
func (e *failureEntry) explain(buf *bytes.Buffer, ids pidsIn) {
	e.print(buf, ids)
	f := e.describe(ids)
	fmt.Fprintf(buf, "  %s %d:%d %s: %s", f.Time.UTC().Format(timeLayout), f.From.PID, f.From.TID, f.Return, f.Reason)
	if f.Error != "" {
		fmt.Fprintf(buf, ": %s", f.Error)
	}
	buf.WriteByte('\n')
}
