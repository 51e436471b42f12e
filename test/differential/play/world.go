// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package play plays programs and records what happens.
//
// # Traces
//
// A trace has each step, its result, and the results of threads that slept until the
// step. Drivers that behave in the same way produce the same trace. Values that may
// differ even so are replaced by canonical ones: addresses in a mapping by offsets in it,
// process IDs by the processes' indices, and received files by their names.
//
// # Generation
//
// A program is generated while it is played, from a seed and from what its processes have
// observed so far. Generator mostly chooses steps that make sense in the current state,
// and sometimes ones that don't. As long as two drivers behave in the same way, a seed
// generates the same program on both.
package play

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sentrybinder/test/differential/actor"
	"sentrybinder/test/differential/program"
)

// World plays programs, one after another.
type World struct {
	machine *actor.Machine
	procs   [program.MaxProcesses]*process
	stats   *os.File
	// reports is a socket that receives the reports of failed transactions, or negative.
	reports int
	trace   *strings.Builder
	// lastID is the last debug ID that the driver had allocated when the program began.
	lastID int
	// sentDevice is set if the program has sent a descriptor of a device. If the
	// message is not delivered, that may have been the last reference to the device.
	sentDevice bool
	// err is the error that keeps the program from being continued, or nil.
	err error

	options Options
}

// Options say how programs are generated and played.
type Options struct {
	// LikeC leaves out what Linux's C driver is known to do differently, and LikeRust
	// what its Rust driver does. See keep.go.
	LikeC, LikeRust bool

	// NoState leaves the driver's logs and counts out of traces. Linux's Rust driver
	// does not have them all.
	NoState bool
}

// process is a process of a program.
type process struct {
	index   int
	actors  *actor.Process
	threads []*thread
	devices [program.Devices]*device
	// mappings are all those that the process has ever made.
	mappings []span
	// manages has, by index in program.DeviceNames, whether the process has ever been
	// that context's manager.
	manages [len(program.DeviceNames)]bool
	// called says which threads have made an ioctl on which descriptors of devices. Its
	// key is a descriptor, not a device, since a closed device may still be in devices
	// when another one has been given its descriptor.
	called map[caller]bool
	// forked is set if the process has ever had a child. parent is the process that it
	// is a child of, or nil.
	forked bool
	parent *process
	// soiled is set if the process can't be reused for another program.
	soiled bool
}

type span struct{ base, size uint64 }

// thread is a thread of a process.
type thread struct {
	*actor.Thread
	proc  *process
	index int

	// pending is the step that the thread is busy with, or nil.
	pending  *pending
	lastStep *program.Step

	// user is the thread's effective user ID.
	user uint64

	// incoming is the number of calls that the thread has received and not yet
	// replied to.
	incoming int

	// stack has an element for each call that the thread takes part in, the latest
	// last: true if the thread made the call and does not know the outcome yet, false
	// if it received the call and has not replied.
	stack []bool
}

// caller is a thread, by its index, that uses a descriptor.
type caller struct{ fd, thread int }

// device is a device that is open, or was.
type device struct {
	name  int // index in program.DeviceNames
	fd    int
	owner *process

	// base and size describe the mapping; size is 0 if there is none. moves is the
	// number of times that it has moved.
	base, size uintptr
	moves      int

	// mapping is the index, in the owner's mappings, of the one that the driver has
	// recorded.
	mapping int

	// epoll is the descriptor of the epoll instance that the device was added to, or
	// 0, and epollBy the thread that added it.
	epoll   int
	epollBy *thread

	known
}

// NewWorld returns a world without processes.
func NewWorld(options Options) (*World, error) {
	m, err := actor.New()
	if err != nil {
		return nil, err
	}
	w := &World{machine: m, options: options}
	if err := w.openStats(); err != nil {
		return nil, err
	}
	return w, w.openReports()
}

// openStats opens the log in which the driver reports how many objects it has.
func (w *World) openStats() error {
	const mounted = "/dev/binderfs"
	dir := mounted
	if _, err := os.Stat(dir + "/binder_logs"); err != nil {
		if dir, err = os.MkdirTemp("", "binderfs"); err != nil {
			return err
		}
		if err := unix.Mount("binder", dir, "binder", 0, "stats=global"); err != nil {
			return fmt.Errorf("mount of binderfs: %w", err)
		}
	}
	var err error
	w.stats, err = os.Open(dir + "/binder_logs/stats")
	return err
}

// counts returns how many objects the driver has, by type.
func (w *World) counts() string {
	b := make([]byte, 64<<10)
	n, err := w.stats.ReadAt(b, 0)
	if n == 0 && err != nil {
		return "" // Linux's Rust driver leaves the file empty.
	}
	global, _, _ := strings.Cut(string(b[:n]), "\nproc ")
	var counts []string
	for line := range strings.Lines(global) {
		var what string
		var active, total int
		if n, _ := fmt.Sscanf(line, "%s active %d total %d", &what, &active, &total); n == 3 && active != 0 {
			counts = append(counts, fmt.Sprint(what, active))
		}
	}
	return strings.Join(counts, " ")
}

// settledCounts returns the counts after all processes have closed all devices. On
// Linux, the release of a process that has polled takes a while.
func (w *World) settledCounts() string {
	left := w.counts()
	for deadline := time.Now().Add(2 * time.Second); left != "" && time.Now().Before(deadline); left = w.counts() {
		unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
	}
	return left
}

// start makes sure that there are program.Processes processes for a program.
func (w *World) start() {
	for i := range program.Processes {
		if w.procs[i] == nil {
			w.procs[i] = newProcess(i, w.machine.NewProcess(program.Threads))
			w.procs[i].openFiles()
		}
	}
}

func newProcess(i int, actors *actor.Process) *process {
	p := &process{index: i, actors: actors, called: make(map[caller]bool)}
	for j, a := range actors.Threads {
		p.threads = append(p.threads, &thread{Thread: a, proc: p, index: j})
	}
	return p
}

// openFiles opens the process's ordinary files.
func (p *process) openFiles() {
	th := p.threads[0]
	const maxFD = 1<<32 - 1
	th.Quick(actor.NewCall(unix.SYS_CLOSE_RANGE, program.FirstFile, maxFD, 0))
	for i := range program.Files - 1 {
		at := putString(th.Scratch(), fmt.Sprintf("P%d.%d", p.index, i))
		th.Quick(actor.NewCall(unix.SYS_MEMFD_CREATE, at, 0))
	}
	th.Quick(actor.NewCall(unix.SYS_OPENAT, ^uintptr(99), putString(th.Scratch(), "/"), unix.O_PATH, 0))
}

func putString(at uintptr, s string) uintptr {
	copy(actor.Bytes(at, len(s)+1), s+"\x00")
	return at
}

// finish cleans up after a program: processes that can be reused close what they have
// open, the others are killed.
func (w *World) finish() {
	for i, p := range w.procs {
		if p == nil {
			continue
		}
		w.printf("end P%d\n", i)
		reuse := !p.soiled && i < program.Processes && w.err == nil
		for _, th := range p.threads {
			reuse = reuse && th.pending == nil
		}
		if !reuse {
			w.kill(p)
			continue
		}
		th := p.threads[0]
		var calls []actor.Call
		for _, d := range p.devices {
			if d != nil && d.size != 0 && d.owner == p {
				calls = append(calls, actor.NewCall(unix.SYS_MUNMAP, d.base, d.size))
			}
		}
		const maxFD = 1<<32 - 1
		w.do(th, append(calls, actor.NewCall(unix.SYS_CLOSE_RANGE, program.FirstFree, maxFD, 0))...)
		w.released()
		w.reportWoken(th)
		w.procs[i] = newProcess(i, p.actors)
	}
}

// kill kills a process.
func (w *World) kill(p *process) {
	w.fail(p.actors.Kill())
	w.gone(p)
}

// gone records that a process is gone, and the results of steps that this has ended.
func (w *World) gone(p *process) {
	w.procs[p.index] = nil
	w.settle(nil)
	w.released()
	w.reportWoken(nil)
}

// released is called when a device may have been released.
func (w *World) released() {
	if w.sentDevice && w.err == nil {
		w.fail(w.machine.AwaitFiles())
	}
}

func (w *World) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *World) do(th *thread, calls ...actor.Call) {
	if w.err == nil {
		w.fail(th.Do(calls...))
	}
}

func (w *World) settle(th *actor.Thread) {
	if w.err == nil {
		w.fail(w.machine.Settle(th))
	}
}

func (w *World) printf(format string, args ...any) { fmt.Fprintf(w.trace, format, args...) }

// name returns the canonical form of a process ID.
func (w *World) name(pid int32) string {
	if pid == 0 {
		return "0"
	}
	for i, p := range w.procs {
		if p != nil && p.actors.PID == int(pid) {
			return fmt.Sprintf("P%d", i)
		}
	}
	return "P?"
}

// A Source supplies the steps of a program.
type Source interface {
	// Next returns the next step, or false if there are no more.
	Next(w *World) (program.Step, bool)
}

// Play plays a program and returns its trace and its steps. An error means that the world
// can't play any other programs.
func (w *World) Play(src Source) (string, []program.Step, error) {
	w.trace, w.sentDevice = &strings.Builder{}, false
	w.lastID, w.err = readLastID()
	w.fail(w.machine.Begin())
	w.start()
	var steps []program.Step
	for w.err == nil {
		s, ok := src.Next(w)
		if !ok {
			break
		}
		steps = append(steps, s)
		w.printf("%d %v\n", len(steps), s)
		w.play(&s)
		w.reported()
	}
	if !w.options.NoState {
		w.printf("counts %s\n", w.counts())
		w.printf("%s", w.state())
	}
	err := w.err
	if err != nil {
		w.printf("stuck: %v\n", err)
	}
	w.finish()
	w.reported()
	left := w.settledCounts()
	w.printf("counts %s\n", left)
	if left != "" {
		// Only this program's trace is to show what it has left, not the next one's.
		for _, p := range w.procs {
			if p != nil {
				w.kill(p)
			}
		}
	}
	if err != nil {
		// A thread may be stuck because the driver is.
		return w.trace.String(), steps, err
	}
	return w.trace.String(), steps, nil
}

// Replay is a Source that supplies given steps.
type Replay struct {
	Steps []program.Step
}

// Next implements Source.Next.
func (r *Replay) Next(*World) (program.Step, bool) {
	if len(r.Steps) == 0 {
		return program.Step{}, false
	}
	s := r.Steps[0]
	r.Steps = r.Steps[1:]
	return s, true
}
