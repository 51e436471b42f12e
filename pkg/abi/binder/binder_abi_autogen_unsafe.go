// Automatically generated marshal implementation. See tools/go_marshal.

package binder

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
var _ marshal.Marshallable = (*BinderfsDevice)(nil)
var _ marshal.Marshallable = (*BufferObject)(nil)
var _ marshal.Marshallable = (*ExtendedError)(nil)
var _ marshal.Marshallable = (*FDArrayObject)(nil)
var _ marshal.Marshallable = (*FDObject)(nil)
var _ marshal.Marshallable = (*FlatObject)(nil)
var _ marshal.Marshallable = (*FreezeInfo)(nil)
var _ marshal.Marshallable = (*FrozenStateInfo)(nil)
var _ marshal.Marshallable = (*FrozenStatusInfo)(nil)
var _ marshal.Marshallable = (*NodeDebugInfo)(nil)
var _ marshal.Marshallable = (*NodeInfoForRef)(nil)
var _ marshal.Marshallable = (*PtrCookie)(nil)
var _ marshal.Marshallable = (*TransactionData)(nil)
var _ marshal.Marshallable = (*TransactionDataSG)(nil)
var _ marshal.Marshallable = (*TransactionDataSecctx)(nil)
var _ marshal.Marshallable = (*Version)(nil)
var _ marshal.Marshallable = (*WriteRead)(nil)

// SizeBytes implements marshal.Marshallable.SizeBytes.
func (b *BinderfsDevice) SizeBytes() int {
	return 8 +
		1*(BINDERFS_MAX_NAME+1)
}

// MarshalBytes implements marshal.Marshallable.MarshalBytes.
func (b *BinderfsDevice) MarshalBytes(dst []byte) []byte {
	for idx := 0; idx < (BINDERFS_MAX_NAME + 1); idx++ {
		dst[0] = byte(b.Name[idx])
		dst = dst[1:]
	}
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(b.Major))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(b.Minor))
	dst = dst[4:]
	return dst
}

// UnmarshalBytes implements marshal.Marshallable.UnmarshalBytes.
func (b *BinderfsDevice) UnmarshalBytes(src []byte) []byte {
	for idx := 0; idx < (BINDERFS_MAX_NAME + 1); idx++ {
		b.Name[idx] = src[0]
		src = src[1:]
	}
	b.Major = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	b.Minor = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	return src
}

// Packed implements marshal.Marshallable.Packed.
//
//go:nosplit
func (b *BinderfsDevice) Packed() bool {
	return true
}

// MarshalUnsafe implements marshal.Marshallable.MarshalUnsafe.
func (b *BinderfsDevice) MarshalUnsafe(dst []byte) []byte {
	size := b.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(&dst[0]), unsafe.Pointer(b), uintptr(size))
	return dst[size:]
}

// UnmarshalUnsafe implements marshal.Marshallable.UnmarshalUnsafe.
func (b *BinderfsDevice) UnmarshalUnsafe(src []byte) []byte {
	size := b.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(b), unsafe.Pointer(&src[0]), uintptr(size))
	return src[size:]
}

// CopyOutN implements marshal.Marshallable.CopyOutN.
func (b *BinderfsDevice) CopyOutN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(b)))
	hdr.Len = b.SizeBytes()
	hdr.Cap = b.SizeBytes()

	length, err := cc.CopyOutBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that b
	// must live until the use above.
	runtime.KeepAlive(b) // escapes: replaced by intrinsic.
	return length, err
}

// CopyOut implements marshal.Marshallable.CopyOut.
func (b *BinderfsDevice) CopyOut(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return b.CopyOutN(cc, addr, b.SizeBytes())
}

// CopyInN implements marshal.Marshallable.CopyInN.
func (b *BinderfsDevice) CopyInN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(b)))
	hdr.Len = b.SizeBytes()
	hdr.Cap = b.SizeBytes()

	length, err := cc.CopyInBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that b
	// must live until the use above.
	runtime.KeepAlive(b) // escapes: replaced by intrinsic.
	return length, err
}

// CopyIn implements marshal.Marshallable.CopyIn.
func (b *BinderfsDevice) CopyIn(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return b.CopyInN(cc, addr, b.SizeBytes())
}

// WriteTo implements io.WriterTo.WriteTo.
func (b *BinderfsDevice) WriteTo(writer io.Writer) (int64, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(b)))
	hdr.Len = b.SizeBytes()
	hdr.Cap = b.SizeBytes()

	length, err := writer.Write(buf)
	// Since we bypassed the compiler's escape analysis, indicate that b
	// must live until the use above.
	runtime.KeepAlive(b) // escapes: replaced by intrinsic.
	return int64(length), err
}

// SizeBytes implements marshal.Marshallable.SizeBytes.
func (b *BufferObject) SizeBytes() int {
	return 40
}

// MarshalBytes implements marshal.Marshallable.MarshalBytes.
func (b *BufferObject) MarshalBytes(dst []byte) []byte {
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(b.Type))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(b.Flags))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(b.Buffer))
	dst = dst[8:]
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(b.Length))
	dst = dst[8:]
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(b.Parent))
	dst = dst[8:]
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(b.ParentOffset))
	dst = dst[8:]
	return dst
}

// UnmarshalBytes implements marshal.Marshallable.UnmarshalBytes.
func (b *BufferObject) UnmarshalBytes(src []byte) []byte {
	b.Type = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	b.Flags = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	b.Buffer = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	b.Length = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	b.Parent = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	b.ParentOffset = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	return src
}

// Packed implements marshal.Marshallable.Packed.
//
//go:nosplit
func (b *BufferObject) Packed() bool {
	return true
}

// MarshalUnsafe implements marshal.Marshallable.MarshalUnsafe.
func (b *BufferObject) MarshalUnsafe(dst []byte) []byte {
	size := b.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(&dst[0]), unsafe.Pointer(b), uintptr(size))
	return dst[size:]
}

// UnmarshalUnsafe implements marshal.Marshallable.UnmarshalUnsafe.
func (b *BufferObject) UnmarshalUnsafe(src []byte) []byte {
	size := b.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(b), unsafe.Pointer(&src[0]), uintptr(size))
	return src[size:]
}

// CopyOutN implements marshal.Marshallable.CopyOutN.
func (b *BufferObject) CopyOutN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(b)))
	hdr.Len = b.SizeBytes()
	hdr.Cap = b.SizeBytes()

	length, err := cc.CopyOutBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that b
	// must live until the use above.
	runtime.KeepAlive(b) // escapes: replaced by intrinsic.
	return length, err
}

// CopyOut implements marshal.Marshallable.CopyOut.
func (b *BufferObject) CopyOut(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return b.CopyOutN(cc, addr, b.SizeBytes())
}

// CopyInN implements marshal.Marshallable.CopyInN.
func (b *BufferObject) CopyInN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(b)))
	hdr.Len = b.SizeBytes()
	hdr.Cap = b.SizeBytes()

	length, err := cc.CopyInBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that b
	// must live until the use above.
	runtime.KeepAlive(b) // escapes: replaced by intrinsic.
	return length, err
}

// CopyIn implements marshal.Marshallable.CopyIn.
func (b *BufferObject) CopyIn(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return b.CopyInN(cc, addr, b.SizeBytes())
}

// WriteTo implements io.WriterTo.WriteTo.
func (b *BufferObject) WriteTo(writer io.Writer) (int64, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(b)))
	hdr.Len = b.SizeBytes()
	hdr.Cap = b.SizeBytes()

	length, err := writer.Write(buf)
	// Since we bypassed the compiler's escape analysis, indicate that b
	// must live until the use above.
	runtime.KeepAlive(b) // escapes: replaced by intrinsic.
	return int64(length), err
}

// SizeBytes implements marshal.Marshallable.SizeBytes.
func (e *ExtendedError) SizeBytes() int {
	return 12
}

// MarshalBytes implements marshal.Marshallable.MarshalBytes.
func (e *ExtendedError) MarshalBytes(dst []byte) []byte {
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(e.ID))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(e.Command))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(e.Param))
	dst = dst[4:]
	return dst
}

// UnmarshalBytes implements marshal.Marshallable.UnmarshalBytes.
func (e *ExtendedError) UnmarshalBytes(src []byte) []byte {
	e.ID = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	e.Command = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	e.Param = int32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	return src
}

// Packed implements marshal.Marshallable.Packed.
//
//go:nosplit
func (e *ExtendedError) Packed() bool {
	return true
}

// MarshalUnsafe implements marshal.Marshallable.MarshalUnsafe.
func (e *ExtendedError) MarshalUnsafe(dst []byte) []byte {
	size := e.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(&dst[0]), unsafe.Pointer(e), uintptr(size))
	return dst[size:]
}

// UnmarshalUnsafe implements marshal.Marshallable.UnmarshalUnsafe.
func (e *ExtendedError) UnmarshalUnsafe(src []byte) []byte {
	size := e.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(e), unsafe.Pointer(&src[0]), uintptr(size))
	return src[size:]
}

// CopyOutN implements marshal.Marshallable.CopyOutN.
func (e *ExtendedError) CopyOutN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
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
func (e *ExtendedError) CopyOut(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return e.CopyOutN(cc, addr, e.SizeBytes())
}

// CopyInN implements marshal.Marshallable.CopyInN.
func (e *ExtendedError) CopyInN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
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
func (e *ExtendedError) CopyIn(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return e.CopyInN(cc, addr, e.SizeBytes())
}

// WriteTo implements io.WriterTo.WriteTo.
func (e *ExtendedError) WriteTo(writer io.Writer) (int64, error) {
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
func (f *FDArrayObject) SizeBytes() int {
	return 32
}

// MarshalBytes implements marshal.Marshallable.MarshalBytes.
func (f *FDArrayObject) MarshalBytes(dst []byte) []byte {
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(f.Type))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(f.Pad))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(f.NumFDs))
	dst = dst[8:]
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(f.Parent))
	dst = dst[8:]
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(f.ParentOffset))
	dst = dst[8:]
	return dst
}

// UnmarshalBytes implements marshal.Marshallable.UnmarshalBytes.
func (f *FDArrayObject) UnmarshalBytes(src []byte) []byte {
	f.Type = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	f.Pad = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	f.NumFDs = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	f.Parent = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	f.ParentOffset = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	return src
}

// Packed implements marshal.Marshallable.Packed.
//
//go:nosplit
func (f *FDArrayObject) Packed() bool {
	return true
}

// MarshalUnsafe implements marshal.Marshallable.MarshalUnsafe.
func (f *FDArrayObject) MarshalUnsafe(dst []byte) []byte {
	size := f.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(&dst[0]), unsafe.Pointer(f), uintptr(size))
	return dst[size:]
}

// UnmarshalUnsafe implements marshal.Marshallable.UnmarshalUnsafe.
func (f *FDArrayObject) UnmarshalUnsafe(src []byte) []byte {
	size := f.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(f), unsafe.Pointer(&src[0]), uintptr(size))
	return src[size:]
}

// CopyOutN implements marshal.Marshallable.CopyOutN.
func (f *FDArrayObject) CopyOutN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(f)))
	hdr.Len = f.SizeBytes()
	hdr.Cap = f.SizeBytes()

	length, err := cc.CopyOutBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that f
	// must live until the use above.
	runtime.KeepAlive(f) // escapes: replaced by intrinsic.
	return length, err
}

// CopyOut implements marshal.Marshallable.CopyOut.
func (f *FDArrayObject) CopyOut(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return f.CopyOutN(cc, addr, f.SizeBytes())
}

// CopyInN implements marshal.Marshallable.CopyInN.
func (f *FDArrayObject) CopyInN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(f)))
	hdr.Len = f.SizeBytes()
	hdr.Cap = f.SizeBytes()

	length, err := cc.CopyInBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that f
	// must live until the use above.
	runtime.KeepAlive(f) // escapes: replaced by intrinsic.
	return length, err
}

// CopyIn implements marshal.Marshallable.CopyIn.
func (f *FDArrayObject) CopyIn(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return f.CopyInN(cc, addr, f.SizeBytes())
}

// WriteTo implements io.WriterTo.WriteTo.
func (f *FDArrayObject) WriteTo(writer io.Writer) (int64, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(f)))
	hdr.Len = f.SizeBytes()
	hdr.Cap = f.SizeBytes()

	length, err := writer.Write(buf)
	// Since we bypassed the compiler's escape analysis, indicate that f
	// must live until the use above.
	runtime.KeepAlive(f) // escapes: replaced by intrinsic.
	return int64(length), err
}

// SizeBytes implements marshal.Marshallable.SizeBytes.
func (f *FDObject) SizeBytes() int {
	return 24
}

// MarshalBytes implements marshal.Marshallable.MarshalBytes.
func (f *FDObject) MarshalBytes(dst []byte) []byte {
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(f.Type))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(f.PadFlags))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(f.FD))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(f.PadFD))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(f.Cookie))
	dst = dst[8:]
	return dst
}

// UnmarshalBytes implements marshal.Marshallable.UnmarshalBytes.
func (f *FDObject) UnmarshalBytes(src []byte) []byte {
	f.Type = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	f.PadFlags = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	f.FD = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	f.PadFD = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	f.Cookie = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	return src
}

// Packed implements marshal.Marshallable.Packed.
//
//go:nosplit
func (f *FDObject) Packed() bool {
	return true
}

// MarshalUnsafe implements marshal.Marshallable.MarshalUnsafe.
func (f *FDObject) MarshalUnsafe(dst []byte) []byte {
	size := f.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(&dst[0]), unsafe.Pointer(f), uintptr(size))
	return dst[size:]
}

// UnmarshalUnsafe implements marshal.Marshallable.UnmarshalUnsafe.
func (f *FDObject) UnmarshalUnsafe(src []byte) []byte {
	size := f.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(f), unsafe.Pointer(&src[0]), uintptr(size))
	return src[size:]
}

// CopyOutN implements marshal.Marshallable.CopyOutN.
func (f *FDObject) CopyOutN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(f)))
	hdr.Len = f.SizeBytes()
	hdr.Cap = f.SizeBytes()

	length, err := cc.CopyOutBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that f
	// must live until the use above.
	runtime.KeepAlive(f) // escapes: replaced by intrinsic.
	return length, err
}

// CopyOut implements marshal.Marshallable.CopyOut.
func (f *FDObject) CopyOut(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return f.CopyOutN(cc, addr, f.SizeBytes())
}

// CopyInN implements marshal.Marshallable.CopyInN.
func (f *FDObject) CopyInN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(f)))
	hdr.Len = f.SizeBytes()
	hdr.Cap = f.SizeBytes()

	length, err := cc.CopyInBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that f
	// must live until the use above.
	runtime.KeepAlive(f) // escapes: replaced by intrinsic.
	return length, err
}

// CopyIn implements marshal.Marshallable.CopyIn.
func (f *FDObject) CopyIn(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return f.CopyInN(cc, addr, f.SizeBytes())
}

// WriteTo implements io.WriterTo.WriteTo.
func (f *FDObject) WriteTo(writer io.Writer) (int64, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(f)))
	hdr.Len = f.SizeBytes()
	hdr.Cap = f.SizeBytes()

	length, err := writer.Write(buf)
	// Since we bypassed the compiler's escape analysis, indicate that f
	// must live until the use above.
	runtime.KeepAlive(f) // escapes: replaced by intrinsic.
	return int64(length), err
}

// SizeBytes implements marshal.Marshallable.SizeBytes.
func (f *FlatObject) SizeBytes() int {
	return 24
}

// MarshalBytes implements marshal.Marshallable.MarshalBytes.
func (f *FlatObject) MarshalBytes(dst []byte) []byte {
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(f.Type))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(f.Flags))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(f.Binder))
	dst = dst[8:]
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(f.Cookie))
	dst = dst[8:]
	return dst
}

// UnmarshalBytes implements marshal.Marshallable.UnmarshalBytes.
func (f *FlatObject) UnmarshalBytes(src []byte) []byte {
	f.Type = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	f.Flags = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	f.Binder = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	f.Cookie = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	return src
}

// Packed implements marshal.Marshallable.Packed.
//
//go:nosplit
func (f *FlatObject) Packed() bool {
	return true
}

// MarshalUnsafe implements marshal.Marshallable.MarshalUnsafe.
func (f *FlatObject) MarshalUnsafe(dst []byte) []byte {
	size := f.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(&dst[0]), unsafe.Pointer(f), uintptr(size))
	return dst[size:]
}

// UnmarshalUnsafe implements marshal.Marshallable.UnmarshalUnsafe.
func (f *FlatObject) UnmarshalUnsafe(src []byte) []byte {
	size := f.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(f), unsafe.Pointer(&src[0]), uintptr(size))
	return src[size:]
}

// CopyOutN implements marshal.Marshallable.CopyOutN.
func (f *FlatObject) CopyOutN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(f)))
	hdr.Len = f.SizeBytes()
	hdr.Cap = f.SizeBytes()

	length, err := cc.CopyOutBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that f
	// must live until the use above.
	runtime.KeepAlive(f) // escapes: replaced by intrinsic.
	return length, err
}

// CopyOut implements marshal.Marshallable.CopyOut.
func (f *FlatObject) CopyOut(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return f.CopyOutN(cc, addr, f.SizeBytes())
}

// CopyInN implements marshal.Marshallable.CopyInN.
func (f *FlatObject) CopyInN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(f)))
	hdr.Len = f.SizeBytes()
	hdr.Cap = f.SizeBytes()

	length, err := cc.CopyInBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that f
	// must live until the use above.
	runtime.KeepAlive(f) // escapes: replaced by intrinsic.
	return length, err
}

// CopyIn implements marshal.Marshallable.CopyIn.
func (f *FlatObject) CopyIn(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return f.CopyInN(cc, addr, f.SizeBytes())
}

// WriteTo implements io.WriterTo.WriteTo.
func (f *FlatObject) WriteTo(writer io.Writer) (int64, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(f)))
	hdr.Len = f.SizeBytes()
	hdr.Cap = f.SizeBytes()

	length, err := writer.Write(buf)
	// Since we bypassed the compiler's escape analysis, indicate that f
	// must live until the use above.
	runtime.KeepAlive(f) // escapes: replaced by intrinsic.
	return int64(length), err
}

// SizeBytes implements marshal.Marshallable.SizeBytes.
func (f *FreezeInfo) SizeBytes() int {
	return 12
}

// MarshalBytes implements marshal.Marshallable.MarshalBytes.
func (f *FreezeInfo) MarshalBytes(dst []byte) []byte {
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(f.PID))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(f.Enable))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(f.TimeoutMS))
	dst = dst[4:]
	return dst
}

// UnmarshalBytes implements marshal.Marshallable.UnmarshalBytes.
func (f *FreezeInfo) UnmarshalBytes(src []byte) []byte {
	f.PID = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	f.Enable = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	f.TimeoutMS = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	return src
}

// Packed implements marshal.Marshallable.Packed.
//
//go:nosplit
func (f *FreezeInfo) Packed() bool {
	return true
}

// MarshalUnsafe implements marshal.Marshallable.MarshalUnsafe.
func (f *FreezeInfo) MarshalUnsafe(dst []byte) []byte {
	size := f.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(&dst[0]), unsafe.Pointer(f), uintptr(size))
	return dst[size:]
}

// UnmarshalUnsafe implements marshal.Marshallable.UnmarshalUnsafe.
func (f *FreezeInfo) UnmarshalUnsafe(src []byte) []byte {
	size := f.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(f), unsafe.Pointer(&src[0]), uintptr(size))
	return src[size:]
}

// CopyOutN implements marshal.Marshallable.CopyOutN.
func (f *FreezeInfo) CopyOutN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(f)))
	hdr.Len = f.SizeBytes()
	hdr.Cap = f.SizeBytes()

	length, err := cc.CopyOutBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that f
	// must live until the use above.
	runtime.KeepAlive(f) // escapes: replaced by intrinsic.
	return length, err
}

// CopyOut implements marshal.Marshallable.CopyOut.
func (f *FreezeInfo) CopyOut(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return f.CopyOutN(cc, addr, f.SizeBytes())
}

// CopyInN implements marshal.Marshallable.CopyInN.
func (f *FreezeInfo) CopyInN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(f)))
	hdr.Len = f.SizeBytes()
	hdr.Cap = f.SizeBytes()

	length, err := cc.CopyInBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that f
	// must live until the use above.
	runtime.KeepAlive(f) // escapes: replaced by intrinsic.
	return length, err
}

// CopyIn implements marshal.Marshallable.CopyIn.
func (f *FreezeInfo) CopyIn(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return f.CopyInN(cc, addr, f.SizeBytes())
}

// WriteTo implements io.WriterTo.WriteTo.
func (f *FreezeInfo) WriteTo(writer io.Writer) (int64, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(f)))
	hdr.Len = f.SizeBytes()
	hdr.Cap = f.SizeBytes()

	length, err := writer.Write(buf)
	// Since we bypassed the compiler's escape analysis, indicate that f
	// must live until the use above.
	runtime.KeepAlive(f) // escapes: replaced by intrinsic.
	return int64(length), err
}

// SizeBytes implements marshal.Marshallable.SizeBytes.
func (f *FrozenStateInfo) SizeBytes() int {
	return 16
}

// MarshalBytes implements marshal.Marshallable.MarshalBytes.
func (f *FrozenStateInfo) MarshalBytes(dst []byte) []byte {
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(f.Cookie))
	dst = dst[8:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(f.IsFrozen))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(f.Reserved))
	dst = dst[4:]
	return dst
}

// UnmarshalBytes implements marshal.Marshallable.UnmarshalBytes.
func (f *FrozenStateInfo) UnmarshalBytes(src []byte) []byte {
	f.Cookie = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	f.IsFrozen = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	f.Reserved = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	return src
}

// Packed implements marshal.Marshallable.Packed.
//
//go:nosplit
func (f *FrozenStateInfo) Packed() bool {
	return true
}

// MarshalUnsafe implements marshal.Marshallable.MarshalUnsafe.
func (f *FrozenStateInfo) MarshalUnsafe(dst []byte) []byte {
	size := f.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(&dst[0]), unsafe.Pointer(f), uintptr(size))
	return dst[size:]
}

// UnmarshalUnsafe implements marshal.Marshallable.UnmarshalUnsafe.
func (f *FrozenStateInfo) UnmarshalUnsafe(src []byte) []byte {
	size := f.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(f), unsafe.Pointer(&src[0]), uintptr(size))
	return src[size:]
}

// CopyOutN implements marshal.Marshallable.CopyOutN.
func (f *FrozenStateInfo) CopyOutN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(f)))
	hdr.Len = f.SizeBytes()
	hdr.Cap = f.SizeBytes()

	length, err := cc.CopyOutBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that f
	// must live until the use above.
	runtime.KeepAlive(f) // escapes: replaced by intrinsic.
	return length, err
}

// CopyOut implements marshal.Marshallable.CopyOut.
func (f *FrozenStateInfo) CopyOut(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return f.CopyOutN(cc, addr, f.SizeBytes())
}

// CopyInN implements marshal.Marshallable.CopyInN.
func (f *FrozenStateInfo) CopyInN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(f)))
	hdr.Len = f.SizeBytes()
	hdr.Cap = f.SizeBytes()

	length, err := cc.CopyInBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that f
	// must live until the use above.
	runtime.KeepAlive(f) // escapes: replaced by intrinsic.
	return length, err
}

// CopyIn implements marshal.Marshallable.CopyIn.
func (f *FrozenStateInfo) CopyIn(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return f.CopyInN(cc, addr, f.SizeBytes())
}

// WriteTo implements io.WriterTo.WriteTo.
func (f *FrozenStateInfo) WriteTo(writer io.Writer) (int64, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(f)))
	hdr.Len = f.SizeBytes()
	hdr.Cap = f.SizeBytes()

	length, err := writer.Write(buf)
	// Since we bypassed the compiler's escape analysis, indicate that f
	// must live until the use above.
	runtime.KeepAlive(f) // escapes: replaced by intrinsic.
	return int64(length), err
}

// SizeBytes implements marshal.Marshallable.SizeBytes.
func (f *FrozenStatusInfo) SizeBytes() int {
	return 12
}

// MarshalBytes implements marshal.Marshallable.MarshalBytes.
func (f *FrozenStatusInfo) MarshalBytes(dst []byte) []byte {
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(f.PID))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(f.SyncRecv))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(f.AsyncRecv))
	dst = dst[4:]
	return dst
}

// UnmarshalBytes implements marshal.Marshallable.UnmarshalBytes.
func (f *FrozenStatusInfo) UnmarshalBytes(src []byte) []byte {
	f.PID = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	f.SyncRecv = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	f.AsyncRecv = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	return src
}

// Packed implements marshal.Marshallable.Packed.
//
//go:nosplit
func (f *FrozenStatusInfo) Packed() bool {
	return true
}

// MarshalUnsafe implements marshal.Marshallable.MarshalUnsafe.
func (f *FrozenStatusInfo) MarshalUnsafe(dst []byte) []byte {
	size := f.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(&dst[0]), unsafe.Pointer(f), uintptr(size))
	return dst[size:]
}

// UnmarshalUnsafe implements marshal.Marshallable.UnmarshalUnsafe.
func (f *FrozenStatusInfo) UnmarshalUnsafe(src []byte) []byte {
	size := f.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(f), unsafe.Pointer(&src[0]), uintptr(size))
	return src[size:]
}

// CopyOutN implements marshal.Marshallable.CopyOutN.
func (f *FrozenStatusInfo) CopyOutN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(f)))
	hdr.Len = f.SizeBytes()
	hdr.Cap = f.SizeBytes()

	length, err := cc.CopyOutBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that f
	// must live until the use above.
	runtime.KeepAlive(f) // escapes: replaced by intrinsic.
	return length, err
}

// CopyOut implements marshal.Marshallable.CopyOut.
func (f *FrozenStatusInfo) CopyOut(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return f.CopyOutN(cc, addr, f.SizeBytes())
}

// CopyInN implements marshal.Marshallable.CopyInN.
func (f *FrozenStatusInfo) CopyInN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(f)))
	hdr.Len = f.SizeBytes()
	hdr.Cap = f.SizeBytes()

	length, err := cc.CopyInBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that f
	// must live until the use above.
	runtime.KeepAlive(f) // escapes: replaced by intrinsic.
	return length, err
}

// CopyIn implements marshal.Marshallable.CopyIn.
func (f *FrozenStatusInfo) CopyIn(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return f.CopyInN(cc, addr, f.SizeBytes())
}

// WriteTo implements io.WriterTo.WriteTo.
func (f *FrozenStatusInfo) WriteTo(writer io.Writer) (int64, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(f)))
	hdr.Len = f.SizeBytes()
	hdr.Cap = f.SizeBytes()

	length, err := writer.Write(buf)
	// Since we bypassed the compiler's escape analysis, indicate that f
	// must live until the use above.
	runtime.KeepAlive(f) // escapes: replaced by intrinsic.
	return int64(length), err
}

// SizeBytes implements marshal.Marshallable.SizeBytes.
func (n *NodeDebugInfo) SizeBytes() int {
	return 24
}

// MarshalBytes implements marshal.Marshallable.MarshalBytes.
func (n *NodeDebugInfo) MarshalBytes(dst []byte) []byte {
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(n.Ptr))
	dst = dst[8:]
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(n.Cookie))
	dst = dst[8:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(n.HasStrongRef))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(n.HasWeakRef))
	dst = dst[4:]
	return dst
}

// UnmarshalBytes implements marshal.Marshallable.UnmarshalBytes.
func (n *NodeDebugInfo) UnmarshalBytes(src []byte) []byte {
	n.Ptr = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	n.Cookie = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	n.HasStrongRef = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	n.HasWeakRef = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	return src
}

// Packed implements marshal.Marshallable.Packed.
//
//go:nosplit
func (n *NodeDebugInfo) Packed() bool {
	return true
}

// MarshalUnsafe implements marshal.Marshallable.MarshalUnsafe.
func (n *NodeDebugInfo) MarshalUnsafe(dst []byte) []byte {
	size := n.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(&dst[0]), unsafe.Pointer(n), uintptr(size))
	return dst[size:]
}

// UnmarshalUnsafe implements marshal.Marshallable.UnmarshalUnsafe.
func (n *NodeDebugInfo) UnmarshalUnsafe(src []byte) []byte {
	size := n.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(n), unsafe.Pointer(&src[0]), uintptr(size))
	return src[size:]
}

// CopyOutN implements marshal.Marshallable.CopyOutN.
func (n *NodeDebugInfo) CopyOutN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(n)))
	hdr.Len = n.SizeBytes()
	hdr.Cap = n.SizeBytes()

	length, err := cc.CopyOutBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that n
	// must live until the use above.
	runtime.KeepAlive(n) // escapes: replaced by intrinsic.
	return length, err
}

// CopyOut implements marshal.Marshallable.CopyOut.
func (n *NodeDebugInfo) CopyOut(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return n.CopyOutN(cc, addr, n.SizeBytes())
}

// CopyInN implements marshal.Marshallable.CopyInN.
func (n *NodeDebugInfo) CopyInN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(n)))
	hdr.Len = n.SizeBytes()
	hdr.Cap = n.SizeBytes()

	length, err := cc.CopyInBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that n
	// must live until the use above.
	runtime.KeepAlive(n) // escapes: replaced by intrinsic.
	return length, err
}

// CopyIn implements marshal.Marshallable.CopyIn.
func (n *NodeDebugInfo) CopyIn(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return n.CopyInN(cc, addr, n.SizeBytes())
}

// WriteTo implements io.WriterTo.WriteTo.
func (n *NodeDebugInfo) WriteTo(writer io.Writer) (int64, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(n)))
	hdr.Len = n.SizeBytes()
	hdr.Cap = n.SizeBytes()

	length, err := writer.Write(buf)
	// Since we bypassed the compiler's escape analysis, indicate that n
	// must live until the use above.
	runtime.KeepAlive(n) // escapes: replaced by intrinsic.
	return int64(length), err
}

// SizeBytes implements marshal.Marshallable.SizeBytes.
func (n *NodeInfoForRef) SizeBytes() int {
	return 24
}

// MarshalBytes implements marshal.Marshallable.MarshalBytes.
func (n *NodeInfoForRef) MarshalBytes(dst []byte) []byte {
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(n.Handle))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(n.StrongCount))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(n.WeakCount))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(n.Reserved1))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(n.Reserved2))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(n.Reserved3))
	dst = dst[4:]
	return dst
}

// UnmarshalBytes implements marshal.Marshallable.UnmarshalBytes.
func (n *NodeInfoForRef) UnmarshalBytes(src []byte) []byte {
	n.Handle = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	n.StrongCount = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	n.WeakCount = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	n.Reserved1 = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	n.Reserved2 = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	n.Reserved3 = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	return src
}

// Packed implements marshal.Marshallable.Packed.
//
//go:nosplit
func (n *NodeInfoForRef) Packed() bool {
	return true
}

// MarshalUnsafe implements marshal.Marshallable.MarshalUnsafe.
func (n *NodeInfoForRef) MarshalUnsafe(dst []byte) []byte {
	size := n.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(&dst[0]), unsafe.Pointer(n), uintptr(size))
	return dst[size:]
}

// UnmarshalUnsafe implements marshal.Marshallable.UnmarshalUnsafe.
func (n *NodeInfoForRef) UnmarshalUnsafe(src []byte) []byte {
	size := n.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(n), unsafe.Pointer(&src[0]), uintptr(size))
	return src[size:]
}

// CopyOutN implements marshal.Marshallable.CopyOutN.
func (n *NodeInfoForRef) CopyOutN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(n)))
	hdr.Len = n.SizeBytes()
	hdr.Cap = n.SizeBytes()

	length, err := cc.CopyOutBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that n
	// must live until the use above.
	runtime.KeepAlive(n) // escapes: replaced by intrinsic.
	return length, err
}

// CopyOut implements marshal.Marshallable.CopyOut.
func (n *NodeInfoForRef) CopyOut(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return n.CopyOutN(cc, addr, n.SizeBytes())
}

// CopyInN implements marshal.Marshallable.CopyInN.
func (n *NodeInfoForRef) CopyInN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(n)))
	hdr.Len = n.SizeBytes()
	hdr.Cap = n.SizeBytes()

	length, err := cc.CopyInBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that n
	// must live until the use above.
	runtime.KeepAlive(n) // escapes: replaced by intrinsic.
	return length, err
}

// CopyIn implements marshal.Marshallable.CopyIn.
func (n *NodeInfoForRef) CopyIn(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return n.CopyInN(cc, addr, n.SizeBytes())
}

// WriteTo implements io.WriterTo.WriteTo.
func (n *NodeInfoForRef) WriteTo(writer io.Writer) (int64, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(n)))
	hdr.Len = n.SizeBytes()
	hdr.Cap = n.SizeBytes()

	length, err := writer.Write(buf)
	// Since we bypassed the compiler's escape analysis, indicate that n
	// must live until the use above.
	runtime.KeepAlive(n) // escapes: replaced by intrinsic.
	return int64(length), err
}

// SizeBytes implements marshal.Marshallable.SizeBytes.
func (p *PtrCookie) SizeBytes() int {
	return 16
}

// MarshalBytes implements marshal.Marshallable.MarshalBytes.
func (p *PtrCookie) MarshalBytes(dst []byte) []byte {
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(p.Ptr))
	dst = dst[8:]
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(p.Cookie))
	dst = dst[8:]
	return dst
}

// UnmarshalBytes implements marshal.Marshallable.UnmarshalBytes.
func (p *PtrCookie) UnmarshalBytes(src []byte) []byte {
	p.Ptr = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	p.Cookie = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	return src
}

// Packed implements marshal.Marshallable.Packed.
//
//go:nosplit
func (p *PtrCookie) Packed() bool {
	return true
}

// MarshalUnsafe implements marshal.Marshallable.MarshalUnsafe.
func (p *PtrCookie) MarshalUnsafe(dst []byte) []byte {
	size := p.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(&dst[0]), unsafe.Pointer(p), uintptr(size))
	return dst[size:]
}

// UnmarshalUnsafe implements marshal.Marshallable.UnmarshalUnsafe.
func (p *PtrCookie) UnmarshalUnsafe(src []byte) []byte {
	size := p.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(p), unsafe.Pointer(&src[0]), uintptr(size))
	return src[size:]
}

// CopyOutN implements marshal.Marshallable.CopyOutN.
func (p *PtrCookie) CopyOutN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(p)))
	hdr.Len = p.SizeBytes()
	hdr.Cap = p.SizeBytes()

	length, err := cc.CopyOutBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that p
	// must live until the use above.
	runtime.KeepAlive(p) // escapes: replaced by intrinsic.
	return length, err
}

// CopyOut implements marshal.Marshallable.CopyOut.
func (p *PtrCookie) CopyOut(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return p.CopyOutN(cc, addr, p.SizeBytes())
}

// CopyInN implements marshal.Marshallable.CopyInN.
func (p *PtrCookie) CopyInN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(p)))
	hdr.Len = p.SizeBytes()
	hdr.Cap = p.SizeBytes()

	length, err := cc.CopyInBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that p
	// must live until the use above.
	runtime.KeepAlive(p) // escapes: replaced by intrinsic.
	return length, err
}

// CopyIn implements marshal.Marshallable.CopyIn.
func (p *PtrCookie) CopyIn(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return p.CopyInN(cc, addr, p.SizeBytes())
}

// WriteTo implements io.WriterTo.WriteTo.
func (p *PtrCookie) WriteTo(writer io.Writer) (int64, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(p)))
	hdr.Len = p.SizeBytes()
	hdr.Cap = p.SizeBytes()

	length, err := writer.Write(buf)
	// Since we bypassed the compiler's escape analysis, indicate that p
	// must live until the use above.
	runtime.KeepAlive(p) // escapes: replaced by intrinsic.
	return int64(length), err
}

// SizeBytes implements marshal.Marshallable.SizeBytes.
func (t *TransactionData) SizeBytes() int {
	return 64
}

// MarshalBytes implements marshal.Marshallable.MarshalBytes.
func (t *TransactionData) MarshalBytes(dst []byte) []byte {
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(t.Target))
	dst = dst[8:]
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(t.Cookie))
	dst = dst[8:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(t.Code))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(t.Flags))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(t.SenderPID))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(t.SenderEUID))
	dst = dst[4:]
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(t.DataSize))
	dst = dst[8:]
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(t.OffsetsSize))
	dst = dst[8:]
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(t.Buffer))
	dst = dst[8:]
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(t.Offsets))
	dst = dst[8:]
	return dst
}

// UnmarshalBytes implements marshal.Marshallable.UnmarshalBytes.
func (t *TransactionData) UnmarshalBytes(src []byte) []byte {
	t.Target = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	t.Cookie = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	t.Code = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	t.Flags = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	t.SenderPID = int32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	t.SenderEUID = uint32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	t.DataSize = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	t.OffsetsSize = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	t.Buffer = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	t.Offsets = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	return src
}

// Packed implements marshal.Marshallable.Packed.
//
//go:nosplit
func (t *TransactionData) Packed() bool {
	return true
}

// MarshalUnsafe implements marshal.Marshallable.MarshalUnsafe.
func (t *TransactionData) MarshalUnsafe(dst []byte) []byte {
	size := t.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(&dst[0]), unsafe.Pointer(t), uintptr(size))
	return dst[size:]
}

// UnmarshalUnsafe implements marshal.Marshallable.UnmarshalUnsafe.
func (t *TransactionData) UnmarshalUnsafe(src []byte) []byte {
	size := t.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(t), unsafe.Pointer(&src[0]), uintptr(size))
	return src[size:]
}

// CopyOutN implements marshal.Marshallable.CopyOutN.
func (t *TransactionData) CopyOutN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(t)))
	hdr.Len = t.SizeBytes()
	hdr.Cap = t.SizeBytes()

	length, err := cc.CopyOutBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that t
	// must live until the use above.
	runtime.KeepAlive(t) // escapes: replaced by intrinsic.
	return length, err
}

// CopyOut implements marshal.Marshallable.CopyOut.
func (t *TransactionData) CopyOut(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return t.CopyOutN(cc, addr, t.SizeBytes())
}

// CopyInN implements marshal.Marshallable.CopyInN.
func (t *TransactionData) CopyInN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(t)))
	hdr.Len = t.SizeBytes()
	hdr.Cap = t.SizeBytes()

	length, err := cc.CopyInBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that t
	// must live until the use above.
	runtime.KeepAlive(t) // escapes: replaced by intrinsic.
	return length, err
}

// CopyIn implements marshal.Marshallable.CopyIn.
func (t *TransactionData) CopyIn(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return t.CopyInN(cc, addr, t.SizeBytes())
}

// WriteTo implements io.WriterTo.WriteTo.
func (t *TransactionData) WriteTo(writer io.Writer) (int64, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(t)))
	hdr.Len = t.SizeBytes()
	hdr.Cap = t.SizeBytes()

	length, err := writer.Write(buf)
	// Since we bypassed the compiler's escape analysis, indicate that t
	// must live until the use above.
	runtime.KeepAlive(t) // escapes: replaced by intrinsic.
	return int64(length), err
}

// SizeBytes implements marshal.Marshallable.SizeBytes.
func (t *TransactionDataSG) SizeBytes() int {
	return 8 +
		(*TransactionData)(nil).SizeBytes()
}

// MarshalBytes implements marshal.Marshallable.MarshalBytes.
func (t *TransactionDataSG) MarshalBytes(dst []byte) []byte {
	dst = t.TransactionData.MarshalUnsafe(dst)
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(t.BuffersSize))
	dst = dst[8:]
	return dst
}

// UnmarshalBytes implements marshal.Marshallable.UnmarshalBytes.
func (t *TransactionDataSG) UnmarshalBytes(src []byte) []byte {
	src = t.TransactionData.UnmarshalUnsafe(src)
	t.BuffersSize = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	return src
}

// Packed implements marshal.Marshallable.Packed.
//
//go:nosplit
func (t *TransactionDataSG) Packed() bool {
	return t.TransactionData.Packed()
}

// MarshalUnsafe implements marshal.Marshallable.MarshalUnsafe.
func (t *TransactionDataSG) MarshalUnsafe(dst []byte) []byte {
	if t.TransactionData.Packed() {
		size := t.SizeBytes()
		gohacks.Memmove(unsafe.Pointer(&dst[0]), unsafe.Pointer(t), uintptr(size))
		return dst[size:]
	}
	// Type TransactionDataSG doesn't have a packed layout in memory, fallback to MarshalBytes.
	return t.MarshalBytes(dst)
}

// UnmarshalUnsafe implements marshal.Marshallable.UnmarshalUnsafe.
func (t *TransactionDataSG) UnmarshalUnsafe(src []byte) []byte {
	if t.TransactionData.Packed() {
		size := t.SizeBytes()
		gohacks.Memmove(unsafe.Pointer(t), unsafe.Pointer(&src[0]), uintptr(size))
		return src[size:]
	}
	// Type TransactionDataSG doesn't have a packed layout in memory, fallback to UnmarshalBytes.
	return t.UnmarshalBytes(src)
}

// CopyOutN implements marshal.Marshallable.CopyOutN.
func (t *TransactionDataSG) CopyOutN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	if !t.TransactionData.Packed() {
		// Type TransactionDataSG doesn't have a packed layout in memory, fall back to MarshalBytes.
		buf := cc.CopyScratchBuffer(t.SizeBytes()) // escapes: okay.
		t.MarshalBytes(buf)                        // escapes: fallback.
		return cc.CopyOutBytes(addr, buf[:limit])  // escapes: okay.
	}

	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(t)))
	hdr.Len = t.SizeBytes()
	hdr.Cap = t.SizeBytes()

	length, err := cc.CopyOutBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that t
	// must live until the use above.
	runtime.KeepAlive(t) // escapes: replaced by intrinsic.
	return length, err
}

// CopyOut implements marshal.Marshallable.CopyOut.
func (t *TransactionDataSG) CopyOut(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return t.CopyOutN(cc, addr, t.SizeBytes())
}

// CopyInN implements marshal.Marshallable.CopyInN.
func (t *TransactionDataSG) CopyInN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	if !t.TransactionData.Packed() {
		// Type TransactionDataSG doesn't have a packed layout in memory, fall back to UnmarshalBytes.
		buf := cc.CopyScratchBuffer(t.SizeBytes())       // escapes: okay.
		length, err := cc.CopyInBytes(addr, buf[:limit]) // escapes: okay.
		// Unmarshal unconditionally. If we had a short copy-in, this results in a
		// partially unmarshalled struct.
		t.UnmarshalBytes(buf) // escapes: fallback.
		return length, err
	}

	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(t)))
	hdr.Len = t.SizeBytes()
	hdr.Cap = t.SizeBytes()

	length, err := cc.CopyInBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that t
	// must live until the use above.
	runtime.KeepAlive(t) // escapes: replaced by intrinsic.
	return length, err
}

// CopyIn implements marshal.Marshallable.CopyIn.
func (t *TransactionDataSG) CopyIn(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return t.CopyInN(cc, addr, t.SizeBytes())
}

// WriteTo implements io.WriterTo.WriteTo.
func (t *TransactionDataSG) WriteTo(writer io.Writer) (int64, error) {
	if !t.TransactionData.Packed() {
		// Type TransactionDataSG doesn't have a packed layout in memory, fall back to MarshalBytes.
		buf := make([]byte, t.SizeBytes())
		t.MarshalBytes(buf)
		length, err := writer.Write(buf)
		return int64(length), err
	}

	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(t)))
	hdr.Len = t.SizeBytes()
	hdr.Cap = t.SizeBytes()

	length, err := writer.Write(buf)
	// Since we bypassed the compiler's escape analysis, indicate that t
	// must live until the use above.
	runtime.KeepAlive(t) // escapes: replaced by intrinsic.
	return int64(length), err
}

// SizeBytes implements marshal.Marshallable.SizeBytes.
func (t *TransactionDataSecctx) SizeBytes() int {
	return 8 +
		(*TransactionData)(nil).SizeBytes()
}

// MarshalBytes implements marshal.Marshallable.MarshalBytes.
func (t *TransactionDataSecctx) MarshalBytes(dst []byte) []byte {
	dst = t.TransactionData.MarshalUnsafe(dst)
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(t.Secctx))
	dst = dst[8:]
	return dst
}

// UnmarshalBytes implements marshal.Marshallable.UnmarshalBytes.
func (t *TransactionDataSecctx) UnmarshalBytes(src []byte) []byte {
	src = t.TransactionData.UnmarshalUnsafe(src)
	t.Secctx = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	return src
}

// Packed implements marshal.Marshallable.Packed.
//
//go:nosplit
func (t *TransactionDataSecctx) Packed() bool {
	return t.TransactionData.Packed()
}

// MarshalUnsafe implements marshal.Marshallable.MarshalUnsafe.
func (t *TransactionDataSecctx) MarshalUnsafe(dst []byte) []byte {
	if t.TransactionData.Packed() {
		size := t.SizeBytes()
		gohacks.Memmove(unsafe.Pointer(&dst[0]), unsafe.Pointer(t), uintptr(size))
		return dst[size:]
	}
	// Type TransactionDataSecctx doesn't have a packed layout in memory, fallback to MarshalBytes.
	return t.MarshalBytes(dst)
}

// UnmarshalUnsafe implements marshal.Marshallable.UnmarshalUnsafe.
func (t *TransactionDataSecctx) UnmarshalUnsafe(src []byte) []byte {
	if t.TransactionData.Packed() {
		size := t.SizeBytes()
		gohacks.Memmove(unsafe.Pointer(t), unsafe.Pointer(&src[0]), uintptr(size))
		return src[size:]
	}
	// Type TransactionDataSecctx doesn't have a packed layout in memory, fallback to UnmarshalBytes.
	return t.UnmarshalBytes(src)
}

// CopyOutN implements marshal.Marshallable.CopyOutN.
func (t *TransactionDataSecctx) CopyOutN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	if !t.TransactionData.Packed() {
		// Type TransactionDataSecctx doesn't have a packed layout in memory, fall back to MarshalBytes.
		buf := cc.CopyScratchBuffer(t.SizeBytes()) // escapes: okay.
		t.MarshalBytes(buf)                        // escapes: fallback.
		return cc.CopyOutBytes(addr, buf[:limit])  // escapes: okay.
	}

	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(t)))
	hdr.Len = t.SizeBytes()
	hdr.Cap = t.SizeBytes()

	length, err := cc.CopyOutBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that t
	// must live until the use above.
	runtime.KeepAlive(t) // escapes: replaced by intrinsic.
	return length, err
}

// CopyOut implements marshal.Marshallable.CopyOut.
func (t *TransactionDataSecctx) CopyOut(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return t.CopyOutN(cc, addr, t.SizeBytes())
}

// CopyInN implements marshal.Marshallable.CopyInN.
func (t *TransactionDataSecctx) CopyInN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	if !t.TransactionData.Packed() {
		// Type TransactionDataSecctx doesn't have a packed layout in memory, fall back to UnmarshalBytes.
		buf := cc.CopyScratchBuffer(t.SizeBytes())       // escapes: okay.
		length, err := cc.CopyInBytes(addr, buf[:limit]) // escapes: okay.
		// Unmarshal unconditionally. If we had a short copy-in, this results in a
		// partially unmarshalled struct.
		t.UnmarshalBytes(buf) // escapes: fallback.
		return length, err
	}

	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(t)))
	hdr.Len = t.SizeBytes()
	hdr.Cap = t.SizeBytes()

	length, err := cc.CopyInBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that t
	// must live until the use above.
	runtime.KeepAlive(t) // escapes: replaced by intrinsic.
	return length, err
}

// CopyIn implements marshal.Marshallable.CopyIn.
func (t *TransactionDataSecctx) CopyIn(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return t.CopyInN(cc, addr, t.SizeBytes())
}

// WriteTo implements io.WriterTo.WriteTo.
func (t *TransactionDataSecctx) WriteTo(writer io.Writer) (int64, error) {
	if !t.TransactionData.Packed() {
		// Type TransactionDataSecctx doesn't have a packed layout in memory, fall back to MarshalBytes.
		buf := make([]byte, t.SizeBytes())
		t.MarshalBytes(buf)
		length, err := writer.Write(buf)
		return int64(length), err
	}

	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(t)))
	hdr.Len = t.SizeBytes()
	hdr.Cap = t.SizeBytes()

	length, err := writer.Write(buf)
	// Since we bypassed the compiler's escape analysis, indicate that t
	// must live until the use above.
	runtime.KeepAlive(t) // escapes: replaced by intrinsic.
	return int64(length), err
}

// SizeBytes implements marshal.Marshallable.SizeBytes.
func (v *Version) SizeBytes() int {
	return 4
}

// MarshalBytes implements marshal.Marshallable.MarshalBytes.
func (v *Version) MarshalBytes(dst []byte) []byte {
	hostarch.ByteOrder.PutUint32(dst[:4], uint32(v.ProtocolVersion))
	dst = dst[4:]
	return dst
}

// UnmarshalBytes implements marshal.Marshallable.UnmarshalBytes.
func (v *Version) UnmarshalBytes(src []byte) []byte {
	v.ProtocolVersion = int32(hostarch.ByteOrder.Uint32(src[:4]))
	src = src[4:]
	return src
}

// Packed implements marshal.Marshallable.Packed.
//
//go:nosplit
func (v *Version) Packed() bool {
	return true
}

// MarshalUnsafe implements marshal.Marshallable.MarshalUnsafe.
func (v *Version) MarshalUnsafe(dst []byte) []byte {
	size := v.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(&dst[0]), unsafe.Pointer(v), uintptr(size))
	return dst[size:]
}

// UnmarshalUnsafe implements marshal.Marshallable.UnmarshalUnsafe.
func (v *Version) UnmarshalUnsafe(src []byte) []byte {
	size := v.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(v), unsafe.Pointer(&src[0]), uintptr(size))
	return src[size:]
}

// CopyOutN implements marshal.Marshallable.CopyOutN.
func (v *Version) CopyOutN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(v)))
	hdr.Len = v.SizeBytes()
	hdr.Cap = v.SizeBytes()

	length, err := cc.CopyOutBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that v
	// must live until the use above.
	runtime.KeepAlive(v) // escapes: replaced by intrinsic.
	return length, err
}

// CopyOut implements marshal.Marshallable.CopyOut.
func (v *Version) CopyOut(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return v.CopyOutN(cc, addr, v.SizeBytes())
}

// CopyInN implements marshal.Marshallable.CopyInN.
func (v *Version) CopyInN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(v)))
	hdr.Len = v.SizeBytes()
	hdr.Cap = v.SizeBytes()

	length, err := cc.CopyInBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that v
	// must live until the use above.
	runtime.KeepAlive(v) // escapes: replaced by intrinsic.
	return length, err
}

// CopyIn implements marshal.Marshallable.CopyIn.
func (v *Version) CopyIn(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return v.CopyInN(cc, addr, v.SizeBytes())
}

// WriteTo implements io.WriterTo.WriteTo.
func (v *Version) WriteTo(writer io.Writer) (int64, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(v)))
	hdr.Len = v.SizeBytes()
	hdr.Cap = v.SizeBytes()

	length, err := writer.Write(buf)
	// Since we bypassed the compiler's escape analysis, indicate that v
	// must live until the use above.
	runtime.KeepAlive(v) // escapes: replaced by intrinsic.
	return int64(length), err
}

// SizeBytes implements marshal.Marshallable.SizeBytes.
func (w *WriteRead) SizeBytes() int {
	return 48
}

// MarshalBytes implements marshal.Marshallable.MarshalBytes.
func (w *WriteRead) MarshalBytes(dst []byte) []byte {
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(w.WriteSize))
	dst = dst[8:]
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(w.WriteConsumed))
	dst = dst[8:]
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(w.WriteBuffer))
	dst = dst[8:]
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(w.ReadSize))
	dst = dst[8:]
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(w.ReadConsumed))
	dst = dst[8:]
	hostarch.ByteOrder.PutUint64(dst[:8], uint64(w.ReadBuffer))
	dst = dst[8:]
	return dst
}

// UnmarshalBytes implements marshal.Marshallable.UnmarshalBytes.
func (w *WriteRead) UnmarshalBytes(src []byte) []byte {
	w.WriteSize = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	w.WriteConsumed = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	w.WriteBuffer = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	w.ReadSize = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	w.ReadConsumed = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	w.ReadBuffer = uint64(hostarch.ByteOrder.Uint64(src[:8]))
	src = src[8:]
	return src
}

// Packed implements marshal.Marshallable.Packed.
//
//go:nosplit
func (w *WriteRead) Packed() bool {
	return true
}

// MarshalUnsafe implements marshal.Marshallable.MarshalUnsafe.
func (w *WriteRead) MarshalUnsafe(dst []byte) []byte {
	size := w.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(&dst[0]), unsafe.Pointer(w), uintptr(size))
	return dst[size:]
}

// UnmarshalUnsafe implements marshal.Marshallable.UnmarshalUnsafe.
func (w *WriteRead) UnmarshalUnsafe(src []byte) []byte {
	size := w.SizeBytes()
	gohacks.Memmove(unsafe.Pointer(w), unsafe.Pointer(&src[0]), uintptr(size))
	return src[size:]
}

// CopyOutN implements marshal.Marshallable.CopyOutN.
func (w *WriteRead) CopyOutN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(w)))
	hdr.Len = w.SizeBytes()
	hdr.Cap = w.SizeBytes()

	length, err := cc.CopyOutBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that w
	// must live until the use above.
	runtime.KeepAlive(w) // escapes: replaced by intrinsic.
	return length, err
}

// CopyOut implements marshal.Marshallable.CopyOut.
func (w *WriteRead) CopyOut(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return w.CopyOutN(cc, addr, w.SizeBytes())
}

// CopyInN implements marshal.Marshallable.CopyInN.
func (w *WriteRead) CopyInN(cc marshal.CopyContext, addr hostarch.Addr, limit int) (int, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(w)))
	hdr.Len = w.SizeBytes()
	hdr.Cap = w.SizeBytes()

	length, err := cc.CopyInBytes(addr, buf[:limit]) // escapes: okay.
	// Since we bypassed the compiler's escape analysis, indicate that w
	// must live until the use above.
	runtime.KeepAlive(w) // escapes: replaced by intrinsic.
	return length, err
}

// CopyIn implements marshal.Marshallable.CopyIn.
func (w *WriteRead) CopyIn(cc marshal.CopyContext, addr hostarch.Addr) (int, error) {
	return w.CopyInN(cc, addr, w.SizeBytes())
}

// WriteTo implements io.WriterTo.WriteTo.
func (w *WriteRead) WriteTo(writer io.Writer) (int64, error) {
	// Construct a slice backed by dst's underlying memory.
	var buf []byte
	hdr := (*reflect.SliceHeader)(unsafe.Pointer(&buf))
	hdr.Data = uintptr(gohacks.Noescape(unsafe.Pointer(w)))
	hdr.Len = w.SizeBytes()
	hdr.Cap = w.SizeBytes()

	length, err := writer.Write(buf)
	// Since we bypassed the compiler's escape analysis, indicate that w
	// must live until the use above.
	runtime.KeepAlive(w) // escapes: replaced by intrinsic.
	return int64(length), err
}
