#!/usr/bin/env python3
# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tries what Android's user space needs of the kernel besides Binder.

Prints the rows of the README's table: what, who needs it, whether it is there.
Runs as root with all capabilities.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import select
import socket
import struct

libc = ctypes.CDLL(None, use_errno=True)


def c(function, *arguments):
    """Calls a function of libc; raises OSError if it returns -1."""
    result = function(*arguments)
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def syscall(*arguments):
    return c(libc.syscall, *map(lambda a: ctypes.c_long(a) if isinstance(a, int) else a, arguments))


def opens(path, flags=os.O_RDONLY):
    os.close(os.open(path, flags))


MFD_CLOEXEC, MFD_ALLOW_SEALING, MFD_NOEXEC_SEAL = 1, 2, 8
SEAL_SHRINK, SEAL_GROW, SEAL_FUTURE_WRITE = 2, 4, 16
F_ADD_SEALS = 1033


def memfd(flags=MFD_ALLOW_SEALING):
    fd = os.memfd_create("region", MFD_CLOEXEC | flags)
    os.ftruncate(fd, 4096)
    return fd


def seals():
    fd = memfd()
    fcntl.fcntl(fd, F_ADD_SEALS, SEAL_SHRINK | SEAL_GROW)
    try:
        os.ftruncate(fd, 8192)
    except PermissionError:
        return
    return "has no effect"


def seal_future_write():
    fd = memfd()
    fcntl.fcntl(fd, F_ADD_SEALS, SEAL_FUTURE_WRITE)
    try:
        mmap.mmap(fd, 4096)
    except PermissionError:
        return
    return "has no effect"


def ashmem():
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as f:
        opens("/dev/ashmem" + f.read().strip(), os.O_RDWR)


def mounts(kind, options=""):
    os.makedirs("/tmp/mount", exist_ok=True)
    c(libc.mount, kind.encode(), b"/tmp/mount", kind.encode(), 0, options.encode())
    c(libc.umount2, b"/tmp/mount", 2)


def kmsg():
    os.mknod("/tmp/kmsg", 0o20600, os.makedev(1, 11))
    opens("/tmp/kmsg", os.O_WRONLY)


def peer(option):
    one, _ = socket.socketpair(socket.AF_UNIX)
    one.getsockopt(socket.SOL_SOCKET, option, 256)


def properties():
    """A shared mapping that others see change."""
    fd = os.open("/tmp/properties", os.O_RDWR | os.O_CREAT)
    os.ftruncate(fd, 131072)
    mmap.mmap(fd, 131072)[0] = 7
    if not (pid := os.fork()):
        fd = os.open("/tmp/properties", os.O_RDONLY)
        os._exit(mmap.mmap(fd, 131072, prot=mmap.PROT_READ)[0])
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 7:
        return "is not shared"


def timerfd(clock):
    os.close(syscall(283, clock, 0))


def looper():
    epoll = select.epoll()
    epoll.register(os.eventfd(1), select.EPOLLIN)
    epoll.register(syscall(283, 7, 0), select.EPOLLIN)
    epoll.register(syscall(289, -1, ctypes.create_string_buffer(8), 8, 0), select.EPOLLIN)
    if len(epoll.poll(0)) != 1:
        return "is not ready"


def pidfd():
    if not (pid := os.fork()):
        os._exit(0)
    fd = os.pidfd_open(pid)
    epoll = select.epoll()
    epoll.register(fd, select.EPOLLIN)
    epoll.poll()
    os.waitid(os.P_PIDFD, fd, os.WEXITED)


def mremap():
    libc.mmap.restype = libc.mremap.restype = ctypes.c_ssize_t
    old = libc.mmap(None, ctypes.c_size_t(4096), 3, 0x22, -1, ctypes.c_long(0))
    size = ctypes.c_size_t(4096)
    c(libc.mremap, ctypes.c_void_p(old), size, size, 1 | 4, None)


def name_memory():
    memory = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    c(libc.prctl, 0x53564D41, ctypes.c_ulong(0), ctypes.c_ulong(address), ctypes.c_ulong(4096), b"name")


def membarrier():
    syscall(324, 16, 0, 0)
    syscall(324, 8, 0, 0)


def seccomp():
    if not (pid := os.fork()):
        allow = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7FFF0000))
        program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 1, ctypes.addressof(allow)))
        os._exit(0 if libc.syscall(317, ctypes.c_long(1), ctypes.c_long(0), program) == 0 else 1)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        return "is refused"


def unshare():
    if not (pid := os.fork()):
        os._exit(0 if libc.unshare(0x20000) == 0 else 1)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        return "is refused"


def oom_score_adj():
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as f:
        f.write("200")


def fifo():
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def reap():
    try:
        syscall(448, -1, 0)
    except OSError as err:
        if err.errno != errno.EBADF:
            raise


def bpf():
    """Creates an array of one number."""
    attributes = ctypes.create_string_buffer(struct.pack("IIII", 2, 4, 4, 1), 128)
    os.close(syscall(321, 0, attributes, 128))


def netlink(family):
    socket.socket(16, socket.SOCK_RAW, family).close()


TABLE = [
    ("`memfd_create` with MFD_NOEXEC_SEAL", "libcutils, for ashmem", lambda: memfd(MFD_NOEXEC_SEAL) and None),
    ("the seals F_SEAL_GROW and F_SEAL_SHRINK", "libcutils, for ashmem", seals),
    ("the seal F_SEAL_FUTURE_WRITE", "libcutils, for read-only ashmem", seal_future_write),
    ("`/dev/ashmem` with the boot's id behind", "libcutils, without such a memfd", ashmem),
    ("`/proc/self/attr/current`", "servicemanager, which ends without", lambda: opens("/proc/self/attr/current")),
    ("selinuxfs", "init, which ends without", lambda: mounts("selinuxfs")),
    ("SO_PEERSEC", "init, for who sets a property", lambda: peer(31)),
    ("SO_PEERCRED", "init, logd, lmkd", lambda: peer(17)),
    ("mounting proc with `hidepid=2`", "init", lambda: mounts("proc", "hidepid=2,gid=3009")),
    ("`/dev/kmsg`, after mknod", "init, for its log", kmsg),
    ("files that processes map shared", "bionic, for properties", properties),
    ("unshare of the mount namespace", "init, zygote", unshare),
    ("a seccomp filter", "zygote", seccomp),
    ("epoll, eventfd, timerfd, signalfd", "libutils, init", looper),
    ("pidfds, and their readiness", "lmkd, init", pidfd),
    ("timerfd with CLOCK_BOOTTIME_ALARM", "system_server, for alarms", lambda: timerfd(9)),
    ("SCHED_FIFO", "surfaceflinger, audioserver", fifo),
    ("cgroup2, its freezer included", "libprocessgroup", lambda: mounts("cgroup2")),
    ("PR_SET_TIMERSLACK", "libprocessgroup", lambda: c(libc.prctl, 29, ctypes.c_ulong(50000)) and None),
    ("`/proc/self/oom_score_adj`", "lmkd", oom_score_adj),
    ("`/proc/pressure/memory`", "lmkd", lambda: opens("/proc/pressure/memory")),
    ("process_mrelease", "lmkd", reap),
    ("membarrier", "ART", membarrier),
    ("PR_SET_VMA_ANON_NAME", "bionic, ART", name_memory),
    ("userfaultfd", "ART, for its newer collector", lambda: os.close(syscall(323, 1))),
    ("MREMAP_DONTUNMAP", "ART, for its newer collector", mremap),
    ("the socket for uevents (there are none)", "ueventd", lambda: netlink(15)),
    ("the socket for audit", "logd", lambda: netlink(9)),
    ("bpf", "bpfloader, netd", bpf),
]


def main():
    for what, who, attempt in TABLE:
        try:
            failure = attempt()
        except OSError as err:
            failure = errno.errorcode[err.errno]
        print("| %s | %s | %s |" % (what, who, "no: " + failure if failure else "yes"))


if __name__ == "__main__":
    main()
