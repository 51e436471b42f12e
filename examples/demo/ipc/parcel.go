// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package ipc

import (
	"encoding/binary"
	"errors"
	"os"

	abi "sentrybinder/pkg/abi/binder"
)

// ErrParcel means that a parcel does not hold what was to be read from it.
var ErrParcel = errors.New("the parcel holds something else")

// Parcel is the payload of a call or a reply. The zero value is empty.
type Parcel struct {
	data []byte

	// offsets are the positions in data of the objects that the driver translates, in
	// ascending order.
	offsets []uint64
}

// WriteInt32 appends a number.
func (p *Parcel) WriteInt32(v int32) *Parcel {
	p.data = binary.NativeEndian.AppendUint32(p.data, uint32(v))
	return p
}

// WriteString appends a string.
func (p *Parcel) WriteString(s string) *Parcel {
	p.WriteInt32(int32(len(s)))
	p.data = append(p.data, s...)
	// Objects must be at multiples of four bytes.
	p.data = append(p.data, make([]byte, -len(s)&3)...)
	return p
}

// WriteObject appends an object of this process. The receiver gets a Ref.
func (p *Parcel) WriteObject(o *Object) *Parcel {
	return p.append(abi.SizeOfFlatObject, &abi.FlatObject{
		Type:   abi.BINDER_TYPE_BINDER,
		Flags:  abi.FLAT_BINDER_FLAG_ACCEPTS_FDS,
		Binder: o.id,
		Cookie: o.id,
	})
}

// WriteRef appends another process's object. The receiver gets a Ref of its own.
func (p *Parcel) WriteRef(r *Ref) *Parcel {
	return p.append(abi.SizeOfFlatObject, &abi.FlatObject{
		Type:   abi.BINDER_TYPE_HANDLE,
		Binder: uint64(r.handle),
	})
}

// WriteFile appends a file descriptor. The receiver gets a duplicate of it. The sender
// must keep it open until the parcel has been sent.
func (p *Parcel) WriteFile(f *os.File) *Parcel {
	return p.append(abi.SizeOfFDObject, &abi.FDObject{
		Type: abi.BINDER_TYPE_FD,
		FD:   uint32(f.Fd()),
	})
}

func (p *Parcel) append(size int, object marshaller) *Parcel {
	at := len(p.data)
	p.offsets = append(p.offsets, uint64(at))
	p.data = append(p.data, make([]byte, size)...)
	object.MarshalBytes(p.data[at:])
	return p
}

// Reader reads a received parcel, value by value.
type Reader struct {
	conn *Conn

	// address is the buffer's address, by which the driver identifies it.
	address uint64

	// data is the unread rest of the buffer, in the mapping of the device.
	data []byte
}

func (c *Conn) newReader(td *abi.TransactionData) *Reader {
	data := c.mapping[td.Buffer-c.base:]
	return &Reader{conn: c, address: td.Buffer, data: data[:td.DataSize:td.DataSize]}
}

// Close lets the driver reuse the reply's buffer.
func (r *Reader) Close() error {
	t := thread{conn: r.conn}
	t.put64(abi.BC_FREE_BUFFER, r.address)
	return t.flush()
}

// ReadInt32 reads a number.
func (r *Reader) ReadInt32() (int32, error) {
	b, err := r.take(4)
	if err != nil {
		return 0, err
	}
	return int32(binary.NativeEndian.Uint32(b)), nil
}

// ReadString reads a string.
func (r *Reader) ReadString() (string, error) {
	n, err := r.ReadInt32()
	if err != nil {
		return "", err
	}
	b, err := r.take(int(n))
	if err != nil {
		return "", err
	}
	s := string(b)
	_, err = r.take(-len(s) & 3)
	return s, err
}

// ReadRef reads an object of another process. The reference outlives the parcel.
func (r *Reader) ReadRef() (*Ref, error) {
	b, err := r.take(abi.SizeOfFlatObject)
	if err != nil {
		return nil, err
	}
	var object abi.FlatObject
	object.UnmarshalBytes(b)
	if object.Type != abi.BINDER_TYPE_HANDLE {
		return nil, ErrParcel
	}
	ref := &Ref{conn: r.conn, handle: uint32(object.Binder)}
	// The parcel's own reference is released when its buffer is freed.
	t := thread{conn: r.conn}
	t.put32(abi.BC_INCREFS, ref.handle)
	t.put32(abi.BC_ACQUIRE, ref.handle)
	return ref, t.flush()
}

// ReadFile reads a file descriptor, which the caller must close. It belongs to this
// process from when the parcel is received, and is close-on-exec.
func (r *Reader) ReadFile() (*os.File, error) {
	b, err := r.take(abi.SizeOfFDObject)
	if err != nil {
		return nil, err
	}
	var object abi.FDObject
	object.UnmarshalBytes(b)
	if object.Type != abi.BINDER_TYPE_FD {
		return nil, ErrParcel
	}
	return os.NewFile(uintptr(object.FD), "received"), nil
}

// take returns the next n bytes.
func (r *Reader) take(n int) ([]byte, error) {
	if n < 0 || n > len(r.data) {
		return nil, ErrParcel
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b, nil
}
