// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:identity
package syscalls

import (
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
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

// A process id is that which the receiver's namespace has for the sender.
func TestSenderInAnotherNamespace(t *testing.T) {
	server, outer := newManager(t), newBareProcess(t)
	outer.Must(t, unix.SYS_UNSHARE, unix.CLONE_NEWPID)
	inner := wrap(t, outer.remote.Fork(t))
	require.EqualValues(t, 1, inner.Must(t, unix.SYS_GETPID))
	inner.connect(defaultDevice)
	inner.start(readSize, bcTransaction{})
	server.expect(brNoop, &message{pid: inner.pid()})
	server.write(bcReply{})
	inner.finish().ok(t)
}

// A sender that the receiver's namespace does not have is 0.
func TestSenderOutsideTheNamespace(t *testing.T) {
	client, outer := newProcess(t), newBareProcess(t)
	outer.Must(t, unix.SYS_UNSHARE, unix.CLONE_NEWPID)
	inner := wrap(t, outer.remote.Fork(t))
	inner.connect(defaultDevice)
	inner.becomeManager()
	client.start(readSize, bcTransaction{code: 1})
	inner.expect(brNoop, &message{code: 1, pid: 0})
	inner.write(bcReply{})
	client.finish().ok(t)
}

// A user id is that which the receiver's namespace has for the sender's, or
// all ones if it has none.
func TestUserInAnotherNamespace(t *testing.T) {
	inner, client := newBareProcess(t), newProcess(t)
	inner.Must(t, unix.SYS_UNSHARE, unix.CLONE_NEWUSER)
	require.NoError(t, os.WriteFile(fmt.Sprintf("/proc/%d/uid_map", inner.pid()), []byte("7 0 1\n"), 0))
	inner.connect(defaultDevice)
	inner.becomeManager()
	client.write(bcTransaction{flags: oneWay})
	got := inner.expect(brNoop, &message{flags: oneWay, euid: 7})
	inner.write(got.message(t).free())
	client.setUser(1000)
	client.write(bcTransaction{flags: oneWay})
	inner.expect(brNoop, &message{flags: oneWay, euid: math.MaxUint32})
}
