// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"testing"

	"golang.org/x/sys/unix"
)

// The receiver of a call learns the caller's process id, not its thread's, and
// its effective user id.
func TestSenderIdentity(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	th := client.newThread()
	th.start(readSize, bcTransaction{})
	server.expect(brNoop, &message{pid: client.pid()})
	server.write(bcReply{})
	th.finish().ok(t)

	// Real, effective, saved.
	client.Must(t, unix.SYS_SETRESUID, 1000, 2000, 3000)
	client.start(readSize, bcTransaction{})
	server.expect(brNoop, brTransactionComplete)
	server.expect(brNoop, &message{pid: client.pid(), euid: 2000})
}

// The receiver of a one-way transaction learns the user id.
func TestOneWaySenderIdentity(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.setUser(1000)
	client.write(bcTransaction{flags: oneWay})
	server.expect(brNoop, &message{flags: oneWay, euid: 1000})
}

// The caller learns the user id of who replies, but not the process id.
func TestReplierIdentity(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.start(readSize, bcTransaction{})
	server.read()
	server.setUser(1000)
	server.write(bcReply{})
	client.finishExpect(brNoop, brTransactionComplete, &message{reply: true, euid: 1000})
}

// The user id is that of the process when it calls, not of when it opened the
// device, and not of when the call is received.
func TestSenderIdentityIsThatOfTheCall(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.Must(t, unix.SYS_SETRESUID, ^uintptr(0), 1000, 0)
	client.write(bcTransaction{flags: oneWay})
	client.Must(t, unix.SYS_SETRESUID, ^uintptr(0), 0, 0)
	server.expect(brNoop, &message{flags: oneWay, euid: 1000})
}

// The user id is that of the thread that calls.
func TestSenderIdentityOfAThread(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	th := client.newThread()
	th.setUser(1000)
	th.write(bcTransaction{flags: oneWay})
	server.expect(brNoop, &message{flags: oneWay, euid: 1000})
}
