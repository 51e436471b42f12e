// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/benchmarks/peer"
)

// The code of a call selects what a service does.
const (
	serviceKeep = hubKeep

	serviceEcho = iota + hubFind // answers with callBytes
	serviceDrop                  // drops some objects, down to the number in the call, and answers with how many are left
	serviceMake                  // answers with objectsInCall new nodes
	serviceLast                  // answers with the object that it kept last
	serviceHold                  // holds the buffer of the call
	serviceFree                  // frees every second buffer that it holds
)

// keeper is a service that keeps the objects it is sent, and hands out others on
// request.
type keeper struct {
	*endpoint
	echo    []byte
	kept    []uint32
	last    atomic.Uint32
	made    int
	objects objects
	held    []uint64
	loaded  preloaded
}

// service is the role of a keeper. It is the context manager or, with -with, the
// object that the manager kept last. With -n it also has a thread that inspects the
// object kept last.
func service() {
	k := &keeper{endpoint: open(), echo: make([]byte, callBytes), loaded: newPreloaded(*preload)}
	k.Dozing = *dozing
	k.made = 1 // after the node that it publishes
	if *with == "" {
		k.BecomeManager()
	} else {
		k.publish(node(0))
	}
	if *n != 0 {
		go k.inspectLast()
	}
	ready()
	k.out = peer.Command(k.out, binder.BC_ENTER_LOOPER)
	for {
		call := k.await(binder.BR_TRANSACTION)
		data, offsets := k.answer(call)
		if call.Code != serviceHold {
			k.free(call)
		}
		if call.Flags&binder.TF_ONE_WAY == 0 {
			k.out = peer.Transaction(k.out, binder.BC_REPLY, data, offsets)
		}
	}
}

func (k *keeper) answer(call binder.TransactionData) ([]byte, []uint64) {
	o := &k.objects
	o.data, o.offsets = o.data[:0], o.offsets[:0]
	switch call.Code {
	case serviceEcho:
		k.echo[0] = k.loaded.use()
		return k.echo, nil
	case serviceKeep:
		for data := k.Data(call); len(data) != 0; data = data[binder.SizeOfFlatObject:] {
			var object binder.FlatObject
			object.UnmarshalBytes(data)
			k.handle(binder.BC_ACQUIRE, uint32(object.Binder))
			k.kept = append(k.kept, uint32(object.Binder))
		}
	case serviceDrop:
		left := int(binary.NativeEndian.Uint64(k.Data(call)))
		for range min(objectsInCall, max(len(k.kept)-left, 0)) {
			k.handle(binder.BC_RELEASE, k.kept[len(k.kept)-1])
			k.kept = k.kept[:len(k.kept)-1]
		}
		o.data = binary.NativeEndian.AppendUint64(o.data, uint64(len(k.kept)))
	case serviceMake:
		for range objectsInCall {
			o.add(node(k.made))
			k.made++
		}
	case serviceLast:
		o.add(binder.FlatObject{Type: binder.BINDER_TYPE_HANDLE, Binder: uint64(k.kept[len(k.kept)-1])})
	case serviceHold:
		k.held = append(k.held, call.Buffer)
	case serviceFree:
		k.freeEverySecond()
	}
	if len(k.kept) != 0 {
		k.last.Store(k.kept[len(k.kept)-1])
	}
	return o.data, o.offsets
}

// freeEverySecond frees every second buffer that is held.
func (k *keeper) freeEverySecond() {
	rest := k.held[:0]
	for i, buffer := range k.held {
		if i%2 == 0 {
			rest = append(rest, buffer)
			continue
		}
		k.out = peer.Command(k.out, binder.BC_FREE_BUFFER, buffer)
		if len(k.out) > 1000*12 {
			k.flush()
		}
	}
	k.held = rest
}

// inspectPause is the time between two inspections.
const inspectPause = 10 * time.Millisecond

// pause sleeps without Go's scheduler knowing.
func pause(d time.Duration) {
	t := unix.NsecToTimespec(int64(d))
	unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&t)), 0, 0)
}

// inspectLast asks over and over who else uses the object kept last, as Android's
// service manager does for every service.
func (k *keeper) inspectLast() {
	runtime.LockOSThread()
	th := k.thread()
	for {
		pause(inspectPause)
		info := make([]byte, binder.SizeOfNodeInfoForRef)
		binary.NativeEndian.PutUint32(info, k.last.Load())
		th.Try(binder.BINDER_GET_NODE_INFO_FOR_REF, unsafe.Pointer(&info[0])) // it may have been dropped
	}
}

// asker is the role of a client that gets the object kept last, over and over.
func asker() {
	e := open()
	ready()
	for {
		e.call(0, serviceLast, nil, nil)
		e.flush()
		pause(inspectPause)
	}
}

// dropAll has a service drop all but the given number of objects.
func (e *endpoint) dropAll(handle uint32, left int) {
	number := binary.NativeEndian.AppendUint64(nil, uint64(left))
	for {
		answer := e.call(handle, serviceDrop, number, nil)
		if binary.NativeEndian.Uint64(e.Data(answer)) <= uint64(left) {
			e.flush()
			return
		}
	}
}

// try makes a call that may be refused.
func (e *endpoint) try(handle, code uint32, data []byte, offsets []uint64) (binder.TransactionData, bool) {
	commands := peer.TransactionTo(e.out, binder.BC_TRANSACTION, handle, code, binder.TF_ACCEPT_FDS, data, offsets)
	e.out = e.Commands()
	answer, ok := e.Attempt(commands, e.acknowledge)
	if ok {
		e.free(answer)
	}
	return answer, ok
}
