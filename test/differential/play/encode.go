// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package play

import (
	"encoding/binary"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/differential/actor"
	"sentrybinder/test/differential/program"
)

// Layout of a thread's scratch memory.
const (
	bwrOffset   = 0
	miscOffset  = 256
	readOffset  = 4 << 10
	maxRead     = 8 << 10
	writeOffset = readOffset + maxRead
	dataOffset  = writeOffset + 8<<10

	// maxExcess is the number of bytes after the commands, and maxDataExcess of those
	// after data, that are cleared in case the declared size extends that far: they
	// must not be what an earlier program has left.
	maxExcess     = 16
	maxDataExcess = 64
)

func putUint32(b []byte, v uint32) { binary.NativeEndian.PutUint32(b, v) }

// memory allocates scratch memory, aligned to 8 bytes.
type memory struct {
	next, end uintptr
}

// put copies data to newly allocated memory and returns its address, or badAddress if
// there is no room.
func (m *memory) put(data []byte) uintptr {
	at := (m.next + 7) &^ 7
	if at+uintptr(len(data))+maxDataExcess > m.end {
		return badAddress
	}
	b := actor.Bytes(at, len(data)+maxDataExcess)
	clear(b[copy(b, data):])
	m.next = at + uintptr(len(data))
	return at
}

// encode encodes commands. What they point to goes to m.
func encode(commands []program.Command, dev *device, m *memory) []byte {
	var b []byte
	for i := range commands {
		c := &commands[i]
		b = binary.NativeEndian.AppendUint32(b, c.Code)
		switch c.Code {
		case binder.BC_TRANSACTION, binder.BC_REPLY, binder.BC_TRANSACTION_SG, binder.BC_REPLY_SG:
			b = encodeTransaction(b, c, m)
		case binder.BC_FREE_BUFFER:
			b = binary.NativeEndian.AppendUint64(b, dev.buffer(c.Message)+uint64(c.Delta))
		case binder.BC_INCREFS_DONE, binder.BC_ACQUIRE_DONE:
			b = binary.NativeEndian.AppendUint64(b, c.Ptr)
			b = binary.NativeEndian.AppendUint64(b, c.Cookie)
		case binder.BC_REQUEST_DEATH_NOTIFICATION, binder.BC_CLEAR_DEATH_NOTIFICATION,
			binder.BC_REQUEST_FREEZE_NOTIFICATION, binder.BC_CLEAR_FREEZE_NOTIFICATION:
			b = binary.NativeEndian.AppendUint32(b, c.Handle)
			b = binary.NativeEndian.AppendUint64(b, c.Cookie)
		default:
			switch binder.CommandSize(c.Code) {
			case 0:
			case 4:
				b = binary.NativeEndian.AppendUint32(b, c.Handle)
			case 8:
				b = binary.NativeEndian.AppendUint64(b, c.Cookie)
			default:
				b = append(b, make([]byte, binder.CommandSize(c.Code))...)
			}
		}
	}
	return b
}

// encodeTransaction appends the argument of a transaction or a reply to b.
func encodeTransaction(b []byte, c *program.Command, m *memory) []byte {
	t := c.Transaction
	if t == nil {
		t = &program.Transaction{}
	}
	data, offsets := encodeParts(t.Parts, m)
	dataSize := uint64(len(data))
	if len(t.Parts) == 1 && t.Parts[0].Bytes != 0 {
		dataSize = uint64(t.Parts[0].Bytes)
	}
	if t.Offsets != nil {
		offsets = t.Offsets
	}
	var offsetBytes []byte
	for _, o := range offsets {
		offsetBytes = binary.NativeEndian.AppendUint64(offsetBytes, o)
	}
	tr := binder.TransactionData{
		Target:      uint64(c.Handle),
		Cookie:      c.Cookie,
		Code:        t.Code,
		Flags:       t.Flags,
		DataSize:    dataSize + uint64(t.DataExcess),
		OffsetsSize: uint64(len(offsetBytes)) + uint64(t.OffsetsExcess),
		Buffer:      badAddress,
		Offsets:     badAddress,
	}
	switch {
	case t.DataFault:
	case dataSize != uint64(len(data)):
		tr.Buffer = uint64(actor.Pattern)
	case len(data) > 0:
		tr.Buffer = uint64(m.put(data))
	}
	if !t.OffsetsFault && len(offsetBytes) > 0 {
		tr.Offsets = uint64(m.put(offsetBytes))
	}
	var encoded [binder.SizeOfTransactionData]byte
	tr.MarshalBytes(encoded[:])
	b = append(b, encoded[:]...)
	if c.Code == binder.BC_TRANSACTION_SG || c.Code == binder.BC_REPLY_SG {
		b = binary.NativeEndian.AppendUint64(b, uint64(t.Extra))
	}
	return b
}

// encodeParts returns the bytes of parts and the offsets of the objects among them. It
// returns nothing for bytes of the pattern, which only count if they are the only part.
func encodeParts(parts []program.Part, m *memory) (data []byte, offsets []uint64) {
	if len(parts) == 1 && parts[0].Bytes != 0 {
		return nil, nil
	}
	for i := range parts {
		p := &parts[i]
		for _, word := range p.Words {
			data = binary.NativeEndian.AppendUint32(data, word)
		}
		if p.Type == 0 {
			continue
		}
		offsets = append(offsets, uint64(len(data)))
		b := encodeObject(p, m)
		data = append(data, b[:max(0, len(b)-p.Cut)]...)
	}
	return data, offsets
}

func encodeObject(p *program.Part, m *memory) []byte {
	switch p.Type {
	case binder.BINDER_TYPE_PTR:
		var content []byte
		for _, word := range p.Content {
			content = binary.NativeEndian.AppendUint32(content, word)
		}
		o := binder.BufferObject{
			Type:         p.Type,
			Flags:        p.Flags,
			Buffer:       badAddress,
			Length:       uint64(len(content)),
			Parent:       p.Parent,
			ParentOffset: p.ParentOffset,
		}
		if len(content) > 0 {
			o.Buffer = uint64(m.put(content))
		}
		if p.Length != 0 {
			o.Length = p.Length
		}
		b := make([]byte, binder.SizeOfBufferObject)
		o.MarshalBytes(b)
		return b
	case binder.BINDER_TYPE_FDA:
		o := binder.FDArrayObject{Type: p.Type, Pad: p.Flags, NumFDs: p.Binder, Parent: p.Parent, ParentOffset: p.ParentOffset}
		b := make([]byte, binder.SizeOfFDArrayObject)
		o.MarshalBytes(b)
		return b
	default:
		o := binder.FlatObject{Type: p.Type, Flags: p.Flags, Binder: p.Binder, Cookie: p.Cookie}
		b := make([]byte, binder.SizeOfFlatObject)
		o.MarshalBytes(b)
		return b
	}
}

// faulty returns the address to pass for an argument at arg.
func faulty(arg uintptr, f program.Fault) uintptr {
	switch f {
	case program.ArgFault:
		return badAddress
	case program.ArgReadOnly:
		return actor.ReadOnly(arg)
	}
	return arg
}

// writeRead makes a BINDER_WRITE_READ.
func (w *World) writeRead(th *thread, dev *device, fd uintptr, s *program.Step) {
	base := th.Scratch()
	m := &memory{next: base + dataOffset, end: base + actor.ScratchSize}
	b := encode(s.Write, dev, m)
	b = b[:min(len(b), dataOffset-writeOffset-maxExcess)]
	copy(actor.Bytes(base+writeOffset, len(b)), b)
	// The driver may read beyond the commands.
	clear(actor.Bytes(base+writeOffset+uintptr(len(b)), maxExcess))
	readSize := min(max(s.ReadSize, 0), maxRead)
	wr := binder.WriteRead{
		WriteSize:     uint64(max(0, len(b)+s.Excess)),
		WriteConsumed: uint64(s.WriteConsumed),
		WriteBuffer:   uint64(base + writeOffset),
		ReadSize:      uint64(readSize),
		ReadConsumed:  uint64(s.ReadConsumed),
		ReadBuffer:    uint64(base + readOffset),
	}
	clear(actor.Bytes(base+readOffset, maxRead))
	arg := faulty(base+bwrOffset, s.Fault)
	switch s.Fault {
	case program.WriteFault:
		wr.WriteBuffer = badAddress
	case program.WriteEdge:
		at := actor.Edge - uintptr(max(0, len(b)-4))
		copy(actor.Bytes(at, int(actor.Edge-at)), b)
		wr.WriteBuffer = uint64(at)
	case program.ReadFault:
		wr.ReadBuffer = badAddress
	case program.ReadEdge:
		wr.ReadBuffer = uint64(actor.Edge - 8)
	}
	wr.MarshalBytes(actor.Bytes(base+bwrOffset, binder.SizeOfWriteRead))
	for i := range s.Write {
		w.wrote(th, dev, &s.Write[i])
	}
	w.begin(th, &pending{step: s, dev: dev, calls: 1, result: func(calls []actor.Call) string {
		return w.writeReadResult(th, dev, &calls[0])
	}}, actor.NewCall(sysIoctl, fd, binder.BINDER_WRITE_READ, arg))
}
