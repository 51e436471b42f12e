// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/test/syscalls/remote"
)

// freezerTimeout is how long a test waits for what should happen immediately.
const freezerTimeout = 30 * time.Second

// A cgroup is a version 2 control group.
type cgroup struct {
	t   *testing.T
	dir string
}

// rootCgroup returns the root of a hierarchy mounted for the test.
func rootCgroup(t *testing.T) cgroup {
	t.Helper()
	dir := t.TempDir()
	err := unix.Mount("cgroup2", dir, "cgroup2", 0, "")
	if err == unix.ENODEV && !onLinux() {
		t.Skip("this sandbox has no cgroup2, which an annotation would add")
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return cgroup{t, dir}
}

// newCgroup returns a new cgroup below the root, which the end of the test removes
// together with those below it.
func newCgroup(t *testing.T) cgroup {
	t.Helper()
	return rootCgroup(t).child("test")
}

// child creates a cgroup in c.
func (c cgroup) child(name string) cgroup {
	c.t.Helper()
	child := cgroup{c.t, filepath.Join(c.dir, name)}
	require.NoError(c.t, os.Mkdir(child.dir, 0o755))
	c.t.Cleanup(child.remove)
	return child
}

// remove kills what runs in the cgroup, and removes it.
func (c cgroup) remove() {
	if _, err := os.Stat(c.dir); err != nil {
		return
	}
	if err := c.try("cgroup.kill", "1"); err == nil {
		c.await("populated 0")
	}
	require.NoError(c.t, os.Remove(c.dir))
}

// try writes to a file.
func (c cgroup) try(file, value string) error {
	fd, err := unix.Open(filepath.Join(c.dir, file), unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(value))
	return err
}

// write writes to a file, which must succeed.
func (c cgroup) write(file string, value any) {
	c.t.Helper()
	require.NoError(c.t, c.try(file, fmt.Sprint(value)), "%v to %s", value, file)
}

// tryRead returns the contents of a file.
func (c cgroup) tryRead(file string) (string, error) {
	fd, err := unix.Open(filepath.Join(c.dir, file), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	buf := make([]byte, 4096)
	n, err := unix.Read(fd, buf)
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(string(buf[:n]), "\n"), nil
}

// read returns the contents of a file, which must be readable.
func (c cgroup) read(file string) string {
	c.t.Helper()
	value, err := c.tryRead(file)
	require.NoError(c.t, err, file)
	return value
}

// ids returns the numbers in a file.
func (c cgroup) ids(file string) []int {
	c.t.Helper()
	ids := []int{}
	for _, field := range strings.Fields(c.read(file)) {
		id, err := strconv.Atoi(field)
		require.NoError(c.t, err)
		ids = append(ids, id)
	}
	return ids
}

// events is an open cgroup.events.
type events struct {
	c  cgroup
	fd int
}

func (c cgroup) events() *events {
	c.t.Helper()
	fd, err := unix.Open(filepath.Join(c.dir, "cgroup.events"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	require.NoError(c.t, err)
	return &events{c, fd}
}

func (e *events) close() { unix.Close(e.fd) }

// read returns whether the file has a line. Only later changes are notified after it.
func (e *events) read(line string) bool {
	e.c.t.Helper()
	buf := make([]byte, 256)
	n, err := unix.Pread(e.fd, buf, 0)
	require.NoError(e.c.t, err)
	return strings.Contains("\n"+string(buf[:n]), "\n"+line+"\n")
}

// changed returns whether the file has changed since it was read, or changes within the
// time.
func (e *events) changed(timeout time.Duration) bool {
	e.c.t.Helper()
	for deadline := time.Now().Add(timeout); ; {
		fds := []unix.PollFd{{Fd: int32(e.fd), Events: unix.POLLPRI}}
		n, err := unix.Poll(fds, max(0, int(time.Until(deadline).Milliseconds())))
		if err == unix.EINTR {
			continue
		}
		require.NoError(e.c.t, err)
		return n == 1 && fds[0].Revents&unix.POLLPRI != 0
	}
}

// await waits until cgroup.events has a line, reading it only when notified.
func (c cgroup) await(line string) {
	c.t.Helper()
	e := c.events()
	defer e.close()
	for !e.read(line) {
		require.True(c.t, e.changed(freezerTimeout), "not %q; state is\n%s", line, c.read("cgroup.events"))
	}
}

// is returns whether cgroup.events has a line.
func (c cgroup) is(line string) bool {
	c.t.Helper()
	e := c.events()
	defer e.close()
	return e.read(line)
}

// freeze freezes the cgroup and waits until it is frozen.
func (c cgroup) freeze() {
	c.t.Helper()
	c.write("cgroup.freeze", 1)
	c.await("frozen 1")
}

// thaw thaws the cgroup.
func (c cgroup) thaw() {
	c.t.Helper()
	c.write("cgroup.freeze", 0)
	c.await("frozen 0")
}

// spinnersEnv names a file in which a child of the test counts with spinnerThreads
// threads.
const spinnersEnv = "PLATFORM_SPINNERS"

const spinnerThreads = 3

// spinners is a process whose threads never sleep.
type spinners struct {
	t      *testing.T
	cmd    *exec.Cmd
	counts []byte
}

func newSpinners(t *testing.T) *spinners {
	t.Helper()
	path := filepath.Join(t.TempDir(), "counts")
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.Truncate(4096))
	counts, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	require.NoError(t, err)
	cmd, err := startChild(spinnersEnv + "=" + path)
	require.NoError(t, err)
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		unix.Munmap(counts)
	})
	s := &spinners{t, cmd, counts}
	s.run()
	return s
}

func (s *spinners) pid() int { return s.cmd.Process.Pid }

// count returns how far a thread has counted.
func (s *spinners) count(thread int) uint64 {
	return atomic.LoadUint64((*uint64)(unsafe.Pointer(&s.counts[8*thread])))
}

// run waits until all threads have counted further.
func (s *spinners) run() {
	s.t.Helper()
	for thread := range spinnerThreads {
		before := s.count(thread)
		require.Eventually(s.t, func() bool { return s.count(thread) != before }, freezerTimeout, time.Millisecond)
	}
}

// stand checks that no thread is counting.
func (s *spinners) stand() {
	s.t.Helper()
	var before [spinnerThreads]uint64
	for thread := range before {
		before[thread] = s.count(thread)
	}
	// In this time, each would count millions. If it is too short, the test still passes.
	time.Sleep(20 * time.Millisecond)
	for thread := range before {
		require.Equal(s.t, before[thread], s.count(thread), "thread %d runs", thread)
	}
}

// spin is the child's program.
func spin(path string) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	counts, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return
	}
	// With enough processors for Go, each counter has a thread.
	var done sync.WaitGroup
	for thread := range spinnerThreads {
		done.Add(1)
		go func() {
			for {
				atomic.AddUint64((*uint64)(unsafe.Pointer(&counts[8*thread])), 1)
			}
		}()
	}
	done.Wait()
}

// state returns a process's state from /proc/pid/stat.
func state(t *testing.T, pid int) string {
	t.Helper()
	return threadState(t, pid, pid)
}

func threadState(t *testing.T, pid, tid int) string {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/stat", pid, tid))
	require.NoError(t, err)
	return strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))[0]
}

// requireSleeps waits for a process to sleep. On Linux, a signal makes a frozen process
// run for a moment, to check whether it must stay frozen.
func requireSleeps(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool { return state(t, pid) == "S" }, freezerTimeout, time.Millisecond)
}

// A frozen cgroup's processes don't run, even those that never sleep, and continue
// afterwards.
func TestFreezer(t *testing.T) {
	c, s := newCgroup(t), newSpinners(t)
	require.Equal(t, "0", c.read("cgroup.freeze"))
	require.Equal(t, "populated 0\nfrozen 0", c.read("cgroup.events"))
	c.write("cgroup.procs", s.pid())
	require.Equal(t, "populated 1\nfrozen 0", c.read("cgroup.events"))
	s.run()
	for range 3 {
		c.freeze()
		require.Equal(t, "1", c.read("cgroup.freeze"))
		require.Equal(t, "S", state(t, s.pid()))
		s.stand()
		c.thaw()
		s.run()
	}
}

// Freezing interrupts a sleeping system call without the process noticing. While frozen,
// it doesn't see what it waits for either.
func TestFreezerSleeper(t *testing.T) {
	c, p := newCgroup(t), remote.NewProcess(t)
	c.write("cgroup.procs", p.PID())
	var pipe [2]int
	require.NoError(t, unix.Pipe2(pipe[:], unix.O_CLOEXEC))
	end := p.SendFD(t, pipe[0])
	p.Start(t, unix.SYS_READ, uintptr(end), p.Scratch(), 1)
	p.AwaitBlocked(t)
	c.freeze()
	_, err := unix.Write(pipe[1], []byte{7})
	require.NoError(t, err)
	n, err := unix.IoctlGetInt(pipe[0], unix.TIOCINQ)
	require.NoError(t, err)
	require.Equal(t, 1, n, "bytes read")
	require.True(t, c.is("frozen 1"))
	c.thaw()
	got, err := p.Wait(t)
	require.NoError(t, err)
	require.EqualValues(t, 1, got)
}

// SIGKILL ends frozen processes, and so do other signals whose default is to end a
// process without a core dump.
func TestFreezerKill(t *testing.T) {
	for _, sig := range []unix.Signal{unix.SIGKILL, unix.SIGTERM, unix.SIGHUP, unix.SIGUSR1, 34} {
		t.Run(sig.String(), func(t *testing.T) {
			c, p := newCgroup(t), remote.NewProcess(t)
			c.write("cgroup.procs", p.PID())
			c.freeze()
			require.NoError(t, unix.Kill(p.PID(), sig))
			status := p.Reap(t)
			require.True(t, status.Signaled())
			require.Equal(t, sig, status.Signal())
			c.await("populated 0")
			c.await("frozen 1")
		})
	}
	t.Run("cgroup.kill", func(t *testing.T) {
		c, s := newCgroup(t), newSpinners(t)
		c.write("cgroup.procs", s.pid())
		c.freeze()
		c.write("cgroup.kill", 1)
		c.await("populated 0")
		c.await("frozen 1")
	})
}

// Other signals wait for the thaw: those with a handler, and those that stop a process or
// dump core.
func TestFreezerSignal(t *testing.T) {
	c, p := newCgroup(t), remote.NewProcess(t)
	p.Handle(t, unix.SIGTERM, 0)
	c.write("cgroup.procs", p.PID())
	p.Start(t, unix.SYS_PPOLL)
	p.AwaitBlocked(t)
	c.freeze()
	require.NoError(t, unix.Kill(p.PID(), unix.SIGTERM))
	require.NoError(t, unix.Kill(p.PID(), unix.SIGSTOP))
	requireSleeps(t, p.PID())
	require.Eventually(t, func() bool { return c.is("frozen 1") }, freezerTimeout, time.Millisecond)
	require.NoError(t, unix.Kill(p.PID(), unix.SIGCONT))
	c.thaw()
	_, err := p.Wait(t)
	require.Equal(t, unix.EINTR, err)

	c.freeze()
	require.NoError(t, unix.Kill(p.PID(), unix.SIGQUIT))
	requireSleeps(t, p.PID())
	c.thaw()
	require.Equal(t, unix.SIGQUIT, p.Reap(t).Signal())
}

// wait waits for a child or tracee to change state.
func waitFor(t *testing.T, pid, options int) unix.WaitStatus {
	t.Helper()
	var status unix.WaitStatus
	for {
		got, err := unix.Wait4(pid, &status, options, nil)
		if err == unix.EINTR {
			continue
		}
		require.NoError(t, err)
		require.Equal(t, pid, got)
		return status
	}
}

// A stopped process counts as frozen. SIGCONT ends the stop, and nothing else.
func TestFreezerStopped(t *testing.T) {
	c, s := newCgroup(t), newSpinners(t)
	c.write("cgroup.procs", s.pid())
	require.NoError(t, unix.Kill(s.pid(), unix.SIGSTOP))
	require.True(t, waitFor(t, s.pid(), unix.WUNTRACED).Stopped())
	c.freeze()
	require.Equal(t, "T", state(t, s.pid()))
	require.NoError(t, unix.Kill(s.pid(), unix.SIGCONT))
	require.True(t, waitFor(t, s.pid(), unix.WCONTINUED).Continued())
	requireSleeps(t, s.pid())
	s.stand()
	require.True(t, c.is("frozen 1"))
	c.thaw()
	s.run()

	// It stays stopped when only the freezer releases it.
	require.NoError(t, unix.Kill(s.pid(), unix.SIGSTOP))
	require.True(t, waitFor(t, s.pid(), unix.WUNTRACED).Stopped())
	c.freeze()
	c.thaw()
	require.Equal(t, "T", state(t, s.pid()))
	require.NoError(t, unix.Kill(s.pid(), unix.SIGCONT))
	s.run()
}

// A frozen process can be traced without getting to run.
func TestFreezerPtrace(t *testing.T) {
	// Only the tracing thread can make requests.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c, p := newCgroup(t), remote.NewProcess(t)
	c.write("cgroup.procs", p.PID())
	c.freeze()
	require.NoError(t, unix.PtraceSeize(p.PID()))
	require.NoError(t, unix.PtraceInterrupt(p.PID()))
	require.True(t, waitFor(t, p.PID(), unix.WUNTRACED).Stopped())
	require.Equal(t, "t", state(t, p.PID()))
	c.await("frozen 1")
	var regs unix.PtraceRegs
	require.NoError(t, unix.PtraceGetRegs(p.PID(), &regs))
	require.NoError(t, unix.PtraceDetach(p.PID()))
	requireSleeps(t, p.PID())
	c.await("frozen 1")
	c.thaw()
	p.Must(t, unix.SYS_GETPID)
}

// A process that moves to a frozen cgroup freezes, and one that moves out continues.
func TestFreezerMigrate(t *testing.T) {
	root := newCgroup(t)
	frozen, other, free := root.child("frozen"), root.child("other"), root.child("free")
	s := newSpinners(t)
	free.write("cgroup.procs", s.pid())
	frozen.write("cgroup.freeze", 1)
	other.write("cgroup.freeze", 1)
	require.True(t, frozen.is("frozen 1"), "an empty cgroup is frozen at once")

	frozen.write("cgroup.procs", s.pid())
	frozen.await("frozen 1")
	s.stand()
	other.write("cgroup.procs", s.pid())
	other.await("frozen 1")
	require.Equal(t, "populated 0\nfrozen 1", frozen.read("cgroup.events"))
	s.stand()
	free.write("cgroup.procs", s.pid())
	require.Equal(t, "populated 0\nfrozen 1", other.read("cgroup.events"))
	require.Equal(t, "populated 1\nfrozen 0", free.read("cgroup.events"))
	s.run()
}

// A process created in a frozen cgroup does nothing before the thaw.
func TestFreezerClone(t *testing.T) {
	c, p := newCgroup(t), remote.NewProcess(t)
	c.freeze()
	dir, err := unix.Open(c.dir, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(dir)
	*remote.Struct[cloneArgs](p.Scratch()) = cloneArgs{
		Flags: unix.CLONE_INTO_CGROUP, ExitSignal: uint64(unix.SIGCHLD), Cgroup: uint64(p.SendFD(t, dir)),
	}
	child := int(p.Must(t, unix.SYS_CLONE3, p.Scratch(), unsafe.Sizeof(cloneArgs{})))
	c.await("populated 1")
	c.await("frozen 1")
	require.Equal(t, []int{child}, c.ids("cgroup.procs"))
	requireSleeps(t, child)
	// It would answer in its parent's place that its system call returned 0.
	for range 20 {
		require.EqualValues(t, p.PID(), p.Must(t, unix.SYS_GETPID))
	}
	c.write("cgroup.kill", 1)
	c.await("populated 0")
	c.await("frozen 1")
}

// cloneArgs is struct clone_args.
type cloneArgs struct {
	Flags, Pidfd, ChildTID, ParentTID, ExitSignal, Stack, StackSize, TLS, SetTID, SetTIDSize, Cgroup uint64
}

// A cgroup is frozen with its ancestors, and only if everything in it is.
func TestFreezerHierarchy(t *testing.T) {
	a := newCgroup(t)
	b := a.child("b")
	d := b.child("d")
	s := newSpinners(t)
	d.write("cgroup.procs", s.pid())
	a.freeze()
	for _, c := range []cgroup{b, d} {
		require.Equal(t, "0", c.read("cgroup.freeze"))
		require.True(t, c.is("frozen 1"))
	}
	s.stand()

	// A child can freeze itself, too, and stays frozen.
	b.write("cgroup.freeze", 1)
	a.thaw()
	require.True(t, b.is("frozen 1"))
	require.True(t, d.is("frozen 1"))
	s.stand()

	// A new one is like its parent.
	e := b.child("e")
	require.Equal(t, "0", e.read("cgroup.freeze"))
	require.True(t, e.is("frozen 1"))
	require.True(t, b.is("frozen 1"))
	require.True(t, a.is("frozen 0"))

	// Its parent is frozen again once it is gone.
	a.freeze()
	e.remove()
	require.True(t, b.is("frozen 1"))
	require.True(t, a.is("frozen 1"))

	a.thaw()
	b.thaw()
	require.True(t, d.is("frozen 0"))
	s.run()
}

// Whoever waits for a change is notified, even of one that makes no difference.
func TestFreezerEvents(t *testing.T) {
	parent := newCgroup(t)
	c := parent.child("child")
	e, up := c.events(), parent.events()
	defer e.close()
	defer up.close()
	inotify, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	require.NoError(t, err)
	defer unix.Close(inotify)
	_, err = unix.InotifyAddWatch(inotify, filepath.Join(c.dir, "cgroup.events"), unix.IN_MODIFY)
	require.NoError(t, err)
	notified := func() {
		t.Helper()
		buf := make([]byte, unix.SizeofInotifyEvent)
		require.Eventually(t, func() bool {
			n, err := unix.Read(inotify, buf)
			return err == nil && n == unix.SizeofInotifyEvent
		}, freezerTimeout, time.Millisecond)
		mask := (*unix.InotifyEvent)(unsafe.Pointer(&buf[0])).Mask
		require.EqualValues(t, unix.IN_MODIFY, mask)
	}

	for _, change := range []struct {
		c             cgroup
		freeze        int
		child, parent string
		parentChanges bool
	}{
		{c, 1, "frozen 1", "frozen 0", false},
		{parent, 1, "frozen 1", "frozen 1", true},
		// Without a difference.
		{c, 0, "frozen 1", "frozen 1", false},
		{c, 1, "frozen 1", "frozen 1", false},
	} {
		e.read("")
		up.read("")
		require.False(t, e.changed(0))
		change.c.write("cgroup.freeze", change.freeze)
		if change.c == c {
			require.True(t, e.changed(freezerTimeout))
			notified()
		}
		require.Equal(t, change.parentChanges, up.changed(0))
		require.True(t, e.read(change.child))
		require.True(t, up.read(change.parent))
	}
	// Setting the present state is no change.
	c.write("cgroup.freeze", 1)
	require.False(t, e.changed(0))
}

func TestFreezerInvalid(t *testing.T) {
	root := rootCgroup(t)
	c := root.child("test")
	require.Equal(t, unix.ENOENT, root.try("cgroup.freeze", "1"))
	for value, want := range map[string]unix.Errno{
		"2": unix.ERANGE, "-1": unix.ERANGE, "99999999999": unix.ERANGE, "x": unix.EINVAL, "1 0": unix.EINVAL, "\n": unix.EINVAL,
	} {
		require.Equal(t, want, c.try("cgroup.freeze", value), "%q", value)
	}
	require.Equal(t, "0", c.read("cgroup.freeze"))
	c.write("cgroup.freeze", " 1 \n")
	require.Equal(t, "1", c.read("cgroup.freeze"))

	fd, err := unix.Open(filepath.Join(c.dir, "cgroup.freeze"), unix.O_RDWR|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	require.NoError(t, os.Remove(c.dir))
	_, err = unix.Write(fd, []byte("0"))
	require.Equal(t, unix.ENODEV, err)
}

// Processes start, move, are killed and exit while cgroups are frozen and thawed: in the
// end all counts are right.
func TestFreezerStorm(t *testing.T) {
	root := newCgroup(t)
	cgroups := []cgroup{root.child("a"), root.child("b")}
	cgroups = append(cgroups, cgroups[0].child("c"))
	var stop atomic.Bool
	var busy sync.WaitGroup
	for i := range 3 {
		busy.Add(1)
		go func() {
			defer busy.Done()
			for round := 0; !stop.Load(); round++ {
				cmd, err := startChild(spinnersEnv + "=/nowhere")
				if err != nil {
					t.Errorf("starting a child: %v", err)
					return
				}
				pid := strconv.Itoa(cmd.Process.Pid)
				for j := range 4 {
					// It may have exited.
					_ = cgroups[(i+j+round)%len(cgroups)].try("cgroup.procs", pid)
				}
				if round%2 == 0 {
					cmd.Process.Kill()
				} else {
					_ = root.try("cgroup.procs", pid)
					_ = cgroups[i].try("cgroup.procs", pid)
				}
				for _, c := range cgroups {
					_ = c.try("cgroup.freeze", strconv.Itoa(round%2))
				}
				cmd.Process.Kill()
				cmd.Wait()
			}
		}()
	}
	for i := range 100 {
		c := append(cgroups, root)[i%4]
		c.write("cgroup.freeze", 1)
		c.write("cgroup.freeze", 0)
	}
	stop.Store(true)
	busy.Wait()
	for _, c := range append(cgroups, root) {
		c.await("populated 0")
		c.write("cgroup.freeze", 1)
		require.Equal(t, "populated 0\nfrozen 1", c.read("cgroup.events"))
		c.write("cgroup.freeze", 0)
	}
	for _, c := range append(cgroups, root) {
		require.Equal(t, "populated 0\nfrozen 0", c.read("cgroup.events"), c.dir)
	}
}
