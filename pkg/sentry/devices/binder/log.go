// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"bytes"
	"fmt"

	"gvisor.dev/gvisor/pkg/context"
)

// The logs show what the driver holds, in the layout of Linux's binder_logs. They
// are written in pieces, while the driver is at work: what they say of one object is
// of one instant, but another one than what they say of the next. What comes and
// goes meanwhile may be there or missing.

// LogKind is a kind of Log.
type LogKind uint8

const (
	// LogState shows all that the driver holds.
	LogState LogKind = iota

	// LogTransactions shows what is under way: LogState without what is idle.
	LogTransactions

	// LogProcess shows all that one process holds, for each open of a device.
	LogProcess

	// LogStats shows counts: of commands, returns and objects.
	LogStats

	// LogLast shows the last transactions, and LogLastFailed the last of those
	// that failed. LogFailed says also why, and which other commands were refused;
	// Linux has no such log.
	LogLast
	LogLastFailed
	LogFailed
)

// Log says what a log shows.
//
// +stateify savable
type Log struct {
	Kind LogKind

	// Hashed is true if the addresses that applications gave to nodes are
	// replaced by hashes.
	Hashed bool

	// PID is the ID, in the reader's PID namespace, of the process that LogProcess
	// shows.
	PID int32
}

// LogPlace is a place in a Log that is read in pieces. The zero LogPlace is the
// start. It names objects and points to none: one that has gone is passed over,
// and nothing is kept for a reader that never comes back.
//
// +stateify savable
type LogPlace struct {
	part logPart

	// domains is the number of domains whose nodes without owners are written.
	domains int

	// before is the ordinal before which the next process, or the next node
	// without an owner, came; zero if all are still to come. The present process
	// is the one with the ordinal proc.
	before uint64
	proc   uint64

	// key is where the next object of this part is to be looked for: a thread ID,
	// an address or a handle.
	key uint64

	// detail is what comes next of the object at key, and item how far it is
	// written.
	detail logDetail
	item   uint64

	// deadShown, procShown and threadShown are true once the headings were written.
	// Those of LogTransactions wait for something to stand below them.
	deadShown   bool
	procShown   bool
	threadShown bool
}

// logPart is a part of a log.
type logPart uint8

const (
	logStart logPart = iota
	logDeadNodes
	logNextProcess

	// What there is of each process.
	logProcess
	logThreads
	logNodes
	logRefs
	logBuffers
	logTodo
	logDelivered

	logEnd
)

// logDetail is a part of what a log shows of one object.
type logDetail uint8

const (
	// logHead is what stands in the object's own line.
	logHead logDetail = iota

	// logStack is a thread's transactions; item is the number of the last one.
	// logQueue is its work; item is the sequence number of the last.
	logStack
	logQueue

	// logHolders is the processes that hold references to a node; item is the
	// number of the last reference. logAsync is what waits for the node; item is
	// as for logQueue.
	logHolders
	logAsync
)

// logPieceSize is the size in bytes after which a piece of a log is ended. What is
// written in one go is of similar size.
const logPieceSize = 16 << 10

// logWriter writes a piece of a log.
type logWriter struct {
	*LogPlace
	ctx  context.Context
	view *View
	log  Log
	buf  *bytes.Buffer

	// full is the length of buf at which the piece is ended.
	full int

	pointers pointers

	// now is when the piece is written.
	now int64

	// p is the process whose ordinal is LogPlace.proc, and th the thread that is
	// being shown, if any.
	p  *Process
	th *Thread
}

func (l *logWriter) isFull() bool { return l.buf.Len() >= l.full }

// all returns whether what is idle is shown.
func (l *logWriter) all() bool { return l.log.Kind != LogTransactions }

// enter goes on with another part.
func (l *logWriter) enter(part logPart) {
	l.part, l.key, l.detail, l.item = part, 0, logHead, 0
}

// leave goes on behind the object at key.
func (l *logWriter) leave(next uint64) { l.key, l.detail, l.item = next, logHead, 0 }

// enterDetail goes on with another detail of the object at key.
func (l *logWriter) enterDetail(d logDetail) { l.detail, l.item = d, 0 }

// headings writes what stands above what is about to be written, unless it is there.
func (l *logWriter) headings() {
	if l.p != nil && !l.procShown {
		l.procShown = true
		fmt.Fprintf(l.buf, "proc %d\ncontext %s\n", l.view.pids.pid(l.p.id), l.p.ctx.name)
	}
	if l.th != nil && !l.threadShown {
		l.threadShown = true
		l.th.describe(l)
	}
}

// bit returns b as logs show it.
func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
