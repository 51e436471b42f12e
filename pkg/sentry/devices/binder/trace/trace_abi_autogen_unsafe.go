// Automatically generated marshal implementation. See tools/go_marshal.

package trace

import (
	"gvisor.dev/gvisor/pkg/gohacks"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/marshal"
	"io"
	"reflect"
	"runtime"
	"unsafe"
)

// Marshallable types used by this file.
var _ marshal.Marshallable = (*Event)(nil)
var _ marshal.Marshallable = (*Kind)(nil)

// SizeBytes implements marshal.Marshallable.SizeBytes.
func (e *Event) SizeBytes() int {
	return 70 +
		(*Kind)(nil).SizeBytes()
}

// MarshalBytes implements marshal.Marshallable.MarshalBytes.
func (e *Event) MarshalBytes(dst []byte) []byte {
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(e.Time))
	dst = dst[8:]
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(e.Start))
	dst = dst[8:]
	dst = e.Kind.MarshalUnsafe(dst)
	hostarch.ByteOrder.PutUint16(dst[:2], uint16(e.Reply))
	dst = dst[2:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(e.PID))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(e.TID))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(e.ToPID))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(e.ToTID))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(e.ID))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(e.Node))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(e.Code))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(e.Flags))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(e.Data))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(e.Offsets))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(e.Extra))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(e.Domain))
	dst = dst[8:]
	return dst
}

// UnmarshalBytes implements marshal.Marshallable.UnmarshalBytes.
func (e *Event) UnmarshalBytes(src []byte) []byte {
	e.Time = int64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	e.Start = int64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	src = e.Kind.UnmarshalUnsafe(src)
	e.Reply = uint16(hostarch.ByteOrder.Uint16(src[:2]))
	src = src[2:]
	e.PID = int32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	e.TID = int32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	e.ToPID = int32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	e.ToTID = int32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	e.ID = int32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	e.Node = int32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	e.Code = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	e.Flags = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	e.Data = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	e.Offsets = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	e.Extra = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	e.Domain = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	return src
}

// Packed implements marshal.Marshallable.Packed.
//
//go:nosplit
func (e *Event) Packed() bool {
	return e.Kind.Packed()
}

// MarshalUnsafe implements marshal.Marshallable.MarshalUnsafe.
func (e *Event) MarshalUnsafe(dst []byte) []byte {
	if e.Kind.Packed() {
		size := e.SizeBytes()
		gohacks.Memmove(unsafe.Pointer(&dst[0]), unsafe.Pointer(e), uintptr(size))
		return dst[size:]
	}
	// Type Event doesn't have a packed layout in memory, fallback to MarshalBytes.
	return e.MarshalBytes(dst)
}

// UnmarshalUnsafe implements marshal.Marshallable.UnmarshalUnsafe.
func (e *Event) UnmarshalUnsafe(src []byte) []byte {
	if e.Kind.Packed() {
		size := e.SizeBytes()
		gohacks.Memmove(unsafe.Pointer(e), unsafe.Pointer(&src[0]), uintptr(size))
		return src[size:]
	}
	// Type Event doesn't have a packed layout in memory, fallback to UnmarshalBytes.
	return e.UnmarshalBytes(src)
}

// CopyOutN implements marshal.Marshallable.CopyOutN.
func (e *Event) CopyOutN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	if !e.Kind.Packed() {
		// Type Event doesn't have a packed layout in memory, fall back to MarshalBytes.
		buf := cc.CopyScratchBuffer(e.SizeBytes()) // escapes: okay.
		e.MarshalBytes(buf)                        // escapes: fallback.
		return cc.CopyOutBytes(addr, buf[:limit])  // escapes: okay.
	}

	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(e)))
	hdr.Len = e.SizeBytes()
	hdr.Cap = e.SizeBytes()

	length, err := cc.CopyOutBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that e
	// must live until the use above.
	runtime.KeepAlive(e) // escapes: replaced by intrinsic.
	return length, err
}

// CopyOut implements marshal.Marshallable.CopyOut.
func (e *Event) CopyOut(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return e.CopyOutN(cc, addr, e.SizeBytes())
}

// CopyInN implements marshal.Marshallable.CopyInN.
func (e *Event) CopyInN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	if !e.Kind.Packed() {
		// Type Event doesn't have a packed layout in memory, fall back to UnmarshalBytes.
		buf := cc.CopyScratchBuffer(e.SizeBytes())       // escapes: okay.
		length, err := cc.CopyInBytes(addr, buf[:limit]) // escapes: okay.
		// Unmarshal unconditionally. If we had a short copy-in, this results in a
		// partially unmarshalled struct.
		e.UnmarshalBytes(buf) // escapes: fallback.
		return length, err
	}

	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(e)))
	hdr.Len = e.SizeBytes()
	hdr.Cap = e.SizeBytes()

	length, err := cc.CopyInBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that e
	// must live until the use above.
	runtime.KeepAlive(e) // escapes: replaced by intrinsic.
	return length, err
}

// CopyIn implements marshal.Marshallable.CopyIn.
func (e *Event) CopyIn(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return e.CopyInN(cc, addr, e.SizeBytes())
}

// WriteTo implements io.WriterTo.WriteTo.
func (e *Event) WriteTo(writer io.Writer) (int64, error) {
	if !e.Kind.Packed() {
		// Type Event doesn't have a packed layout in memory, fall back to MarshalBytes.
		buf := make([]byte, e.SizeBytes())
		e.MarshalBytes(buf)
		length, err := writer.Write(buf)
		return int64(length), err
	}

	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(e)))
	hdr.Len = e.SizeBytes()
	hdr.Cap = e.SizeBytes()

	length, err := writer.Write(buf)
	// Since we bypassed the compiler's escape analysis, indicate that e
	// must live until the use above.
	runtime.KeepAlive(e) // escapes: replaced by intrinsic.
	return int64(length), err
}

// SizeBytes implements marshal.Marshallable.SizeBytes.
//
//go:nosplit
func (k *Kind) SizeBytes() int {
	return 2
}

// MarshalBytes implements marshal.Marshallable.MarshalBytes.
func (k *Kind) MarshalBytes(dst []byte) []byte {
	hostarch.ByteOrder.PutUint16(dst[:2], uint16(*k))
	return dst[2:]
}

// UnmarshalBytes implements marshal.Marshallable.UnmarshalBytes.
func (k *Kind) UnmarshalBytes(src []byte) []byte {
	*k = Kind(uint16(hostarch.ByteOrder.Uint16(src[:2])))
	return src[2:]
}

// Packed implements marshal.Marshallable.Packed.
//
//go:nosplit
func (k *Kind) Packed() bool {
	// Scalar newtypes are always packed.
	return true
}

// MarshalUnsafe implements marshal.Marshallable.MarshalUnsafe.
func (k *Kind) MarshalUnsafe(dst []byte) []byte {
	size := k.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(&dst[0]), unsafe.Pointer(k), uintptr(size))
	return dst[size:]
}

// UnmarshalUnsafe implements marshal.Marshallable.UnmarshalUnsafe.
func (k *Kind) UnmarshalUnsafe(src []byte) []byte {
	size := k.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(k), unsafe.Pointer(&src[0]), uintptr(size))
	return src[size:]
}

// CopyOutN implements marshal.Marshallable.CopyOutN.
func (k *Kind) CopyOutN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(k)))
	hdr.Len = k.SizeBytes()
	hdr.Cap = k.SizeBytes()

	length, err := cc.CopyOutBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that k
	// must live until the use above.
	runtime.KeepAlive(k) // escapes: replaced by intrinsic.
	return length, err
}

// CopyOut implements marshal.Marshallable.CopyOut.
func (k *Kind) CopyOut(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return k.CopyOutN(cc, addr, k.SizeBytes())
}

// CopyInN implements marshal.Marshallable.CopyInN.
func (k *Kind) CopyInN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(k)))
	hdr.Len = k.SizeBytes()
	hdr.Cap = k.SizeBytes()

	length, err := cc.CopyInBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that k
	// must live until the use above.
	runtime.KeepAlive(k) // escapes: replaced by intrinsic.
	return length, err
}

// CopyIn implements marshal.Marshallable.CopyIn.
func (k *Kind) CopyIn(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return k.CopyInN(cc, addr, k.SizeBytes())
}

// WriteTo implements io.WriterTo.WriteTo.
func (k *Kind) WriteTo(writer io.Writer) (int64, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(k)))
	hdr.Len = k.SizeBytes()
	hdr.Cap = k.SizeBytes()

	length, err := writer.Write(buf)
	// Since we bypassed the compiler's escape analysis, indicate that k
	// must live until the use above.
	runtime.KeepAlive(k) // escapes: replaced by intrinsic.
	return int64(length), err
}
