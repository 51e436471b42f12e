// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
)

// binderManagerEnv makes this binary a Binder context manager, which prints the security
// context of each transaction.
const binderManagerEnv = "PLATFORM_BINDER_MANAGER"

func init() {
	if os.Getenv(binderManagerEnv) != "" {
		fmt.Println("failed:", manageBinder())
		os.Exit(1)
	}
}

const binderDevice = "/dev/binder"

// openBinder opens the device, with room for transactions.
func openBinder() (fd int, mem []byte, err error) {
	if fd, err = unix.Open(binderDevice, unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
		return -1, nil, err
	}
	mem, err = unix.Mmap(fd, 0, 16<<10, unix.PROT_READ, unix.MAP_PRIVATE)
	return fd, mem, err
}

func binderIoctl(fd int, request uintptr, arg unsafe.Pointer) error {
	for {
		if err := syscallError(unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))); err != unix.EINTR {
			return err
		}
	}
}

// binderBuffers holds what the driver gets the addresses of: Go could move a stack.
var binderBuffers struct {
	write []byte
	read  [512]byte
}

// binderWrite writes one command.
func binderWrite(fd int, command uint32, params []byte) error {
	buf := append(binary.NativeEndian.AppendUint32(nil, command), params...)
	binderBuffers.write = buf
	wr := binder.WriteRead{WriteSize: uint64(len(buf)), WriteBuffer: uint64(uintptr(unsafe.Pointer(&buf[0])))}
	return binderIoctl(fd, binder.BINDER_WRITE_READ, unsafe.Pointer(&wr))
}

// callBinder sends the context manager a transaction that has no reply.
func callBinder(fd int) error {
	tr := binder.TransactionData{Flags: binder.TF_ONE_WAY}
	params := make([]byte, tr.SizeBytes())
	tr.MarshalBytes(params)
	return binderWrite(fd, binder.BC_TRANSACTION, params)
}

func manageBinder() error {
	runtime.LockOSThread()
	fd, mem, err := openBinder()
	if err != nil {
		return err
	}
	o := binder.FlatObject{Flags: binder.FLAT_BINDER_FLAG_TXN_SECURITY_CTX}
	object := make([]byte, o.SizeBytes())
	o.MarshalBytes(object)
	if err := binderIoctl(fd, binder.BINDER_SET_CONTEXT_MGR_EXT, unsafe.Pointer(&object[0])); err != nil {
		return err
	}
	if err := binderWrite(fd, binder.BC_ENTER_LOOPER, nil); err != nil {
		return err
	}
	fmt.Println("ready")
	buf := binderBuffers.read[:]
	for {
		wr := binder.WriteRead{ReadSize: uint64(len(buf)), ReadBuffer: uint64(uintptr(unsafe.Pointer(&buf[0])))}
		if err := binderIoctl(fd, binder.BINDER_WRITE_READ, unsafe.Pointer(&wr)); err != nil {
			return err
		}
		for b := buf[:wr.ReadConsumed]; len(b) > 0; {
			br := binary.NativeEndian.Uint32(b)
			params := b[4 : 4+binder.CommandSize(br)]
			b = b[4+len(params):]
			if br != binder.BR_TRANSACTION_SEC_CTX {
				continue
			}
			var tr binder.TransactionDataSecctx
			tr.UnmarshalBytes(params)
			label := mem[tr.Secctx-uint64(uintptr(unsafe.Pointer(&mem[0]))):]
			fmt.Println(unix.ByteSliceToString(label))
			if err := binderWrite(fd, binder.BC_FREE_BUFFER, binary.NativeEndian.AppendUint64(nil, tr.TransactionData.Buffer)); err != nil {
				return err
			}
		}
	}
}

// A transaction has the label that its sender had when it opened the device, whatever it
// is now.
func TestLabelsOfTransactions(t *testing.T) {
	needLabels(t)
	manager := exec.Command("/proc/self/exe")
	manager.Env = append(os.Environ(), binderManagerEnv+"=1")
	out, err := manager.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, manager.Start())
	defer manager.Wait()
	defer manager.Process.Kill()
	lines := bufio.NewScanner(out)
	expect := func(want string) error {
		if !lines.Scan() {
			return fmt.Errorf("the manager has exited")
		}
		if lines.Text() != want {
			return fmt.Errorf("the manager printed %q, not %q", lines.Text(), want)
		}
		return nil
	}
	require.NoError(t, expect("ready"))

	open := func(fd *int) func() error {
		return func() (err error) {
			var mem []byte
			*fd, mem, err = openBinder()
			t.Cleanup(func() { unix.Munmap(mem); unix.Close(*fd) })
			return err
		}
	}
	call := func(fd *int, want string) func() error {
		return func() error {
			if err := callBinder(*fd); err != nil {
				return err
			}
			return expect(want)
		}
	}
	var first, second int
	alone(t, steps(
		open(&first), call(&first, kernelLabel),
		set("current", "u:r:kernel:s0:c1"), call(&first, kernelLabel),
		open(&second), call(&second, "u:r:kernel:s0:c1"), call(&first, kernelLabel),
	))
	require.NoError(t, call(&second, "u:r:kernel:s0:c1")())
}
