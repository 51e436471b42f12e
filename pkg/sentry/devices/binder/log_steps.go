// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"bytes"
	"fmt"
	"math"

	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/gohacks"
)

// WriteLog appends the next piece of v's log to buf, from place on, and advances place.
// It returns false at the end of the log.
func (v *View) WriteLog(ctx context.Context, buf *bytes.Buffer, log Log, place *LogPlace) bool {
	l := v.newLogWriter(ctx, buf, log, place)
	walk := startWalk()
	for l.part != logEnd && !l.isFull() {
		l.step()
		walk.yield()
	}
	return l.part != logEnd
}

func (v *View) newLogWriter(ctx context.Context, buf *bytes.Buffer, log Log, place *LogPlace) *logWriter {
	l := &logWriter{LogPlace: place, ctx: ctx, view: v, log: log, buf: buf, full: buf.Len() + logPieceSize, now: gohacks.Nanotime()}
	if log.Hashed {
		l.pointers.hasher = &v.domain.hasher
	}
	return l
}

// step writes a bounded amount, possibly nothing.
func (l *logWriter) step() {
	if l.part > logNextProcess && !l.find() {
		l.enter(logNextProcess)
		return
	}
	switch l.part {
	case logStart:
		l.start()
	case logDeadNodes:
		l.nextDeadNode()
	case logNextProcess:
		l.nextProcess()
	case logProcess:
		l.process()
	case logThreads:
		l.nextThread()
	case logNodes:
		l.nextNode()
	case logRefs:
		l.nextRefs()
	case logBuffers:
		l.nextBuffers()
	case logTodo:
		if !l.queue(l.p.todoList(), "  ") {
			l.enter(logDelivered)
		}
	case logDelivered:
		l.delivered()
	}
}

// start writes the title.
func (l *logWriter) start() {
	l.enter(logNextProcess)
	switch l.log.Kind {
	case LogState:
		l.buf.WriteString("binder state:\n")
		l.enter(logDeadNodes)
	case LogTransactions:
		l.buf.WriteString("binder transactions:\n")
	case LogStats:
		l.buf.WriteString("binder stats:\n")
		l.view.counts().print(l.buf, "")
		for _, c := range l.view.objectCounts() {
			if c.Total != 0 {
				fmt.Fprintf(l.buf, "%s: active %d total %d\n", c.Name, c.Active, c.Total)
			}
		}
	case LogLast:
		for _, d := range l.view.domains() {
			d.log.print(l.buf, l.view.pids)
		}
		l.enter(logEnd)
	case LogLastFailed:
		for _, d := range l.view.domains() {
			d.failedLog.print(l.buf, l.view.pids)
		}
		l.enter(logEnd)
	case LogFailed:
		for _, d := range l.view.domains() {
			for e := range d.failedLog.all() {
				e.explain(l.buf, l.view.pids)
			}
		}
		for r := range l.view.Refusals() {
			r.print(l.buf)
		}
		l.enter(logEnd)
	}
}

// nextProcess moves on to the next process, newest first.
func (l *logWriter) nextProcess() {
	before := l.before
	if before == 0 {
		before = math.MaxUint64
	}
	p := l.view.processBefore(before, l.log)
	if p == nil {
		l.enter(logEnd)
		return
	}
	l.p, l.proc, l.before = p, p.ordinal, p.ordinal
	l.procShown = false
	l.enter(logProcess)
}

// find returns whether the current process still exists, and sets p to it.
func (l *logWriter) find() bool {
	if l.p == nil {
		if p := l.view.processBefore(l.proc+1, l.log); p != nil && p.ordinal == l.proc {
			l.p = p
		}
	}
	return l.p != nil
}

func (l *logWriter) process() {
	switch l.log.Kind {
	case LogStats:
		l.p.writeStats(l.buf, l.view.pids)
		l.enter(logNextProcess)
		return
	case LogProcess:
		l.buf.WriteString("binder proc state:\n")
	}
	if l.all() {
		l.headings()
	}
	l.enter(logThreads)
}
