// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package ipc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	abi "sentrybinder/pkg/abi/binder"
)

// Errors of a call.
var (
	// ErrDead means that the object's process has died, possibly before it replied.
	ErrDead = errors.New("the object is dead")

	// ErrFailed means that the driver refused the call.
	ErrFailed = errors.New("the driver refused the call")
)

// StatusError is a Handler's error as the caller sees it.
type StatusError int32

// Error implements error.Error.
func (e StatusError) Error() string {
	return fmt.Sprintf("the object answered with status %d", int32(e))
}

// statusUnknownError is the status for a Handler's error that is not a StatusError.
const statusUnknownError = StatusError(-1 << 31)

// thread is one thread's conversation with the driver. All its methods run on the same
// operating system thread.
type thread struct {
	conn *Conn

	// out holds commands that were not yet passed to the driver. What they point to is
	// pinned.
	out []byte
	pin runtime.Pinner

	in [256]byte
}

// aReturn is a return from the driver and its parameters.
type aReturn struct {
	cmd uint32
	arg []byte
}

// marshaller is a structure of the driver's protocol.
type marshaller interface{ MarshalBytes([]byte) []byte }

// put queues a command for the driver.
func (t *thread) put(cmd uint32, arg marshaller) {
	t.out = binary.NativeEndian.AppendUint32(t.out, cmd)
	if arg != nil {
		at := len(t.out)
		t.out = append(t.out, make([]byte, abi.CommandSize(cmd))...)
		arg.MarshalBytes(t.out[at:])
	}
}

// put32 and put64 queue commands whose parameter is a number.
func (t *thread) put32(cmd, arg uint32) {
	t.out = binary.NativeEndian.AppendUint32(t.out, cmd)
	t.out = binary.NativeEndian.AppendUint32(t.out, arg)
}

func (t *thread) put64(cmd uint32, arg uint64) {
	t.out = binary.NativeEndian.AppendUint32(t.out, cmd)
	t.out = binary.NativeEndian.AppendUint64(t.out, arg)
}

// putParcel queues a transaction or a reply. The driver reads the parcel in place when
// it executes the command.
func (t *thread) putParcel(cmd, handle, code, flags uint32, p *Parcel) {
	td := abi.TransactionData{Target: uint64(handle), Code: code, Flags: flags}
	if len(p.data) != 0 {
		t.pin.Pin(&p.data[0])
		td.Buffer = uint64(uintptr(unsafe.Pointer(&p.data[0])))
		td.DataSize = uint64(len(p.data))
	}
	if len(p.offsets) != 0 {
		t.pin.Pin(&p.offsets[0])
		td.Offsets = uint64(uintptr(unsafe.Pointer(&p.offsets[0])))
		td.OffsetsSize = uint64(8 * len(p.offsets))
	}
	t.put(cmd, &td)
}

// flush passes the commands to the driver without waiting for returns.
func (t *thread) flush() error {
	if len(t.out) == 0 {
		return nil
	}
	return t.writeRead(new(abi.WriteRead))
}

// talk passes the commands to the driver, waits for returns for this thread, and returns
// them. They are valid until the next talk.
func (t *thread) talk() ([]aReturn, error) {
	wr := abi.WriteRead{
		ReadSize:   uint64(len(t.in)),
		ReadBuffer: uint64(uintptr(unsafe.Pointer(&t.in[0]))),
	}
	t.pin.Pin(&t.in[0])
	if err := t.writeRead(&wr); err != nil {
		return nil, err
	}
	var returns []aReturn
	for in := t.in[:wr.ReadConsumed]; len(in) != 0; {
		cmd := binary.NativeEndian.Uint32(in)
		end := 4 + abi.CommandSize(cmd)
		returns = append(returns, aReturn{cmd, in[4:end]})
		in = in[end:]
	}
	return returns, nil
}

// writeRead passes all commands, and the read buffer in wr, to the driver. If a signal
// interrupts it, wr records how far the driver has got.
func (t *thread) writeRead(wr *abi.WriteRead) error {
	defer t.pin.Unpin()
	if len(t.out) != 0 {
		t.pin.Pin(&t.out[0])
		wr.WriteSize = uint64(len(t.out))
		wr.WriteBuffer = uint64(uintptr(unsafe.Pointer(&t.out[0])))
	}
	if err := t.conn.ioctl(abi.BINDER_WRITE_READ, unsafe.Pointer(wr)); err != nil {
		return fmt.Errorf("BINDER_WRITE_READ: %w", err)
	}
	t.out = t.out[:0]
	return nil
}

// call makes a call and waits for the reply or, if it is one-way, until the driver has
// accepted it. Meanwhile this thread handles whatever else it receives: the called
// object may in turn call one of this process's.
func (t *thread) call(handle, code, flags uint32, request *Parcel) (*Reader, error) {
	t.putParcel(abi.BC_TRANSACTION, handle, code, flags, request)
	var (
		reply  *Reader
		result error
	)
	for done := false; !done; {
		returns, err := t.talk()
		if err != nil {
			return nil, err
		}
		for _, r := range returns {
			switch r.cmd {
			case abi.BR_TRANSACTION_COMPLETE:
				// It also comes for this process's replies, but a thread that waits for
				// the completion of a one-way call gets no calls.
				done = flags&abi.TF_ONE_WAY != 0
			case abi.BR_REPLY:
				reply, result = t.reply(r.arg)
				done = true
			case abi.BR_DEAD_REPLY:
				result = ErrDead
				done = true
			case abi.BR_FAILED_REPLY:
				result = ErrFailed
				done = true
			default:
				if err := t.handle(r); err != nil {
					return nil, err
				}
			}
		}
	}
	return reply, errors.Join(result, t.flush())
}

// reply reads the parameter of BR_REPLY.
func (t *thread) reply(arg []byte) (*Reader, error) {
	var td abi.TransactionData
	td.UnmarshalBytes(arg)
	reader := t.conn.newReader(&td)
	if td.Flags&abi.TF_STATUS_CODE == 0 {
		return reader, nil
	}
	status, err := reader.ReadInt32()
	t.put64(abi.BC_FREE_BUFFER, td.Buffer)
	return nil, errors.Join(err, StatusError(status))
}

// handle handles a return that doesn't end a call.
func (t *thread) handle(r aReturn) error {
	switch r.cmd {
	case abi.BR_NOOP, abi.BR_TRANSACTION_COMPLETE:
	case abi.BR_TRANSACTION:
		var td abi.TransactionData
		td.UnmarshalBytes(r.arg)
		return t.dispatch(&td)
	case abi.BR_INCREFS, abi.BR_ACQUIRE:
		// Somebody holds a reference to one of this process's objects now. The driver
		// waits for these answers before it takes the reference back.
		var node abi.PtrCookie
		node.UnmarshalBytes(r.arg)
		if r.cmd == abi.BR_INCREFS {
			t.put(abi.BC_INCREFS_DONE, &node)
		} else {
			t.put(abi.BC_ACQUIRE_DONE, &node)
		}
	case abi.BR_RELEASE, abi.BR_DECREFS:
		// Nobody holds a reference any more. An Object lives as long as its process.
	case abi.BR_SPAWN_LOOPER:
		go t.conn.spawn()
	case abi.BR_DEAD_BINDER:
		cookie := binary.NativeEndian.Uint64(r.arg)
		t.conn.mu.Lock()
		died := t.conn.deaths[cookie]
		delete(t.conn.deaths, cookie)
		t.conn.mu.Unlock()
		if died != nil {
			died()
		}
		t.put64(abi.BC_DEAD_BINDER_DONE, cookie)
	case abi.BR_ERROR:
		return fmt.Errorf("the driver returned BR_ERROR %d", int32(binary.NativeEndian.Uint32(r.arg)))
	default:
		return fmt.Errorf("the driver returned an unexpected %#x", r.cmd)
	}
	return nil
}

// spawn runs a thread that the driver asked for.
func (c *Conn) spawn() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c.mu.Lock()
	spawned := c.spawned
	c.mu.Unlock()
	if spawned != nil {
		spawned()
	}
	// On an error the device is unusable; Serve's caller gets the same error.
	_ = c.loop(abi.BC_REGISTER_LOOPER)
}

// dispatch answers a call.
func (t *thread) dispatch(td *abi.TransactionData) error {
	t.conn.mu.Lock()
	object := t.conn.objects[td.Target]
	t.conn.mu.Unlock()
	if object == nil {
		return fmt.Errorf("the driver called object %d, which does not exist", td.Target)
	}
	call := &Call{
		Code:       td.Code,
		OneWay:     td.Flags&abi.TF_ONE_WAY != 0,
		SenderPID:  int(td.SenderPID),
		SenderEUID: int(td.SenderEUID),
		Reader:     t.conn.newReader(td),
	}
	reply, err := object.handler(call)
	// Only now may the driver reuse the buffer.
	t.put64(abi.BC_FREE_BUFFER, td.Buffer)
	if call.OneWay {
		return nil
	}
	flags := uint32(abi.TF_ACCEPT_FDS)
	if err != nil {
		status := statusUnknownError
		errors.As(err, &status)
		reply = new(Parcel)
		reply.WriteInt32(int32(status))
		flags = abi.TF_STATUS_CODE
	}
	if reply == nil {
		reply = new(Parcel)
	}
	// The completion may come with the next call.
	t.putParcel(abi.BC_REPLY, 0, 0, flags|abi.TF_DEFER_COMPLETE, reply)
	return nil
}
