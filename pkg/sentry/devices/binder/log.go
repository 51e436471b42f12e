// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"bytes"
	"fmt"

	"gvisor.dev/gvisor/pkg/context"
)

// The logs show what the driver holds, in the layout of Linux's binder_logs. They
// are written in pieces while the driver works: each object is shown as of one
// instant, but different objects as of different ones. Objects that come or go
// meanwhile may be shown or missing.

// LogKind is a kind of Log.
type LogKind uint8

const (
	// LogState shows all that the driver holds.
	LogState LogKind = iota

	// LogTransactions shows what is in progress: LogState without idle objects.
	LogTransactions

	// LogProcess shows all that one process holds, for each open of a device.
	LogProcess

	// LogStats shows counts: of commands, returns and objects.
	LogStats

	// LogLast shows the last transactions, and LogLastFailed the last failed ones.
	// LogFailed adds the reasons, and other refused commands; Linux has no such
	// log.
	LogLast
	LogLastFailed
	LogFailed
)

// Log describes a log.
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
// start. It names objects rather than pointing to them: one that is gone is skipped,
// and nothing is kept for a reader that never comes back.
//
// +stateify savable
type LogPlace struct {
	part logPart

	// domains is the number of domains whose nodes without owners are written.
	domains int

	// before is above the ordinal of the next process, or of the next node without
	// an owner, and zero before the first. The current process is the one with the
	// ordinal proc.
	before uint64
	proc   uint64

	// key is where to look for the next object of this part: a thread ID, an
	// address or a handle.
	key uint64

	// detail is the next detail of the object at key, and item how far it is
	// written.
	detail logDetail
	item   uint64

	// deadShown, procShown and threadShown are true once the headings are written.
	// LogTransactions writes a heading only with a line below it.
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

	// The parts of each process.
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
	// logHead is the object's own line.
	logHead logDetail = iota

	// logStack is a thread's transactions; item is the number of the last one.
	// logQueue is its work; item is the sequence number of the last.
	logStack
	logQueue

	// logHolders is the processes that hold references to a node; item is the
	// number of the last reference. logAsync is the one-way transactions that wait
	// for the node; item is as for logQueue.
	logHolders
	logAsync
)

// logPieceSize is the size in bytes after which a piece of a log ends. The step that
// fills it writes about as much at most.
const logPieceSize = 16 << 10

// logWriter writes a piece of a log.
type logWriter struct {
	*LogPlace
	ctx  context.Context
	view *View
	log  Log
	buf  *bytes.Buffer

	// full is the length of buf at which the piece ends.
	full int

	pointers pointers

	// now is the time at which the piece is written, in gohacks.Nanotime units.
	now int64

	// p is the process whose ordinal is LogPlace.proc, and th the thread being
	// shown, if any.
	p  *Process
	th *Thread
}

func (l *logWriter) isFull() bool { return l.buf.Len() >= l.full }

// all returns whether idle objects are shown.
func (l *logWriter) all() bool { return l.log.Kind != LogTransactions }

// enter moves on to another part.
func (l *logWriter) enter(part logPart) {
	l.part, l.key, l.detail, l.item = part, 0, logHead, 0
}

// leave moves on from the object at key to the one at next.
func (l *logWriter) leave(next uint64) { l.key, l.detail, l.item = next, logHead, 0 }

// enterDetail moves on to another detail of the object at key.
func (l *logWriter) enterDetail(d logDetail) { l.detail, l.item = d, 0 }

// headings writes the headings of what is about to be written, unless already written.
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
