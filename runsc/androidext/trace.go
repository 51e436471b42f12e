// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/fd"
	"gvisor.dev/gvisor/pkg/gohacks"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
	"gvisor.dev/gvisor/pkg/sync"

	"sentrybinder/pkg/perfetto"
	"sentrybinder/pkg/sentry/devices/binder"
	"sentrybinder/pkg/sentry/devices/binder/trace"
	"sentrybinder/runsc/bindercmd"
)

// BinderTrace is the object of the sandbox's control server that "runsc binder trace"
// calls.
type BinderTrace struct {
	kernel *kernel.Kernel
	driver *atomic.Pointer[binder.Driver]

	mu sync.Mutex

	// last is the trace that was started last, until its result is collected.
	// +checklocks:mu
	last *recorder
}

// Start starts tracing the driver, and writes events as they come to the file in args.
// The trace ends when its time is up, the file is full, or Stop is called, whatever
// becomes of the caller.
func (b *BinderTrace) Start(args *bindercmd.TraceArgs, _ *struct{}) error {
	if len(args.Files) != 1 {
		return fmt.Errorf("got %d files to write to, want 1", len(args.Files))
	}
	driver := b.driver.Load()
	if driver == nil {
		return errors.New("the sandbox has not been started")
	}
	file, err := args.ReleaseFD(0) // The one in args is closed when this returns.
	if err != nil {
		return err
	}
	r := &recorder{
		file:     file,
		ring:     trace.NewRing(args.Events),
		maxBytes: args.MaxBytes,
		stop:     make(chan struct{}),
		over:     make(chan struct{}),
		names:    names{root: b.kernel.RootPIDNamespace(), threads: make(map[int32]perfetto.Thread)},
	}
	off, err := driver.StartTrace(r.ring, args.ContainerID)
	switch {
	case linuxerr.Equals(linuxerr.ENOENT, err):
		err = fmt.Errorf("container %q has not been started", args.ContainerID)
	case linuxerr.Equals(linuxerr.EBUSY, err):
		err = errors.New("the sandbox is already being traced")
	}
	if err != nil {
		r.file.Close()
		return err
	}
	b.mu.Lock()
	b.last = r
	b.mu.Unlock()
	go r.run(args.Duration, off)
	return nil
}

// Wait waits until the trace that was started last is over.
func (b *BinderTrace) Wait(_ *struct{}, result *bindercmd.TraceResult) error {
	b.mu.Lock()
	r := b.last
	b.mu.Unlock()
	if r == nil {
		return errors.New("no trace has been started")
	}
	<-r.over
	b.mu.Lock()
	if b.last == r {
		b.last = nil
	}
	b.mu.Unlock()
	*result = r.result
	return r.err
}

// Stop ends the trace that was started last.
func (b *BinderTrace) Stop(_, _ *struct{}) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last != nil {
		b.last.end()
	}
	return nil
}

// drainPeriod is how often the ring is emptied. A ring of the default size has room for
// the events of several periods.
const drainPeriod = 10 * time.Millisecond

// recorder writes the events of a trace.
type recorder struct {
	file     *fd.FD
	ring     *trace.Ring
	names    names
	maxBytes int64

	// end closes stop, once, which ends the trace. over is closed when it has ended.
	stop, over chan struct{}
	endOnce    sync.Once

	buf     [1024 * trace.Size]byte
	written int64
	dropped uint64

	// result and err can be read once the trace is over.
	result bindercmd.TraceResult
	err    error
}

// end makes run return.
func (r *recorder) end() { r.endOnce.Do(func() { close(r.stop) }) }

// run writes events until the trace is over, and calls off, which turns tracing off.
func (r *recorder) run(duration time.Duration, off func()) {
	defer close(r.over)
	defer r.file.Close()
	err := r.record(duration)
	off()
	if err == nil && !r.result.Full {
		err = r.drain()
	}
	r.err = err
	r.names.refresh()
	r.result.Events = uint64(r.written / trace.Size)
	r.result.Dropped = r.ring.Dropped()
	for _, th := range r.names.threads {
		r.result.Threads = append(r.result.Threads, th)
	}
}

// record writes events until the time is up, the file is full, or end is called.
func (r *recorder) record(duration time.Duration) error {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	tick := time.NewTicker(drainPeriod)
	defer tick.Stop()
	for {
		select {
		case <-timer.C:
			return nil
		case <-r.stop:
			return nil
		case <-tick.C:
			if err := r.drain(); err != nil || r.result.Full {
				return err
			}
		}
	}
}

// drain writes pending events: no more than the ring has room for, so that it returns
// however fast they come.
func (r *recorder) drain() error {
	for range r.ring.Cap()*trace.Size/len(r.buf) + 1 {
		b := r.ring.Read(r.buf[:0])
		r.names.lookUpNew(b)
		if dropped := r.ring.Dropped(); dropped != r.dropped && len(b)+trace.Size <= len(r.buf) {
			lost := trace.Event{Kind: trace.Lost, Time: gohacks.Nanotime(), Extra: uint32(dropped - r.dropped)}
			b = lost.AppendTo(b)
			r.dropped = dropped
		}
		if len(b) == 0 {
			return nil
		}
		if r.written+int64(len(b)) > r.maxBytes {
			r.result.Full = true
			return nil
		}
		n, err := r.file.Write(b)
		r.written += int64(n)
		if err != nil {
			return fmt.Errorf("writing events: %w", err)
		}
	}
	return nil
}

// maxThreads is the maximum number of threads whose names a trace holds: as many as a
// sandbox can have at once. An application can create and end any number meanwhile.
const maxThreads = kernel.TasksLimit

// names holds the names of the threads in a trace.
type names struct {
	root    *kernel.PIDNamespace
	threads map[int32]perfetto.Thread

	// seen has a bit for each thread ID, set once it was looked up.
	seen [maxThreads/64 + 1]uint64
}

// lookUpNew looks up the threads of encoded events that weren't seen before. They may
// have ended: threads that live for less than drainPeriod have no names.
func (n *names) lookUpNew(b []byte) {
	for ; len(b) >= trace.Size; b = b[trace.Size:] {
		tid := trace.TID(b)
		if tid <= 0 || tid > maxThreads || n.seen[tid/64]&(1<<(tid%64)) != 0 {
			continue
		}
		n.seen[tid/64] |= 1 << (tid % 64)
		n.lookUp(tid)
	}
}

// refresh looks up again the threads that still exist: names change.
func (n *names) refresh() {
	for tid, th := range n.threads {
		if t := n.root.TaskWithID(kernel.ThreadID(tid)); t != nil && int32(n.root.IDOfThreadGroup(t.ThreadGroup())) == th.PID {
			n.lookUp(tid)
		}
	}
}

func (n *names) lookUp(tid int32) {
	t := n.root.TaskWithID(kernel.ThreadID(tid))
	if t == nil {
		return
	}
	tg := t.ThreadGroup()
	leader := tg.Leader()
	if leader == nil {
		leader = t
	}
	ns := t.PIDNamespace()
	n.threads[tid] = perfetto.Thread{
		PID:     int32(n.root.IDOfThreadGroup(tg)),
		TID:     tid,
		NSPID:   int32(ns.IDOfThreadGroup(tg)),
		NSTID:   int32(ns.IDOfTask(t)),
		Name:    strings.ToValidUTF8(t.Name(), "?"),
		Process: strings.ToValidUTF8(leader.Name(), "?"),
	}
}
