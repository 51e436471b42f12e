// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package play plays programs and writes down what happens.
//
// # Traces
//
// A trace has a line for each step, with its result, and one for each thread that
// slept and has finished because of it. Two drivers that behave in the same way
// have the same trace. What may differ without a difference in behaviour is
// renamed: addresses in a mapping become distances from its start, process ids
// the processes' numbers, and files that were received their names.
//
// # Generation
//
// A program is generated while it's played, from a seed and from what the
// processes have seen so far: generator chooses what is likely to mean something
// in the present state, and sometimes what is not. As long as two drivers behave
// in the same way, the same seed gives the same program with each.
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

// World is where programs are played, one after the other.
type World struct {
	machine *actor.Machine
	procs   [program.MaxProcesses]*process
	stats   *os.File
	// reports is a socket that gets the reports of failing transactions, or negative.
	reports int
	trace   *strings.Builder
	// lastID is the number that the driver had given out last when the program
	// began.
	lastID int
	// sentDevice is set if the program has sent a descriptor of a device. It may
	// be the device's last when the message that it's in comes to nothing.
	sentDevice bool
	// err is why the world can't go on with the program.
	err error

	options Options
}

// Options say how programs are made and played.
type Options struct {
	// LikeC keeps to what Linux's driver in C does as the sandbox does, and LikeRust to
	// what the one in Rust does. See keep.go.
	LikeC, LikeRust bool

	// NoState leaves out what the driver says of its state, which Linux's driver
	// in Rust doesn't.
	NoState bool
}

// process is a process of a program.
type process struct {
	index   int
	actors  *actor.Process
	threads []*thread
	devices [program.Devices]*device
	// mappings are all that the process has ever made.
	mappings []span
	// manages are the contexts, by their devices' names, whose manager the process
	// has ever been.
	manages [len(program.DeviceNames)]bool
	// called has who has made an ioctl by which descriptor of a device: a device that was
	// closed may still be known when another one has its descriptor.
	called map[caller]bool
	// forked is set if the process has had a child, whose parent it is.
	forked bool
	parent *process
	// soiled is set if the process can't be used in another program.
	soiled bool
}

type span struct{ base, size uint64 }

// thread is a thread of a process.
type thread struct {
	*actor.Thread
	proc  *process
	index int

	// pending is the step that the thread is busy with.
	pending  *pending
	lastStep *program.Step

	// user is the thread's user.
	user uint64

	// incoming is the number of calls that the thread has received and not
	// answered.
	incoming int

	// stack has the calls that the thread takes part in, the latest last: whether
	// they are its own, of which it doesn't know the outcome yet, or are to be
	// answered.
	stack []bool
}

// caller is a thread, by its index, that uses a descriptor.
type caller struct{ fd, thread int }

// device is an open device, or was one.
type device struct {
	name  int // in program.DeviceNames
	fd    int
	owner *process

	// The mapping. Size is 0 if there is none. moves is how often it has moved.
	base, size uintptr
	moves      int

	// mapping is the index, in the owner's mappings, of the one that the driver knows.
	mapping int

	// epoll is the descriptor of the epoll instance that knows the device, or 0,
	// and epollBy the thread that it knows it from.
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

// openStats opens the file in which the driver counts its objects.
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

// counts returns the numbers of objects that the driver has.
func (w *World) counts() string {
	b := make([]byte, 64<<10)
	n, err := w.stats.ReadAt(b, 0)
	if n == 0 && err != nil {
		return "" // Linux's driver in Rust has nothing to say.
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

// settledCounts returns what is left when all processes have closed all devices.
// In Linux, the end of a process that has polled takes a while.
func (w *World) settledCounts() string {
	left := w.counts()
	for deadline := time.Now().Add(2 * time.Second); left != "" && time.Now().Before(deadline); left = w.counts() {
		unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
	}
	return left
}

// start gives program.Processes processes to a program.
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

// finish ends all that's left of a program: processes that can be used again
// close what they have, the others are killed.
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

// gone notes that a process is gone, and reports what that has led to.
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

// name returns the canonical form of a process id.
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

// A Source says what a program does.
type Source interface {
	// Next returns the next step, or false if there's none.
	Next(w *World) (program.Step, bool)
}

// Play plays a program and returns its trace, and the steps that it consists of.
// The error is for what keeps the world from going on with other programs.
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
		// It's for this program to say, not for the next one.
		for _, p := range w.procs {
			if p != nil {
				w.kill(p)
			}
		}
	}
	if err != nil {
		// Whoever is stuck may be so because the driver is.
		return w.trace.String(), steps, err
	}
	return w.trace.String(), steps, nil
}

// Replay is a Source of given steps.
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
