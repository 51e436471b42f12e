// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package ipc

import (
	"runtime"

	abi "sentrybinder/pkg/abi/binder"
)

// Call is a call to an object of this process. Its Reader reads the request, until the
// Handler returns.
type Call struct {
	*Reader

	// Code is the method. Its meaning is up to the object.
	Code uint32

	// OneWay says that nobody waits for a reply.
	OneWay bool

	// SenderPID and SenderEUID identify the caller; the driver vouches for them. The PID
	// of a one-way call is 0.
	SenderPID  int
	SenderEUID int
}

// Handler answers a call, with an empty reply if it returns nil. Its error reaches the
// caller as a StatusError. It runs on a thread of the pool, or on a thread that waits
// in a call which led to this one.
type Handler func(*Call) (*Parcel, error)

// Object is an object of this process that others can call.
type Object struct {
	handler Handler

	// id is the number under which the driver knows the object.
	id uint64
}

// NewObject returns an object whose calls handler answers. Others can call it once they
// have received it in a Parcel.
func (c *Conn) NewObject(handler Handler) *Object {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	o := &Object{handler: handler, id: c.last}
	c.objects[o.id] = o
	return o
}

// Ref is a reference to another process's object. As long as this process holds it, the
// object's Handle refers to the same object.
type Ref struct {
	conn   *Conn
	handle uint32
}

// Handle returns the number by which this process, and no other, refers to the object.
func (r *Ref) Handle() uint32 { return r.handle }

// Call calls the object and waits for its reply, which the caller must close.
func (r *Ref) Call(code uint32, request *Parcel) (*Reader, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	t := thread{conn: r.conn}
	return t.call(r.handle, code, abi.TF_ACCEPT_FDS, request)
}

// Send calls the object without waiting for it. The object gets one such call at a time,
// in the order in which they were made.
func (r *Ref) Send(code uint32, request *Parcel) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	t := thread{conn: r.conn}
	_, err := t.call(r.handle, code, abi.TF_ONE_WAY, request)
	return err
}

// OnDeath asks for died to be called when the object's process dies, or if it has died
// already. A thread of the pool calls it, so this process must Serve.
func (r *Ref) OnDeath(died func()) error {
	c := r.conn
	c.mu.Lock()
	c.last++
	cookie := c.last
	c.deaths[cookie] = died
	c.mu.Unlock()
	t := thread{conn: c}
	t.put(abi.BC_REQUEST_DEATH_NOTIFICATION, &abi.HandleCookie{Handle: r.handle, Cookie: cookie})
	return t.flush()
}

// Release releases the reference.
func (r *Ref) Release() error {
	t := thread{conn: r.conn}
	t.put32(abi.BC_RELEASE, r.handle)
	t.put32(abi.BC_DECREFS, r.handle)
	return t.flush()
}
