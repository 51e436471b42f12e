// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/ashmem"
)

const (
	regionPage  = 4096
	regionPages = 8
)

// region is an agent's region.
type region struct {
	fd  int
	mem []byte
}

func newRegion(name string) region {
	fd, err := unix.Open("/dev/ashmem", unix.O_RDWR|unix.O_CLOEXEC, 0)
	check("open /dev/ashmem", err)
	r := region{fd: fd}
	arg, err := unix.ByteSliceFromString(name)
	check("name", err)
	r.ioctl(ashmem.ASHMEM_SET_NAME, uintptr(unsafe.Pointer(&arg[0])))
	r.ioctl(ashmem.ASHMEM_SET_SIZE, regionPages*regionPage)
	r.mem, err = unix.Mmap(fd, 0, regionPages*regionPage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	check("mmap", err)
	return r
}

// ioctl makes an ioctl that succeeds, and returns its result.
func (r region) ioctl(request, arg uintptr) int {
	n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(r.fd), request, arg)
	if errno != 0 {
		panic(fmt.Sprintf("ioctl %#x: %v", request, errno))
	}
	return int(n)
}

// pin makes an ioctl for n pages beginning with first.
func (r region) pin(request uintptr, first, n uint32) int {
	pin := ashmem.Pin{Offset: first * regionPage, Len: n * regionPage}
	return r.ioctl(request, uintptr(unsafe.Pointer(&pin)))
}

// must ends the agent if got is not want.
func must(what string, got, want any) {
	if got != want {
		panic(fmt.Sprintf("%s: got %v, want %v", what, got, want))
	}
}

// keepAshmem holds a region, and checks it when it gets SIGUSR1: if it has changed, the
// process ends. It reports by mapping other regions, which others find in its maps.
func keepAshmem() {
	usr1 := make(chan os.Signal, 1)
	signal.Notify(usr1, unix.SIGUSR1)
	r := newRegion("kept")
	for page := range regionPages {
		r.mem[page*regionPage] = byte('a' + page)
	}
	r.pin(ashmem.ASHMEM_UNPIN, 0, 2)
	must("purged", r.ioctl(ashmem.ASHMEM_PURGE_ALL_CACHES, 0), 2)
	r.pin(ashmem.ASHMEM_UNPIN, 4, 2)
	r.ioctl(ashmem.ASHMEM_SET_PROT_MASK, unix.PROT_READ)
	memfd, err := unix.MemfdCreate("memfd", 0)
	check("memfd_create", err)
	must("size of a memfd", region{fd: memfd}.ioctl(ashmem.ASHMEM_GET_SIZE, 0), 0)
	newRegion("ready")
	<-usr1

	must("size of a memfd", region{fd: memfd}.ioctl(ashmem.ASHMEM_GET_SIZE, 0), 0)
	must("mask", r.ioctl(ashmem.ASHMEM_GET_PROT_MASK, 0), unix.PROT_READ)
	_, err = unix.Mmap(r.fd, 0, regionPage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must("mmap", err, unix.EPERM)
	for page := range regionPages {
		want := byte('a' + page)
		if page < 2 {
			want = 0
		}
		must(fmt.Sprint("page ", page), r.mem[page*regionPage], want)
	}
	must("pinned", r.pin(ashmem.ASHMEM_GET_PIN_STATUS, 2, 2), ashmem.ASHMEM_IS_PINNED)
	must("unpinned", r.pin(ashmem.ASHMEM_GET_PIN_STATUS, 5, 2), ashmem.ASHMEM_IS_UNPINNED)
	must("pages 4, 5", r.pin(ashmem.ASHMEM_PIN, 5, 1), ashmem.ASHMEM_NOT_PURGED)
	must("pages 0, 1", r.pin(ashmem.ASHMEM_PIN, 1, 1), ashmem.ASHMEM_WAS_PURGED)
	must("purged now", r.ioctl(ashmem.ASHMEM_PURGE_ALL_CACHES, 0), 1)
	must("page 4", r.mem[4*regionPage], byte(0))
	must("page 5", r.mem[5*regionPage], byte('f'))

	// The old mapping still shares the memory that a new one shows.
	other, err := unix.Mmap(r.fd, 0, regionPages*regionPage, unix.PROT_READ, unix.MAP_SHARED)
	check("mmap", err)
	r.mem[0] = 'n'
	must("shared", other[0], byte('n'))
	newRegion("fine")
	_ = unix.Pause()
}

// purgeAshmem purges, and prints how many pages were purged.
func purgeAshmem() { fmt.Println(newRegion("purger").ioctl(ashmem.ASHMEM_PURGE_ALL_CACHES, 0)) }

// unpinAshmem holds a region with unpinned pages until it is killed.
func unpinAshmem() {
	newRegion("unpinned").pin(ashmem.ASHMEM_UNPIN, 1, 3)
	fmt.Println("ready")
	_ = unix.Pause()
}

// withAshmem returns an edit that gives a container's sandbox ashmem, and the container
// the right to purge.
func withAshmem(args ...string) func(*specs.Spec) {
	return func(spec *specs.Spec) {
		annotated("ashmem", "true")(spec)
		admin := []string{"CAP_SYS_ADMIN"}
		spec.Process.Capabilities = &specs.LinuxCapabilities{Bounding: admin, Effective: admin, Permitted: admin}
		if len(args) > 0 {
			spec.Process.Args = append([]string{"/agent"}, args...)
		}
	}
}

// awaitMapping waits until the container's first process has mapped a region.
func (c *container) awaitMapping(name string) {
	c.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		maps := c.exec("cat", "/proc/1/maps")
		if strings.Contains(maps, "/dev/ashmem/"+name) || time.Now().After(deadline) {
			require.Contains(c.t, maps, "/dev/ashmem/"+name)
			return
		}
	}
}

// TestAshmemRestore: a restored region has its data, its pins and its mask, and is still
// shared.
func TestAshmemRestore(t *testing.T) {
	p := newPod(t)
	c := p.start("root", withAshmem("keep-ashmem"))
	c.awaitMapping("ready")
	image := filepath.Join(p.dir, "image")
	p.run("checkpoint", "--image-path="+image, c.id)
	c.delete()

	p.id = ""
	c = p.create("root", withAshmem("keep-ashmem"))
	p.run("restore", "--detach", "--image-path="+image, c.id)
	require.Contains(t, c.exec("ls", "/dev"), "ashmem"+c.exec("cat", "/proc/sys/kernel/random/boot_id"))
	p.run("kill", c.id, "USR1")
	c.awaitMapping("fine")
}

// TestAshmemPurgeApart: a container doesn't purge what another has unpinned.
func TestAshmemPurgeApart(t *testing.T) {
	p := newPod(t)
	one := p.start("root", withAshmem())
	two := p.start("two", withAshmem())
	one.server("unpin-ashmem")
	require.Equal(t, "0\n", two.exec("purge-ashmem"))
	require.Equal(t, "3\n", one.exec("purge-ashmem"))
}

// TestNoAshmem: a sandbox that doesn't ask for ashmem has no device, and no ioctls on
// memfds.
func TestNoAshmem(t *testing.T) {
	p := newPod(t)
	c := p.start("root", nil)
	require.NotContains(t, c.exec("ls", "/dev"), "ashmem")
	require.Equal(t, "inappropriate ioctl for device\n", c.exec("memfd-ashmem"))
	p.refused("one", "takes effect only in the config of the sandbox's first container", annotated("ashmem", "true"))
}

// memfdAshmem prints a memfd's error for an ashmem ioctl.
func memfdAshmem() {
	fd, err := unix.MemfdCreate("memfd", 0)
	check("memfd_create", err)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), ashmem.ASHMEM_GET_SIZE, 0)
	fmt.Println(errno)
}
