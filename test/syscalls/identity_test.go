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

// The receiver of a call gets the caller's process ID, not its thread's, and its
// effective user ID.
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

// The receiver of a one-way transaction gets the user ID.
func TestOneWaySenderIdentity(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.setUser(1000)
	client.write(bcTransaction{flags: oneWay})
	server.expect(brNoop, &message{flags: oneWay, euid: 1000})
}

// The caller gets the replier's user ID, but not the process ID.
func TestReplierIdentity(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.start(readSize, bcTransaction{})
	server.read()
	server.setUser(1000)
	server.write(bcReply{})
	client.finishExpect(brNoop, brTransactionComplete, &message{reply: true, euid: 1000})
}

// The user ID is the process's at the time of the call, not of when it opened the device,
// nor of when the call is received.
func TestSenderIdentityIsThatOfTheCall(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.Must(t, unix.SYS_SETRESUID, ^uintptr(0), 1000, 0)
	client.write(bcTransaction{flags: oneWay})
	client.Must(t, unix.SYS_SETRESUID, ^uintptr(0), 0, 0)
	server.expect(brNoop, &message{flags: oneWay, euid: 1000})
}

// The user ID is that of the calling thread.
func TestSenderIdentityOfAThread(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	th := client.newThread()
	th.setUser(1000)
	th.write(bcTransaction{flags: oneWay})
	server.expect(brNoop, &message{flags: oneWay, euid: 1000})
}

// A process ID is the sender's in the receiver's namespace.
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

// A sender that has no ID in the receiver's namespace is 0.
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

// A user ID is the sender's in the receiver's namespace, or all ones if it has none
// there.
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
