// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package android

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/test/syscalls/remote"
)

// path returns the path of a file below the root that init would see, and creates its
// directory.
func (b *boot) path(elem ...string) string {
	path := filepath.Join(append([]string{b.root}, elem...)...)
	require.NoError(b, os.MkdirAll(filepath.Dir(path), 0o755))
	return path
}

// mkdir creates a directory below the root.
func (b *boot) mkdir(elem ...string) string {
	path := b.path(elem...)
	require.NoError(b, os.MkdirAll(path, 0o755))
	return path
}

// closing closes a descriptor at the end of the step.
func (b *boot) closing(fd int, err error) (int, error) {
	if err == nil {
		b.Cleanup(func() { unix.Close(fd) })
	}
	return fd, err
}

func (b *boot) open(path string, flags int) (int, error) {
	return b.closing(unix.Open(path, flags|unix.O_CLOEXEC, 0))
}

// mount mounts a file system on dir, until the end of the step.
func (b *boot) mount(source, dir, fsType string, flags uintptr, options string) error {
	err := unix.Mount(source, dir, fsType, flags, options)
	if err == nil {
		b.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	}
	return err
}

// read returns the contents of a file in /proc or /sys.
func read(path string) (string, error) {
	data, err := os.ReadFile(path)
	return strings.TrimSpace(string(data)), err
}

// write writes to a file in /proc or /sys with one call, as such files require.
func write(path, value string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(value))
	return err
}

// readable requires that a file, or a line in it, begins with each of wants.
func readable(path string, wants ...string) error {
	text, err := read(path)
	if err != nil {
		return err
	}
	for _, want := range wants {
		if !strings.Contains("\n"+text, "\n"+want) {
			return fmt.Errorf("has no %q", want)
		}
	}
	return nil
}

// or returns the error of a call, or what is wrong with its result.
func or(err, wrong error) error {
	if err != nil {
		return err
	}
	return wrong
}

// first returns the first error.
func first(fs ...func() error) error {
	for _, f := range fs {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// inThread runs f in a thread that then exits, for what can't be undone.
func inThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	return <-done
}

// patience is how long a step waits for what should happen immediately.
const patience = 10 * time.Second

// await waits until a descriptor is ready.
func await(fd int, events int16) error {
	ready, err := readyWithin(fd, events, patience)
	if err == nil && !ready {
		err = errors.New("is not ready")
	}
	return err
}

// readyWithin returns whether a descriptor becomes ready within a time.
func readyWithin(fd int, events int16, limit time.Duration) (bool, error) {
	for deadline := time.Now().Add(limit); ; {
		left := max(time.Until(deadline), 0)
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, int((left+time.Millisecond-1)/time.Millisecond))
		if err != unix.EINTR {
			return n > 0, err
		}
	}
}

// eventually waits until f, which checks a state in progress, returns true.
func eventually(f func() (bool, error)) error {
	for deadline := time.Now().Add(patience); ; {
		ok, err := f()
		if ok || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return errors.New("does not happen")
		}
		unix.Nanosleep(&unix.Timespec{Nsec: 1_000_000}, nil)
	}
}

// call makes a system call.
func call(nr uintptr, args ...uintptr) (uintptr, error) {
	var a [6]uintptr
	copy(a[:], args)
	r, _, errno := unix.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	if errno != 0 {
		return 0, errno
	}
	return r, nil
}

// A process is a separate process, which makes system calls for the step.
type process struct {
	b *boot
	*remote.Process
}

func (b *boot) process() process {
	return process{b, remote.NewProcess(b)}
}

// call makes a system call there.
func (p process) call(nr uintptr, args ...uintptr) (uintptr, error) {
	return p.Call(p.b, nr, args...)
}

// do is call for system calls without a result.
func (p process) do(nr uintptr, args ...uintptr) error {
	_, err := p.call(nr, args...)
	return err
}

// text returns the address of a string there.
func (p process) text(s string) uintptr {
	addr := remote.Alloc(p.b, len(s)+1)
	copy(remote.Bytes(addr, len(s)), s)
	return addr
}

// words returns the address of 32-bit numbers there.
func (p process) words(numbers ...uint32) uintptr {
	addr := remote.Alloc(p.b, 4*len(numbers))
	for i, n := range numbers {
		*remote.Struct[uint32](addr + uintptr(4*i)) = n
	}
	return addr
}

// mount mounts a file system as the process sees it.
func (p process) mount(source, dir, fsType string, flags uintptr) error {
	return p.do(unix.SYS_MOUNT, p.text(source), p.text(dir), p.text(fsType), flags, 0)
}

// exists returns whether the process sees a file.
func (p process) exists(path string) (bool, error) {
	err := p.do(unix.SYS_FACCESSAT, ^uintptr(99), p.text(path), unix.F_OK)
	if err == unix.ENOENT {
		return false, nil
	}
	return err == nil, err
}

// opened opens a file there.
func (p process) opened(path string, flags int) (uintptr, error) {
	return p.call(unix.SYS_OPENAT, ^uintptr(99), p.text(path), uintptr(flags|unix.O_CLOEXEC), 0)
}

// has requires values of fields, each field followed by its value, in the process's
// /proc/PID/status.
func (p process) has(fields ...string) error {
	text, err := read(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return err
	}
	got := make(map[string]string)
	for line := range strings.Lines(text) {
		field, value, _ := strings.Cut(line, ":")
		got[field] = strings.TrimSpace(value)
	}
	for i := 0; i < len(fields); i += 2 {
		if value := got[fields[i]]; value != fields[i+1] {
			return in(fields[i], fmt.Errorf("is %q", value))
		}
	}
	return nil
}

// pointer returns the address of a variable for a system call. The variable stays
// where it is.
func pointer[T any](v *T) uintptr {
	kept = append(kept, v)
	return uintptr(unsafe.Pointer(v))
}

// kept keeps variables on the heap.
var kept []any
