// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/gohacks"
	"gvisor.dev/gvisor/pkg/sentry/kernel"

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

	// mu guards stop, which ends the trace that is going on, or is nil.
	mu   sync.Mutex
	stop chan struct{}
}

// Record traces the driver and writes the events, as they come, to the file in args. It
// returns when the time is over, the file is full, or Stop is called.
func (b *BinderTrace) Record(args *bindercmd.TraceArgs, result *bindercmd.TraceResult) error {
	if len(args.Files) != 1 {
		return fmt.Errorf("there are %d files to write to, not one", len(args.Files))
	}
	file := args.Files[0]
	defer file.Close()
	driver := b.driver.Load()
	if driver == nil {
		return errors.New("the sandbox has not been started")
	}
	stop := make(chan struct{})
	b.mu.Lock()
	if b.stop != nil {
		b.mu.Unlock()
		return errors.New("the sandbox is being traced already")
	}
	b.stop = stop
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.stop = nil
		b.mu.Unlock()
	}()

	r := recorder{
		file:  file,
		ring:  trace.NewRing(args.Events),
		names: names{root: b.kernel.RootPIDNamespace(), threads: make(map[int32]perfetto.Thread)},
	}
	off, err := driver.StartTrace(r.ring, args.ContainerID)
	if linuxerr.Equals(linuxerr.ENOENT, err) {
		return fmt.Errorf("container %q has not been started", args.ContainerID)
	}
	if err != nil {
		return err
	}
	defer off()
	if err := r.record(args, stop); err != nil {
		return err
	}
	off()
	if _, err := r.drain(args.MaxBytes); err != nil {
		return err
	}
	r.names.refresh()
	*result = bindercmd.TraceResult{Events: uint64(r.written / trace.Size), Dropped: r.ring.Dropped(), Full: r.full}
	for _, th := range r.names.threads {
		result.Threads = append(result.Threads, th)
	}
	return nil
}

// Stop makes Record return before its time.
func (b *BinderTrace) Stop(_, _ *struct{}) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stop != nil {
		close(b.stop)
		b.stop = make(chan struct{}) // For another Stop.
	}
	return nil
}

// drainPeriod is how often the ring is emptied. A ring of the default size has room for
// what happens in several times that.
const drainPeriod = 10 * time.Millisecond

// recorder carries out a call of Record.
type recorder struct {
	file  *os.File
	ring  *trace.Ring
	names names

	buf     [1024 * trace.Size]byte
	written int64
	dropped uint64

	// full is true once the file has no room for more.
	full bool
}

// record writes events until the trace is over.
func (r *recorder) record(args *bindercmd.TraceArgs, stop <-chan struct{}) error {
	over := time.NewTimer(args.Duration)
	defer over.Stop()
	tick := time.NewTicker(drainPeriod)
	defer tick.Stop()
	for {
		select {
		case <-over.C:
			return nil
		case <-stop:
			return nil
		case <-tick.C:
			if full, err := r.drain(args.MaxBytes); full || err != nil {
				return err
			}
		}
	}
}

// drain writes the events that there are: no more than the ring has room for, so that it
// ends however fast they come. It returns true if the file is full.
func (r *recorder) drain(maxBytes int64) (full bool, err error) {
	for range r.ring.Cap()*trace.Size/len(r.buf) + 1 {
		b := r.ring.Read(r.buf[:0])
		r.names.look(b)
		if dropped := r.ring.Dropped(); dropped != r.dropped && len(b)+trace.Size <= len(r.buf) {
			lost := trace.Event{Kind: trace.Lost, Time: gohacks.Nanotime(), Extra: uint32(dropped - r.dropped)}
			b = lost.AppendTo(b)
			r.dropped = dropped
		}
		if len(b) == 0 {
			return false, nil
		}
		if r.written+int64(len(b)) > maxBytes {
			r.full = true
			return true, nil
		}
		n, err := r.file.Write(b)
		r.written += int64(n)
		if err != nil {
			return false, fmt.Errorf("writing events: %w", err)
		}
	}
	return false, nil
}

// maxThreads is the most threads of which a trace has the names: as many as a sandbox can
// have at once. An application can make and end any number of them meanwhile.
const maxThreads = kernel.TasksLimit

// names has the names of the threads in a trace.
type names struct {
	root    *kernel.PIDNamespace
	threads map[int32]perfetto.Thread

	// seen has a bit for each thread ID that was looked up.
	seen [maxThreads/64 + 1]uint64
}

// look looks up the threads of encoded events that are new. They may have ended: those
// that live for less than drainPeriod have no names.
func (n *names) look(b []byte) {
	for ; len(b) >= trace.Size; b = b[trace.Size:] {
		tid := trace.Who(b)
		if tid <= 0 || tid > maxThreads || n.seen[tid/64]&(1<<(tid%64)) != 0 {
			continue
		}
		n.seen[tid/64] |= 1 << (tid % 64)
		n.lookUp(tid)
	}
}

// refresh looks up again who is still there: names change.
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
