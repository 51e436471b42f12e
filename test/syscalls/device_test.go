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

// Each device can be opened with any of the usual flags, and is the driver.
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

// The device has nothing to read(2) or write(2), and no position.
func TestNotAStream(t *testing.T) {
	p := newProcess(t)
	for name, call := range map[string]uintptr{"read": unix.SYS_READ, "write": unix.SYS_WRITE} {
		_, err := p.Call(t, call, uintptr(p.fd), p.Scratch(), 8)
		require.Equal(t, unix.EINVAL, err, name)
	}
}

// The devices' contexts have nothing to do with each other: each has its own
// manager, and a call to handle 0 goes to the one of the caller's device.
//
//covers:contexts
func TestContexts(t *testing.T) {
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

// A process that opens the device twice is two processes to the driver. A
// handle of the one is not a handle of the other.
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

// A child has its parent's descriptors. Through one of them it is a thread of
// the parent as far as the driver is concerned.
//
//covers:inherit
func TestForkedChildTalks(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	h := server.give(client, 0x1000, 0)
	child := client.fork()
	if differs(t, "only the process that opened the device may use it") {
		require.Equal(t, unix.EINVAL, child.writeRead(0, bcEnterLooper).err)
		return
	}
	child.write(bcEnterLooper)
	request, _ := child.call(server.thread, bcTransaction{handle: h}, nil)
	require.Equal(t, client.pid(), request.pid)
}

// A process that is given the descriptor over a socket may use it as a child
// may.
//
//covers:inherit
func TestDescriptorOverSocket(t *testing.T) {
	server, client, other := newManager(t), newProcess(t), newBareProcess(t)
	h := server.give(client, 0x1000, 0)
	fd := client.TakeFD(t, client.fd)
	other.fd = other.SendFD(t, fd)
	unix.Close(fd)
	if differs(t, "only the process that opened the device may use it") {
		require.Equal(t, unix.EINVAL, other.writeRead(0, bcEnterLooper).err)
		return
	}
	other.write(bcTransaction{handle: h, flags: oneWay})
	server.expect(brNoop, &message{ptr: 0x1000, flags: oneWay})
}

// The closing of any duplicate of the descriptor, also by a process that
// merely ends, makes each thread return from its next or current read.
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
	} {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t)
			reader, later := p.newLooper(), p.newLooper()
			reader.startRead()
			flush(p)
			reader.finishExpect(brNoop)
			if differs(t, "only who waits returns") {
				later.startRead()
				later.AwaitBlocked(t)
				return
			}
			later.expect(brNoop)
		})
	}
}
