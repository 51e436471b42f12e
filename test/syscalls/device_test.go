// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:open
package syscalls

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
)

var devices = []string{"/dev/binder", "/dev/hwbinder", "/dev/vndbinder"}

// Each device can be opened with any of the usual flags, and works.
func TestOpen(t *testing.T) {
	for _, device := range devices {
		for name, flags := range map[string]int{
			"read-write":    unix.O_RDWR,
			"read-only":     unix.O_RDONLY,
			"close-on-exec": unix.O_RDWR | unix.O_CLOEXEC,
			"non-blocking":  unix.O_RDWR | unix.O_NONBLOCK,
		} {
			t.Run(device+" "+name, func(t *testing.T) {
				p := newBareProcess(t)
				p.fd = p.open(device, flags)
				version, err := p.ioctlBytes(binder.BINDER_VERSION, make([]byte, 4))
				require.NoError(t, err)
				require.EqualValues(t, words(binder.BINDER_CURRENT_PROTOCOL_VERSION), version)
			})
		}
	}
}

// Flags of open(2) have the same meaning as for other files; flags that can't apply are
// refused.
func TestOpenFlags(t *testing.T) {
	for name, tc := range map[string]struct {
		flags         int
		openErr, mmap error
	}{
		"write-only":        {flags: unix.O_WRONLY, mmap: unix.EACCES},
		"neither":           {flags: unix.O_ACCMODE, mmap: unix.EACCES},
		"append":            {flags: unix.O_RDWR | unix.O_APPEND},
		"truncate":          {flags: unix.O_RDWR | unix.O_TRUNC},
		"create":            {flags: unix.O_RDWR | unix.O_CREAT},
		"create, exclusive": {flags: unix.O_RDWR | unix.O_CREAT | unix.O_EXCL, openErr: unix.EEXIST},
		"asynchronous":      {flags: unix.O_RDWR | unix.O_ASYNC},
		"no access time":    {flags: unix.O_RDWR | unix.O_NOATIME},
		"directory":         {flags: unix.O_RDONLY | unix.O_DIRECTORY, openErr: unix.ENOTDIR},
		"direct":            {flags: unix.O_RDWR | unix.O_DIRECT, openErr: unix.EINVAL},
	} {
		t.Run(name, func(t *testing.T) {
			p := newBareProcess(t)
			fd, err := p.tryOpen(defaultDevice, tc.flags)
			require.Equal(t, tc.openErr, err)
			if err != nil {
				return
			}
			p.fd = fd
			_, err = p.tryMmap(fd, mapSize, unix.PROT_READ, unix.MAP_PRIVATE)
			require.Equal(t, tc.mmap, err)
			// An ioctl requires no access to the file.
			p.write(bcEnterLooper)
		})
	}
}

// A descriptor that only names the device can't be used.
func TestOpenPath(t *testing.T) {
	p := newBareProcess(t)
	p.fd = p.open(defaultDevice, unix.O_PATH)
	_, err := p.tryMmap(p.fd, mapSize, unix.PROT_READ, unix.MAP_PRIVATE)
	require.Equal(t, unix.EBADF, err)
	require.Equal(t, unix.EBADF, p.ioctl(binder.BINDER_VERSION, p.Scratch()))
}

// Each device can be opened by any user.
func TestOpenAsOrdinaryUser(t *testing.T) {
	for _, device := range devices {
		t.Run(device, func(t *testing.T) {
			p := newBareProcess(t)
			p.setUser(1000)
			p.open(device, unix.O_RDWR)
		})
	}
}

// Each device is a character device.
func TestStat(t *testing.T) {
	for _, device := range devices {
		var st unix.Stat_t
		require.NoError(t, unix.Stat(device, &st))
		require.EqualValues(t, unix.S_IFCHR|0o666, st.Mode, "%s: %#o", device, st.Mode)
	}
}

// The device supports neither read(2) nor write(2), and has no position.
func TestNotAStream(t *testing.T) {
	p := newProcess(t)
	for name, call := range map[string]uintptr{"read": unix.SYS_READ, "write": unix.SYS_WRITE} {
		_, err := p.Call(t, call, uintptr(p.fd), p.Scratch(), 8)
		require.Equal(t, unix.EINVAL, err, name)
	}
}

// Nor does it support other files' operations.
func TestNotAFile(t *testing.T) {
	p := newProcess(t)
	fd, at := uintptr(p.fd), p.Scratch()
	for name, tc := range map[string]struct {
		want error
		call []uintptr
	}{
		"lseek":     {unix.ESPIPE, []uintptr{unix.SYS_LSEEK, fd, 0, unix.SEEK_SET}},
		"pread":     {unix.EINVAL, []uintptr{unix.SYS_PREAD64, fd, at, 8, 0}},
		"ftruncate": {unix.EINVAL, []uintptr{unix.SYS_FTRUNCATE, fd, 0}},
		"fsync":     {unix.EINVAL, []uintptr{unix.SYS_FSYNC, fd}},
		"fallocate": {unix.ENODEV, []uintptr{unix.SYS_FALLOCATE, fd, 0, 0, 4096}},
		"getdents":  {unix.ENOTDIR, []uintptr{unix.SYS_GETDENTS64, fd, at, 1000}},
		"sendfile":  {unix.EINVAL, []uintptr{unix.SYS_SENDFILE, fd, fd, 0, 10}},
		"FIONREAD":  {unix.EINVAL, []uintptr{unix.SYS_IOCTL, fd, unix.TIOCINQ, at}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := p.Call(t, tc.call[0], tc.call[1:]...)
			require.Equal(t, tc.want, err)
		})
	}
}

// The devices' contexts are separate.
//
//covers:contexts
func TestContexts(t *testing.T) { requireContexts(t, devices...) }

// requireContexts checks that each device has its own manager, and that a call to handle 0
// goes to that of the caller's device.
func requireContexts(t *testing.T, devices ...string) {
	t.Helper()
	var servers []*process
	for _, device := range devices {
		server := newBareProcess(t)
		server.connect(device)
		server.becomeManager()
		servers = append(servers, server)
	}
	for i, device := range devices {
		client := newBareProcess(t)
		client.connect(device)
		request, _ := client.call(servers[i].thread, bcTransaction{code: uint32(i)}, nil)
		require.EqualValues(t, i, request.code)
	}
}

// One process can be the manager of all of them, and its nodes are separate even at the
// same addresses.
//
//covers:contexts
func TestManagerOfAllContexts(t *testing.T) {
	server := newBareProcess(t)
	for i, device := range devices {
		server.connect(device)
		server.becomeManager()
		client := newBareProcess(t)
		client.connect(device)
		require.EqualValues(t, 1, server.give(client, 0x10, uint64(i)))
		client.write(bcTransaction{handle: 1, code: uint32(i), flags: oneWay})
		server.expect(brNoop, &message{ptr: 0x10, cookie: uint64(i), code: uint32(i), flags: oneWay})
	}
}

// A device's handles mean nothing to another device.
//
//covers:contexts,handles
func TestHandleOfAnotherContext(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	h := server.give(client, 0x10, 0)
	other := newBareProcess(t)
	other.connect("/dev/hwbinder")
	other.becomeManager()
	client.connect("/dev/hwbinder")
	client.write(bcTransaction{handle: h})
	client.expect(brNoop, brFailedReply)
	client.write(bcTransaction{flags: oneWay, payload: payload{handle(h)}})
	client.expect(brNoop, brFailedReply)
	other.expectNothing()
}

// A context without a manager has no handle 0.
//
//covers:contexts,failures
func TestContextWithoutManager(t *testing.T) {
	newManager(t)
	client := newBareProcess(t)
	client.connect("/dev/hwbinder")
	client.write(bcTransaction{})
	client.expect(brNoop, brDeadReply)
}

// A process that opens the device twice is two processes to the driver. A handle of one
// is not valid for the other.
func TestOpenTwice(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	again := client.again()
	h := server.give(client, 0x1000, 0)
	again.write(bcTransaction{handle: h})
	again.expect(brNoop, brFailedReply)
	client.call(server.thread, bcTransaction{handle: h}, nil)
}

// Two opens of one process can talk to each other.
func TestOpenTwiceTalk(t *testing.T) {
	server, one := newManager(t), newProcess(t)
	two := one.again()
	twoThread := &thread{Thread: one.remote.NewThread(t), t: t, p: two}
	twoThread.write(bcEnterLooper)

	// One gives the manager a node, the manager gives it to two.
	one.start(readSize, bcTransaction{payload: payload{node(0x10, 0x20)}})
	request := server.read().message(t)
	server.write(bcReply{})
	server.expect(brNoop, brTransactionComplete)
	one.finish().ok(t)

	twoThread.start(readSize, bcTransaction{code: 2})
	server.read()
	server.write(bcReply{payload: payload{handle(request.handle(0))}})
	server.expect(brNoop, brTransactionComplete)
	h := twoThread.finish().ok(t).message(t).handle(0)

	twoThread.start(readSize, bcTransaction{handle: h, code: 5})
	one.expect(brNoop, &message{ptr: 0x10, cookie: 0x20, code: 5, pid: one.pid()})
	one.write(bcReply{})
	one.expect(brNoop, brTransactionComplete)
	twoThread.finish().ok(t).message(t)
}

// A duplicate of the descriptor is the same open file.
//
//covers:inherit
func TestDup(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	h := server.give(client, 0x1000, 0)
	fd := client.fd
	client.fd = int(client.Must(t, unix.SYS_DUP, uintptr(fd)))
	client.call(server.thread, bcTransaction{handle: h}, nil)
}

// A child has its parent's descriptors, but can only use devices that it opened itself.
// In C it is a thread of its parent.
//
//covers:inherit
func TestForkedChildTalks(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	h := server.give(client, 0x1000, 0)
	child := client.fork()
	if !differs(t, onOpener) {
		require.Equal(t, unix.EINVAL, child.writeRead(0, bcEnterLooper).err)
		child.connect(defaultDevice)
		child.write(bcTransaction{flags: oneWay})
		server.expect(brNoop, &message{flags: oneWay})
		return
	}
	child.write(bcEnterLooper)
	request, _ := child.call(server.thread, bcTransaction{handle: h}, nil)
	require.Equal(t, client.pid(), request.pid)
}

// A child's requests that would make it a thread of its parent are refused; those that
// only query, or concern other processes, are not.
//
//covers:inherit
func TestForkedChildRequests(t *testing.T) {
	p := newProcess(t)
	child := p.fork()
	_, err := child.ioctlBytes(binder.BINDER_VERSION, make([]byte, 4))
	require.NoError(t, err)
	if !differs(t, onOpener) {
		freeze := words(uint32(p.pid()), 0, 0).encode()
		for request, arg := range map[uintptr][]byte{
			binder.BINDER_GET_NODE_DEBUG_INFO: make([]byte, 24),
			binder.BINDER_FREEZE:              freeze,
			binder.BINDER_GET_FROZEN_INFO:     freeze,
		} {
			_, err := child.ioctlBytes(request, arg)
			require.NoError(t, err, "request %#x", request)
		}
		_, err := child.ioctlBytes(binder.BINDER_GET_NODE_INFO_FOR_REF, make([]byte, 24))
		require.Equal(t, unix.EPERM, err, "the parent is not the manager")
		for _, request := range []uintptr{
			binder.BINDER_WRITE_READ, binder.BINDER_SET_MAX_THREADS, binder.BINDER_SET_CONTEXT_MGR, binder.BINDER_SET_CONTEXT_MGR_EXT,
			binder.BINDER_THREAD_EXIT, binder.BINDER_ENABLE_ONEWAY_SPAM_DETECTION, binder.BINDER_GET_EXTENDED_ERROR, 0x1234,
		} {
			require.Equal(t, unix.EINVAL, child.ioctl(request, child.Scratch()), "request %#x", request)
			require.Equal(t, unix.EINVAL, child.ioctl(request, badAddress), "request %#x", request)
		}
		require.EqualValues(t, unix.POLLERR, child.poll(allEvents))
		return
	}
	max, err := child.ioctlBytes(binder.BINDER_SET_MAX_THREADS, words(1).encode())
	require.NoError(t, err)
	require.EqualValues(t, words(1), max)
	child.write(bcEnterLooper)
	child.becomeManager()
	require.Equal(t, unix.EBUSY, p.ioctl(binder.BINDER_SET_CONTEXT_MGR, 0))
	client := newProcess(t)
	client.write(bcTransaction{flags: oneWay})
	// What it receives is in its parent's memory.
	require.EqualValues(t, unix.POLLIN, child.poll(allEvents))
	p.expect(brSpawnLooper, &message{flags: oneWay})
	require.Zero(t, child.poll(allEvents))
	require.NoError(t, child.ioctl(binder.BINDER_THREAD_EXIT, 0))
	child.kill()
	client.expect(brNoop, brTransactionComplete)
}

// It does not matter whether the process that opened the device has ended. In C, calls by
// its child then have no sender.
//
//covers:inherit
func TestForkedChildOutlivesOpener(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	h := server.give(client, 0x1000, 0)
	child := client.fork()
	client.kill()
	if !differs(t, onOpener) {
		require.Equal(t, unix.EINVAL, child.writeRead(0, bcEnterLooper).err)
		return
	}
	child.write(bcTransaction{handle: h})
	require.Zero(t, server.read().message(t).pid)
}

// A process that receives the descriptor over a socket can use it no more than a child
// can.
//
//covers:inherit
func TestDescriptorOverSocket(t *testing.T) {
	server, client, other := newManager(t), newProcess(t), newBareProcess(t)
	h := server.give(client, 0x1000, 0)
	fd := client.TakeFD(t, client.fd)
	other.fd = other.SendFD(t, fd)
	unix.Close(fd)
	if !differs(t, onOpener) {
		require.Equal(t, unix.EINVAL, other.writeRead(0, bcEnterLooper).err)
		return
	}
	other.write(bcTransaction{handle: h, flags: oneWay})
	server.expect(brNoop, &message{ptr: 0x1000, flags: oneWay})
}

// Closing any duplicate of the descriptor, even by a process's exit, makes each thread
// return from its next or current read.
//
//covers:close
func TestFlush(t *testing.T) {
	for name, flush := range map[string]func(p *process){
		"close of a duplicate": func(p *process) {
			p.close(int(p.Must(p.t, unix.SYS_DUP, uintptr(p.fd))))
		},
		"death of a child": func(p *process) {
			p.fork().kill()
		},
		"exec by a child, of a descriptor that it closes": func(p *process) {
			child := p.fork()
			child.Must(p.t, unix.SYS_FCNTL, uintptr(p.fd), unix.F_SETFD, unix.FD_CLOEXEC)
			child.remote.Exec(p.t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t)
			reader, later := p.newLooper(), p.newLooper()
			reader.startRead()
			flush(p)
			reader.finishExpect(brNoop)
			if differs(t, onFlush) {
				later.startRead()
				later.AwaitBlocked(t)
				return
			}
			later.expect(brNoop)
		})
	}
}

// An exec that keeps the descriptor open closes nothing.
//
//covers:close,inherit
func TestExecKeepsDescriptor(t *testing.T) {
	p := newProcess(t)
	reader := p.newLooper()
	reader.startRead()
	child := p.fork()
	child.Must(t, unix.SYS_FCNTL, uintptr(p.fd), unix.F_SETFD, 0)
	child.remote.Exec(t)
	reader.AwaitBlocked(t)
	child.kill()
	reader.finishExpect(brNoop)
}
