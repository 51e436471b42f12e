// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"bytes"
	"fmt"
	"iter"
	"time"

	"gvisor.dev/gvisor/pkg/atomicbitops"
)

// logSize is the number of transactions that a transactionLog keeps.
const logSize = 32

// logKind is the kind of transaction of a logEntry.
type logKind uint8

const (
	logCall logKind = iota
	logOneWay
	logReply
	numLogKinds
)

func (k logKind) name() string { return [...]string{"call", "async", "reply"}[k] }

// logEntry is a line of a transactionLog: a transaction in its last known state.
//
// +stateify savable
type logEntry struct {
	// debugID is the transaction's number, or zero if the entry is unused.
	debugID int32
	kind    logKind

	// done is true once the transaction was sent, or has failed.
	done bool

	from    identity
	fromTID int32

	// toProc is the zero identity until the receiver is known, and toTID is zero
	// unless a certain thread receives it.
	toProc identity
	toTID  int32

	// context is the name of the device.
	context string

	// node is the number of the target node, if it exists.
	node   int32
	handle uint32

	dataSize, offsetsSize uint64

	// error is the transaction's failure, and line a line of failure.go that says
	// where it failed.
	error extendedError
	line  int
}

// print writes the line, with the IDs of a PID namespace.
func (e *logEntry) print(buf *bytes.Buffer, ids pidsIn) {
	fmt.Fprintf(buf, "%d: %-5s from %d:%d to %d:%d context %s node %d handle %d size %d:%d ret %d/%d l=%d",
		e.debugID, e.kind.name(), ids.pid(e.from), ids.tid(e.fromTID, e.from), ids.pid(e.toProc), ids.tid(e.toTID, e.toProc), e.context, e.node, int32(e.handle),
		int32(e.dataSize), int32(e.offsetsSize), e.error.command, e.error.param, e.line)
	if !e.done {
		buf.WriteString(" (incomplete)")
	}
	buf.WriteByte('\n')
}

// transactionLog keeps the last transactions. Concurrent ones use different entries, whose
// locks only readers contend for.
//
// +stateify savable
type transactionLog struct {
	// next counts the entries that were ever added.
	next    atomicbitops.Uint64
	entries [logSize]logSlot
}

// logSlot is a place in a transactionLog.
//
// +stateify savable
type logSlot struct {
	mu logSlotMutex `state:"nosave"`

	// +checklocks:mu
	entry logEntry
}

// add adds e and returns its place.
func (l *transactionLog) add(e *logEntry) uint64 {
	place := l.next.Add(1) - 1
	slot := &l.entries[place%logSize]
	slot.mu.Lock()
	defer slot.mu.Unlock()
	slot.entry = *e
	return place
}

// update replaces the entry at place with e, unless a later one has taken it.
func (l *transactionLog) update(place uint64, e *logEntry) {
	slot := &l.entries[place%logSize]
	slot.mu.Lock()
	defer slot.mu.Unlock()
	if slot.entry.debugID == e.debugID {
		slot.entry = *e
	}
}

// print writes the entries, oldest first.
func (l *transactionLog) print(buf *bytes.Buffer, ids pidsIn) {
	next := l.next.Load()
	for i := range uint64(logSize) {
		slot := &l.entries[(next+i)%logSize]
		slot.mu.Lock()
		e := slot.entry
		slot.mu.Unlock()
		if e.debugID != 0 {
			e.print(buf, ids)
		}
	}
}

// failureLog keeps the last failed transactions, or other refused commands and requests.
// Of the latter, logEntry holds only the caller and the device.
//
// +stateify savable
type failureLog struct {
	// next counts the entries that were ever added.
	next    atomicbitops.Uint64
	entries [logSize]failureSlot
}

// failureSlot is a place in a failureLog.
//
// +stateify savable
type failureSlot struct {
	mu failureSlotMutex `state:"nosave"`

	// +checklocks:mu
	entry failureEntry
}

// failureEntry is a line of a failureLog.
//
// +stateify savable
type failureEntry struct {
	logEntry
	refused refusal

	// when is the time at which it failed, in nanoseconds since 1970.
	when int64
}

// add adds e, which failed for reason r.
func (l *failureLog) add(e *logEntry, r *refusal) {
	when := time.Now().UnixNano()
	slot := &l.entries[(l.next.Add(1)-1)%logSize]
	slot.mu.Lock()
	defer slot.mu.Unlock()
	slot.entry = failureEntry{*e, *r, when}
}

// all returns copies of the entries, oldest first.
func (l *failureLog) all() iter.Seq[*failureEntry] {
	return func(yield func(*failureEntry) bool) {
		next := l.next.Load()
		for i := range uint64(logSize) {
			slot := &l.entries[(next+i)%logSize]
			slot.mu.Lock()
			e := slot.entry
			slot.mu.Unlock()
			if e.when != 0 && !yield(&e) {
				return
			}
		}
	}
}

// print writes the entries as Linux does.
func (l *failureLog) print(buf *bytes.Buffer, ids pidsIn) {
	for e := range l.all() {
		e.print(buf, ids)
	}
}
