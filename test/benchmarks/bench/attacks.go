// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/benchmarks/peer"
)

// attack is a way for one process to disturb others.
type attack struct {
	name string

	// exits says that each round ends a process, which takes many new objects.
	exits bool

	// threads is the number of attacking threads, if more than one.
	threads int

	run func(*aggressor)
}

var attacks = []attack{
	{name: control, run: func(a *aggressor) { a.systemCalls(1) }},
	{name: control + " on 4 threads", run: func(a *aggressor) { a.systemCalls(4) }},
	{name: "exit with nodes", exits: true, run: (*aggressor).exitWithNodes},
	{name: "exit with references", exits: true, run: func(a *aggressor) { a.exitWithReferences("hostile/service") }},
	{name: "exit with references to the service's nodes", exits: true, run: func(a *aggressor) { a.exitWithReferences("") }},
	{name: "node debug information on 4 threads", threads: 4, run: (*aggressor).debugInfo},
	{name: "threads that come and go, on 4 threads", threads: 4, run: (*aggressor).comeAndGo},
	{name: "read all logs", run: (*aggressor).logs},
	{name: "freeze and thaw", run: (*aggressor).freeze},
	{name: "open and close devices", run: (*aggressor).devices},
	{name: "fragment a mapping", run: (*aggressor).fragment},
	{name: "compute", run: (*aggressor).compute},
	{name: "death notifications", run: func(a *aggressor) { a.deaths("hostile/service") }},
	{name: "death notifications of the service's nodes", run: func(a *aggressor) { a.deaths("") }},
}

// control is the baseline for attacks: system calls that have nothing to do with
// the driver. What others lose to these, they lose to the host's scheduler and to
// Go's.
const control = "system calls"

// control returns the name of the control with as many threads as the attack.
func (a *attack) control() string {
	if a.threads == 4 {
		return control + " on 4 threads"
	}
	return control
}

func findAttack(name string) attack {
	i := slices.IndexFunc(attacks, func(a attack) bool { return a.name == name })
	if i < 0 {
		var names []string
		for _, a := range attacks {
			names = append(names, a.name)
		}
		peer.Fail("no attack %q; the attacks are: %s", name, strings.Join(names, "; "))
	}
	return attacks[i]
}

// aggressor is a process that attacks.
type aggressor struct {
	*board
	*endpoint
}

// attacker is the role of an aggressor.
func attacker() {
	a := &aggressor{openBoard(*boardPath), open()}
	a.phase.Store(making)
	ready()
	findAttack(*attackName).run(a)
}

// act runs a function in a loop on each of several threads, until it is told to
// stop. f makes the function for a thread.
func (a *aggressor) act(threads int, f func(thread int) func() (rounds int)) {
	a.objects.Store(a.made.Load())
	done := make(chan bool)
	for thread := range threads {
		go func() {
			runtime.LockOSThread()
			round := f(thread)
			a.phase.Store(acting)
			for !a.stop.Load() {
				a.rounds.Add(uint64(round()))
			}
			done <- true
		}()
	}
	for range threads {
		<-done
	}
}

// need ends the program if there are no objects to attack with.
func (a *aggressor) need(objects int) {
	if objects == 0 && !a.stop.Load() {
		peer.Fail("%s: nothing to attack with", *attackName)
	}
}

// countRefusal counts err if it is ENOMEM.
func (a *aggressor) countRefusal(err error) {
	if errors.Is(err, unix.ENOMEM) {
		a.refused.Add(1)
	}
}

// countFailedCall is countRefusal for the error of a thread's last call, which
// failed.
func (a *aggressor) countFailedCall(e *endpoint) {
	var last binder.ExtendedError
	if e.Try(binder.BINDER_GET_EXTENDED_ERROR, unsafe.Pointer(&last)) == 0 && last.Param < 0 {
		a.countRefusal(unix.Errno(-last.Param))
	}
}

// systemCalls is the control.
func (a *aggressor) systemCalls(threads int) {
	a.act(threads, func(int) func() int {
		return func() int {
			unix.Syscall(unix.SYS_GETPPID, 0, 0, 0)
			return 1
		}
	})
}

// many is the number of objects for attacks that need fewer than -count.
func many() int { return *count / 10 }

// offerAll sends nodes to the manager, which keeps them, and adds their number to
// made. It stops when one is refused.
func (a *aggressor) offerAll(e *endpoint, count int) {
	var o objects
	for first := 0; first < count && !a.stop.Load(); first += objectsInCall {
		o.data, o.offsets = o.data[:0], o.offsets[:0]
		for i := first; i < min(first+objectsInCall, count); i++ {
			o.add(node(i))
		}
		if _, ok := e.try(0, serviceKeep, o.data, o.offsets); !ok {
			a.countFailedCall(e)
			break
		}
		a.made.Add(uint64(len(o.offsets)))
	}
	e.flush()
}

// collect gets references to count nodes of a service, and keeps them. It stops
// when a call is refused.
func (a *aggressor) collect(e *endpoint, from uint32, count int) []uint32 {
	handles := make([]uint32, 0, count)
	var commands []byte
	for len(handles) < count && !a.stop.Load() {
		answer, ok := e.try(from, serviceMake, nil, nil)
		if !ok {
			a.countFailedCall(e)
			break
		}
		commands = commands[:0]
		for data := e.Data(answer); len(data) != 0; data = data[binder.SizeOfFlatObject:] {
			var object binder.FlatObject
			object.UnmarshalBytes(data)
			commands = peer.HandleCommand(commands, binder.BC_ACQUIRE, uint32(object.Binder))
			handles = append(handles, uint32(object.Binder))
		}
		// Acquired before the buffer of the answer is freed, and its references
		// with it.
		e.out = append(commands, e.out...)
		e.flush()
		a.made.Add(objectsInCall)
	}
	return handles
}

// lastKept returns a handle to the object that the manager kept last.
func (e *endpoint) lastKept() uint32 {
	answer := e.call(0, serviceLast, nil, nil)
	handle := uint32(objectsOf(e.Data(answer))[0].Binder)
	e.out = append(peer.HandleCommand(nil, binder.BC_ACQUIRE, handle), e.out...)
	e.flush()
	return handle
}

// third starts a third process, a service in that role, and returns a handle to it.
// With no role, the third process is the manager.
func (a *aggressor) third(role string) (*process, uint32) {
	if role == "" {
		return nil, 0
	}
	p := start(role, nil, "-with=manager", "-n=0")
	return p, a.lastKept()
}

// end stops a third process, if there is one.
func (p *process) end() {
	if p != nil {
		p.stop()
	}
}

// ending is how long a process still counts as ending after it was killed: Linux
// releases its resources some time later.
const ending = 50 * time.Millisecond

// exits starts processes by next and ends them, one after another.
func (a *aggressor) exits(next func() *process) {
	for !a.stop.Load() {
		p := next()
		if a.stop.Load() {
			p.stop()
			return
		}
		a.objects.Store(a.made.Swap(0))
		a.phase.Store(acting)
		p.stop()
		pause(ending)
		a.rounds.Add(1)
		a.phase.Store(making)
	}
}

// exitWithNodes ends processes whose nodes the manager keeps.
func (a *aggressor) exitWithNodes() {
	kept := 0
	a.exits(func() *process {
		a.dropAll(0, kept+1)
		return start("hostile/owner", nil)
	})
}

// nodeOwner is the role of a process whose nodes the manager keeps.
func nodeOwner() {
	a := &aggressor{openBoard(*boardPath), open()}
	a.offerAll(a.endpoint, *count)
	ready()
	rest()
}

// exitWithReferences ends processes that hold references to a third one's nodes.
func (a *aggressor) exitWithReferences(role string) {
	p, _ := a.third(role)
	defer p.end()
	from := ""
	if p != nil {
		from = "last"
	}
	a.exits(func() *process { return start("hostile/holder", nil, "-with="+from) })
}

// holder is the role of a process that holds references to nodes of the manager, or
// of the service that the manager kept last.
func holder() {
	a := &aggressor{openBoard(*boardPath), open()}
	var from uint32
	if *with != "" {
		from = a.lastKept()
	}
	a.handle(binder.BC_ACQUIRE, 0)
	a.collect(a.endpoint, from, *count)
	ready()
	rest()
}

// debugInfo walks the nodes of a process over and over, one ioctl for each.
func (a *aggressor) debugInfo() {
	a.offerAll(a.endpoint, many())
	a.act(4, func(int) func() int {
		th := a.thread()
		info := make([]byte, binder.SizeOfNodeDebugInfo)
		return func() int {
			// This returns the node after the one that info names, or 0 after the
			// last.
			if errno := th.Try(binder.BINDER_GET_NODE_DEBUG_INFO, unsafe.Pointer(&info[0])); errno != 0 {
				peer.Fail("BINDER_GET_NODE_DEBUG_INFO: %v", errno)
			}
			return 1
		}
	})
}

// leftBehind is how many threads a process leaves behind before it reopens the
// device.
const leftBehind = 5_000

// comeAndGo creates threads that make one call to the driver and end. Only every
// second one says BINDER_THREAD_EXIT.
func (a *aggressor) comeAndGo() {
	a.act(4, func(thread int) func() int {
		e := a.endpoint
		if thread != 0 {
			e = open()
		}
		left, done := 0, make(chan bool)
		return func() int {
			go func() {
				runtime.LockOSThread() // never unlocked, so the thread ends with the goroutine
				th := e.thread()
				var version, nothing int32
				if errno := th.Try(binder.BINDER_VERSION, unsafe.Pointer(&version)); errno != 0 {
					a.countRefusal(errno)
				}
				if left%2 == 0 {
					th.Try(binder.BINDER_THREAD_EXIT, unsafe.Pointer(&nothing))
				}
				done <- true
			}()
			<-done
			if left++; left == 2*leftBehind {
				e.Close()
				e, left = open(), 0
			}
			return 1
		}
	})
}

// logs reads all logs over and over, while they have a crowd of processes to list.
func (a *aggressor) logs() {
	dir := filepath.Dir(*device)
	if _, err := os.Stat(dir + "/binder_logs"); err != nil {
		dir, err = os.MkdirTemp("", "binderfs")
		peer.Check(err)
		peer.Check(unix.Mount("binder", dir, "binder", 0, "stats=global"))
		defer os.Remove(dir)
		defer unix.Unmount(dir, unix.MNT_DETACH)
	}
	others := start("hostile/crowd", nil)
	defer others.stop()
	buffer := make([]byte, 64<<10)
	a.act(1, func(int) func() int {
		var left []string
		return func() int {
			if len(left) == 0 {
				logs, err := filepath.Glob(dir + "/binder_logs/*")
				peer.Check(err)
				procs, err := filepath.Glob(dir + "/binder_logs/proc/*")
				peer.Check(err)
				left = slices.Concat(logs, procs)
			}
			log := left[0]
			left = left[1:]
			fd, err := unix.Open(log, unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				return 0 // the process has exited
			}
			defer unix.Close(fd)
			for n := 1; n > 0; {
				n, err = unix.Read(fd, buffer)
			}
			if err != nil {
				return 0 // log is the directory of processes
			}
			return 1
		}
	})
}

// inCrowd is the number of processes in a crowd.
const inCrowd = 100

// offeringCrowd is the role of a crowd of processes whose nodes the manager keeps.
func offeringCrowd() {
	a := &aggressor{openBoard(*boardPath), open()}
	for range inCrowd {
		a.offerAll(open(), many()/inCrowd)
	}
	ready()
	rest()
}

// freeze freezes and thaws a process, for each of whose nodes a freeze notification
// was requested.
func (a *aggressor) freeze() {
	p, handle := a.third("hostile/service")
	defer p.end()
	e := a.endpoint
	for i, h := range a.collect(e, handle, many()) {
		e.out = appendHandleCookie(e.out, binder.BC_REQUEST_FREEZE_NOTIFICATION, h, uint64(i))
		if len(e.out) > 8<<10 {
			e.flush()
		}
	}
	e.flush()
	a.act(1, func(int) func() int {
		th := a.thread()
		set := func(enable uint32) bool {
			info := binder.FreezeInfo{PID: uint32(p.cmd.Process.Pid), Enable: enable, TimeoutMS: 1000}
			return th.Try(binder.BINDER_FREEZE, unsafe.Pointer(&info)) == 0
		}
		return func() int {
			frozen := set(1)
			if set(0) && frozen {
				return 1
			}
			return 0
		}
	})
}

// devices holds many devices open, and closes and reopens them at random.
func (a *aggressor) devices() {
	limit := unix.Rlimit{Cur: uint64(many()) + 100, Max: uint64(many()) + 100}
	peer.Check(unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	var fds []int
	for len(fds) < many() && !a.stop.Load() {
		fd, err := unix.Open(*device, unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			a.countRefusal(err)
			break
		}
		fds = append(fds, fd)
	}
	a.made.Store(uint64(len(fds)))
	a.need(len(fds))
	random := rand.New(rand.NewPCG(1, 2))
	a.act(1, func(int) func() int {
		return func() int {
			fd := &fds[random.IntN(len(fds))]
			if *fd >= 0 {
				unix.Close(*fd)
			}
			var err error
			if *fd, err = unix.Open(*device, unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
				a.countRefusal(err)
				*fd = -1
				return 0
			}
			return 1
		}
	})
}

// fragment fills a third process's mapping with small buffers of all sizes.
// Whenever there is no room left, that process frees every second buffer.
func (a *aggressor) fragment() {
	p, handle := a.third("hostile/service")
	defer p.end()
	// A node receives one one-way transaction at a time.
	handles := a.collect(a.endpoint, handle, many()/10)
	a.need(len(handles))
	random := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 256)
	a.act(1, func(int) func() int {
		e, i := a.thread(), 0
		return func() int {
			i++
			send := peer.TransactionTo(e.Commands(), binder.BC_TRANSACTION, handles[i%len(handles)], serviceHold, binder.TF_ONE_WAY, data[:random.IntN(len(data))], nil)
			if e.Send(send) {
				return 1
			}
			e.try(handle, serviceFree, nil, nil)
			return 0
		}
	})
}

// compute leaves the driver alone, like the control, but keeps the CPUs busy for as
// long as it takes to fill a buffer with commands and to carry them out: some 100
// µs of its own time and more of the sentry's, alternately.
func (a *aggressor) compute() {
	fd, err := unix.Open("/dev/zero", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	peer.Check(err)
	buffer := make([]byte, 1<<20)
	a.act(1, func(int) func() int {
		return func() int {
			for range 300_000 {
				_ = a.stop.Load()
			}
			_, err := unix.Read(fd, buffer)
			peer.Check(err)
			return 1
		}
	})
}

// deaths requests and clears death notifications for many nodes.
func (a *aggressor) deaths(role string) {
	p, handle := a.third(role)
	defer p.end()
	e := a.endpoint
	handles := a.collect(e, handle, many())
	a.need(len(handles))
	a.act(1, func(int) func() int {
		e := a.thread()
		e.Unblock()
		commands := peer.Command(nil, binder.BC_ENTER_LOOPER)
		// Requesting and clearing all of them can take longer than a turn.
		count := func(br uint32) {
			if br == binder.BR_CLEAR_DEATH_NOTIFICATION_DONE {
				a.rounds.Add(1)
			}
		}
		e.Poll(commands, count)
		each := func(cmd uint32) {
			for batch := range slices.Chunk(handles, objectsInCall) {
				if a.stop.Load() {
					return
				}
				commands = commands[:0]
				for _, h := range batch {
					commands = appendHandleCookie(commands, cmd, h, uint64(h))
				}
				for e.Poll(commands, count) != 0 {
					commands = commands[:0]
				}
			}
		}
		return func() int {
			each(binder.BC_REQUEST_DEATH_NOTIFICATION)
			each(binder.BC_CLEAR_DEATH_NOTIFICATION)
			return 0
		}
	})
}
