// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:manager
package syscalls

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
)

// A context has one manager.
func TestSecondManager(t *testing.T) {
	manager, other := newManager(t), newProcess(t)
	require.Equal(t, unix.EBUSY, other.ioctl(binder.BINDER_SET_CONTEXT_MGR, 0))
	require.Equal(t, unix.EBUSY, manager.ioctl(binder.BINDER_SET_CONTEXT_MGR, 0))
}

// The manager's node has the given pointer and cookie.
func TestManagerNode(t *testing.T) {
	manager, client := newProcess(t), newProcess(t)
	manager.becomeManagerWith(node(0x1234, 0x5678))
	client.write(bcTransaction{flags: binder.TF_ONE_WAY})
	manager.expect(brNoop, &message{ptr: 0x1234, cookie: 0x5678, flags: binder.TF_ONE_WAY})
}

// Without the extended request they are zero. So are the references: the manager is not
// told of them.
func TestManagerNodeByDefault(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	client.write(bcTransaction{flags: binder.TF_ONE_WAY}, bcIncrefs(0), bcAcquire(0))
	manager.expect(brNoop, &message{flags: binder.TF_ONE_WAY})
	manager.expectNothing()
}

// The type of the extended request's object is ignored.
func TestManagerNodeOfAnyType(t *testing.T) {
	newProcess(t).becomeManagerWith(object{Type: 0x1234, Binder: 1})
}

// Handle 0 goes away with the manager, and works again with the next one.
//
//covers:manager,ends
func TestManagerGoneAndBack(t *testing.T) {
	first, client := newManager(t), newProcess(t)
	client.call(first.thread, bcTransaction{}, nil)
	first.kill()
	second := newManager(t)
	client.write(bcTransaction{code: 1, flags: binder.TF_ONE_WAY})
	second.expect(brNoop, &message{code: 1, flags: binder.TF_ONE_WAY})
	client.expect(brNoop, brTransactionComplete)
}

// Handle 0 refers to the present manager even for a process that still holds references
// to the previous one.
func TestManagerGoneWhileReferenced(t *testing.T) {
	first, client := newManager(t), newProcess(t)
	client.write(bcIncrefs(0), bcAcquire(0))
	first.kill()
	second := newManager(t)
	client.write(bcTransaction{code: 1, flags: binder.TF_ONE_WAY})
	second.expect(brNoop, &message{code: 1, flags: binder.TF_ONE_WAY})
}

// The manager cannot call itself through handle 0.
//
//covers:manager,nested
func TestManagerCallsItself(t *testing.T) {
	manager := newManager(t)
	manager.write(bcTransaction{})
	manager.expect(brNoop, brFailedReply)
}

// Nor can the process through another open of the device.
//
//covers:manager,nested
func TestManagerCallsItselfThroughAnotherOpen(t *testing.T) {
	manager := newManager(t)
	again := manager.again()
	again.write(bcTransaction{})
	if differs(t, onManagerItself) {
		manager.expect(brNoop, &message{pid: manager.pid()})
		return
	}
	again.expect(brNoop, brFailedReply)
}

// Once a user has been the manager, only the same user can be.
func TestManagerUser(t *testing.T) {
	newManager(t).kill() // root
	p := newProcess(t)
	p.setUser(1000)
	eventually(t, "there is no manager", func() bool {
		err := p.ioctl(binder.BINDER_SET_CONTEXT_MGR, 0)
		if err == unix.EBUSY {
			return false
		}
		require.Equal(t, unix.EPERM, err)
		return true
	})
}

// A manager that closes its device is no longer the manager.
//
//covers:manager,close
func TestManagerCloses(t *testing.T) {
	first := newManager(t)
	first.munmap()
	first.close(first.fd)
	newManager(t)
}

// A manager whose thread exits still is the manager.
//
//covers:manager,threads
func TestManagerThreadExits(t *testing.T) {
	manager, client := newManager(t), newProcess(t)
	require.NoError(t, manager.ioctl(binder.BINDER_THREAD_EXIT, 0))
	client.write(bcTransaction{flags: binder.TF_ONE_WAY})
	client.expect(brNoop, brTransactionComplete)
}

// The manager need not map its device.
func TestManagerWithoutMapping(t *testing.T) {
	newUnmappedProcess(t).becomeManager()
}

// Either request tells another user first that there is a manager, and only then that it
// cannot become one.
func TestManagerUserAsksInVain(t *testing.T) {
	manager, p := newManager(t), newProcess(t)
	p.setUser(1000)
	o := node(1, 2)
	_, err := p.ioctlBytes(binder.BINDER_SET_CONTEXT_MGR_EXT, o.encode())
	require.Equal(t, unix.EBUSY, err)
	require.Equal(t, unix.EBUSY, p.ioctl(binder.BINDER_SET_CONTEXT_MGR, 0))
	manager.kill()
	eventually(t, "there is no manager", func() bool {
		_, err = p.ioctlBytes(binder.BINDER_SET_CONTEXT_MGR_EXT, o.encode())
		return err != unix.EBUSY
	})
	require.Equal(t, unix.EPERM, err)
	// It has not become one, and root can.
	newManager(t)
}
