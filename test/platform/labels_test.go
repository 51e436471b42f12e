// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// withLabels enables the tests of security labels. The kernel must have SELinux, in
// permissive mode, and the first process the context kernelLabel; on Linux, once the
// policy is loaded. Other tests may not like what these do to Linux.
var withLabels = flag.Bool("labels", false, "run the tests of security labels, which need a kernel with labels")

const (
	kernelLabel    = "u:r:kernel:s0"
	initLabel      = "u:r:init:s0"
	adbdLabel      = "u:r:adbd:s0"
	adbdExecLabel  = "u:object_r:adbd_exec:s0"
	fileLabel      = "u:object_r:system_file:s0"
	unlabeledLabel = "u:object_r:unlabeled:s0"
)

// policyFile holds selinux.conf in Linux's binary form. It makes Linux do what the
// sandbox does without a policy.
const policyFile = "testdata/selinux.policy"

const selinuxfs = "/sys/fs/selinux"

var loadPolicy = sync.OnceValue(func() error {
	policy, err := os.ReadFile(policyFile)
	if err != nil {
		return err
	}
	if err := unix.Mount("selinuxfs", selinuxfs, "selinuxfs", 0, ""); err != nil && err != unix.EBUSY {
		return fmt.Errorf("mounting selinuxfs: %w", err)
	}
	load, err := unix.Open(selinuxfs+"/load", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(load)
	n, err := unix.Write(load, policy)
	if err == nil && n != len(policy) {
		err = fmt.Errorf("%d of a policy's %d bytes were loaded", n, len(policy))
	}
	return err
})

// needLabels skips tests of labels if there are none.
func needLabels(t *testing.T) {
	t.Helper()
	if !*withLabels {
		t.Skip("-labels enables this on a kernel with labels")
	}
	require.NoError(t, loadPolicy())
}

// labelsWriterEnv makes this binary a process that writes a label to file 3, and exits
// with labelsWriterExit and the error's number.
const (
	labelsWriterEnv  = "PLATFORM_LABELS_WRITER"
	labelsWriterExit = 100
)

func init() {
	if os.Getenv(labelsWriterEnv) == "" {
		return
	}
	_, err := unix.Write(3, []byte(adbdLabel))
	errno, _ := err.(unix.Errno)
	os.Exit(labelsWriterExit + int(errno))
}

var taskAttrs = []string{"current", "prev", "exec", "fscreate", "keycreate", "sockcreate"}

// The attributes of the calling thread, which only that thread can set.
func attrPath(attr string) string { return "/proc/thread-self/attr/" + attr }

func setAttr(attr, value string) error {
	fd, err := unix.Open(attrPath(attr), unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	n, err := unix.Write(fd, []byte(value))
	if err == nil && n != len(value) {
		err = fmt.Errorf("only %d bytes of %q were written", n, value)
	}
	return err
}

// readAttr returns an attribute, without its terminating NUL if it is set.
func readAttr(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil || len(data) == 0 {
		return "", err
	}
	value, ok := strings.CutSuffix(string(data), "\x00")
	if !ok {
		return "", fmt.Errorf("%s: %q doesn't end with NUL", path, data)
	}
	return value, nil
}

// attrsOf returns all attributes that are set below a directory, as "current=...
// prev=...".
func attrsOf(dir string) (string, error) {
	var all []string
	for _, attr := range taskAttrs {
		value, err := readAttr(filepath.Join(dir, attr))
		if err != nil {
			return "", err
		}
		if value != "" {
			all = append(all, attr+"="+value)
		}
	}
	return strings.Join(all, " "), nil
}

// The first thread can't exit, so no test may run on it that sets its attributes: it
// stays with this goroutine, which runs the tests.
func init() { runtime.LockOSThread() }

// alone runs f in a separate thread, which then exits together with what it has set.
func alone(t *testing.T, f func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	require.NoError(t, <-done)
}

// steps combines several steps.
func steps(list ...func() error) func() error {
	return func() error {
		for i, step := range list {
			if err := step(); err != nil {
				return fmt.Errorf("step %d: %w", i, err)
			}
		}
		return nil
	}
}

func set(attr, value string) func() error {
	return func() error {
		if err := setAttr(attr, value); err != nil {
			return fmt.Errorf("%s=%q: %w", attr, value, err)
		}
		return nil
	}
}

func refused(want error, attr, value string) func() error {
	return func() error {
		if err := setAttr(attr, value); !errors.Is(err, want) {
			return fmt.Errorf("%s=%q: got %v, want %v", attr, value, err, want)
		}
		return nil
	}
}

func has(want string) func() error {
	return func() error {
		got, err := attrsOf("/proc/thread-self/attr")
		if err == nil && got != want {
			err = fmt.Errorf("the thread has %q, want %q", got, want)
		}
		return err
	}
}

const fresh = "current=" + kernelLabel + " prev=" + kernelLabel

// A context sets an attribute, and an empty write clears it.
func TestLabelsAttributes(t *testing.T) {
	needLabels(t)
	alone(t, has(fresh))
	for _, attr := range []string{"exec", "fscreate", "keycreate", "sockcreate"} {
		t.Run(attr, func(t *testing.T) {
			for _, value := range []string{adbdLabel, adbdLabel + "\x00", adbdLabel + "\x00garbage"} {
				for _, nothing := range []string{"", "\n", "\x00"} {
					alone(t, steps(set(attr, value), has(fresh+" "+attr+"="+adbdLabel), set(attr, nothing), has(fresh)))
				}
			}
			alone(t, steps(set(attr, "u:r:adbd:s0-s0:c2,c1"), has(fresh+" "+attr+"=u:r:adbd:s0-s0:c1,c2")))
			if attr == "fscreate" {
				return // Linux accepts any with CAP_MAC_ADMIN.
			}
			for _, bad := range []string{"bad", "u:r:adbd", "u:r:adbd:s0 ", "u:r:adbd:s0:c2.c1", "u:r:adbd:x", strings.Repeat("a", 5000)} {
				alone(t, steps(set(attr, initLabel), refused(unix.EINVAL, attr, bad), has(fresh+" "+attr+"="+initLabel)))
			}
		})
	}
	for _, value := range []string{adbdLabel, "", "bad"} {
		alone(t, refused(unix.EOPNOTSUPP, "prev", value))
	}
	for _, value := range []string{"", "\n", "bad"} {
		alone(t, refused(unix.EINVAL, "current", value))
	}
	alone(t, steps(set("current", "u:r:kernel:s0:c1"), has("current=u:r:kernel:s0:c1 prev="+kernelLabel)))
}

// One of several threads can't change its type, but it can change its level.
func TestLabelsThreads(t *testing.T) {
	needLabels(t)
	alone(t, steps(
		refused(unix.EPERM, "current", initLabel),
		set("current", "u:r:kernel:s0:c1"),
		func() error {
			leader, err := readAttr("/proc/self/attr/current")
			if err == nil && leader != kernelLabel {
				err = fmt.Errorf("the first thread is %q", leader)
			}
			return err
		},
	))
}

// Nobody can set another's attributes, nor use a file that another has opened.
func TestLabelsOfOthers(t *testing.T) {
	needLabels(t)
	write := func(path string) error {
		fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		_, err = unix.Write(fd, []byte(adbdLabel))
		return err
	}
	alone(t, func() error {
		if err := write(fmt.Sprintf("/proc/self/task/%d/attr/exec", os.Getpid())); err != unix.EACCES {
			return fmt.Errorf("of another thread: %v", err)
		}
		return nil
	})
	child := exec.Command("sleep", "1000")
	require.NoError(t, child.Start())
	defer child.Wait()
	defer child.Process.Kill()
	// In Linux it runs for a moment before it has its own memory.
	for exe := ""; filepath.Base(exe) != filepath.Base(child.Path); {
		var err error
		exe, err = os.Readlink(fmt.Sprintf("/proc/%d/exe", child.Process.Pid))
		require.NoError(t, err)
	}
	dir := fmt.Sprintf("/proc/%d/attr", child.Process.Pid)
	require.Equal(t, unix.EPERM, write(dir+"/exec"))
	got, err := attrsOf(dir)
	require.NoError(t, err)
	require.Equal(t, fresh, got)

	alone(t, func() error {
		file, err := os.OpenFile(attrPath("exec"), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer file.Close()
		child := exec.Command("/proc/self/exe")
		child.Env = append(os.Environ(), labelsWriterEnv+"=1")
		child.ExtraFiles = []*os.File{file}
		var exit *exec.ExitError
		if err := child.Run(); !errors.As(err, &exit) || exit.ExitCode() != labelsWriterExit+int(unix.EPERM) {
			return fmt.Errorf("a child writes to its parent's file: %v", err)
		}
		fd := int(file.Fd())
		if _, err := unix.Pwrite(fd, []byte(adbdLabel), 1); err != unix.EINVAL {
			return fmt.Errorf("not at the beginning: %v", err)
		}
		for range 2 {
			if _, err := unix.Write(fd, []byte(adbdLabel)); err != nil {
				return fmt.Errorf("twice: %w", err)
			}
		}
		return has(fresh + " exec=" + adbdLabel)()
	})
}

// labelsTmpfs returns a new tmpfs that contains a program sh with a label, and a script.
func labelsTmpfs(t *testing.T, label string) string {
	t.Helper()
	dir := privateTmpfs(t)
	program, err := os.ReadFile("/bin/sh")
	require.NoError(t, err)
	for name, data := range map[string][]byte{"sh": program, "script": []byte("#!/bin/sh\n" + showAttrs)} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, data, 0o755))
		require.NoError(t, unix.Setxattr(path, "security.selinux", []byte(label), 0))
	}
	return dir
}

// showAttrs is a shell command that prints what attrsOf returns.
const showAttrs = `for a in current prev exec fscreate keycreate sockcreate; do
	v=$(tr -d '\0' </proc/$$/attr/$a)
	[ -z "$v" ] || echo -n "$s$a=$v"
	s=" "
done`

// executes returns a step that runs a command that prints its attributes.
func executes(want string, args ...string) func() error {
	return func() error {
		out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		if err == nil && string(out) != want {
			err = fmt.Errorf("a program has %q, want %q", out, want)
		}
		return err
	}
}

// After execve, a task has the context that was set or, without that, the one that the
// file's label determines, and nothing else remains set.
func TestLabelsExec(t *testing.T) {
	needLabels(t)
	dir := labelsTmpfs(t, adbdExecLabel)
	sh, script := filepath.Join(dir, "sh"), filepath.Join(dir, "script")
	const (
		same = fresh
		adbd = "current=" + adbdLabel + " prev=" + kernelLabel
		init = "current=" + initLabel + " prev=" + kernelLabel
	)
	alone(t, executes(same, "/bin/sh", "-c", showAttrs))
	alone(t, executes(adbd, sh, "-c", showAttrs))
	alone(t, executes(adbd, script))
	alone(t, steps(set("exec", initLabel), executes(init, "/bin/sh", "-c", showAttrs)))
	alone(t, steps(set("exec", initLabel), executes(init, sh, "-c", showAttrs), has(fresh+" exec="+initLabel)))
	alone(t, steps(set("exec", initLabel), executes("current="+initLabel+" prev="+initLabel, "/bin/sh", "-c", "exec /bin/sh -c '"+strings.ReplaceAll(showAttrs, "'", `'\''`)+"'")))
	alone(t, steps(set("fscreate", fileLabel), set("keycreate", initLabel), set("sockcreate", initLabel), executes(same, "/bin/sh", "-c", showAttrs)))
	alone(t, steps(set("current", "u:r:kernel:s0:c1"), executes("current=u:r:adbd:s0:c1 prev=u:r:kernel:s0:c1", sh, "-c", showAttrs)))
	alone(t, steps(func() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, executes(adbd, sh, "-c", showAttrs)))

	require.NoError(t, unix.Setxattr(sh, "security.selinux", []byte(fileLabel), 0))
	alone(t, executes(same, sh, "-c", showAttrs))
}

// A child inherits its parent's attributes, and sets its own. A process with one thread
// can change to any context.
func TestLabelsFork(t *testing.T) {
	needLabels(t)
	const script = `show() { for a in current prev fscreate sockcreate; do
			v=
			read -r v </proc/self/attr/$a
			echo $1 $a $v
		done; }
		echo -n ` + adbdLabel + ` >/proc/self/attr/fscreate
		echo -n ` + initLabel + ` >/proc/self/attr/current
		( show child; echo -n ` + fileLabel + ` >/proc/self/attr/sockcreate; show child )
		show parent`
	out, err := exec.Command("/bin/sh", "-c", script).CombinedOutput()
	require.NoError(t, err, "%s", out)
	lines := func(who, sockcreate string) string {
		return who + " current " + initLabel + "\n" + who + " prev " + kernelLabel + "\n" +
			who + " fscreate " + adbdLabel + "\n" + who + " sockcreate" + sockcreate + "\n"
	}
	require.Equal(t, lines("child", "")+lines("child", " "+fileLabel)+lines("parent", ""), string(out))
}

// peerLabel returns the label of a socket's peer, read into a buffer of the given size.
func peerLabel(fd, size int) (string, error) {
	buf := make([]byte, size+1)
	length := uint32(size)
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERSEC, uintptr(unsafe.Pointer(&buf[0])), uintptr(unsafe.Pointer(&length)), 0)
	if errno == unix.ERANGE {
		return fmt.Sprint("needs ", length), errno
	}
	if errno != 0 {
		return "", errno
	}
	return string(buf[:length]), nil
}

func requirePeer(t *testing.T, want string, fd int) {
	t.Helper()
	got, err := peerLabel(fd, 100)
	require.NoError(t, err)
	require.Equal(t, want+"\x00", got)
	got, err = peerLabel(fd, len(want)+1)
	require.NoError(t, err)
	require.Equal(t, want+"\x00", got)
	for _, size := range []int{0, 1, len(want)} {
		got, err = peerLabel(fd, size)
		require.Equal(t, unix.ERANGE, err)
		require.Equal(t, fmt.Sprint("needs ", len(want)+1), got)
	}
}

// labeledSocket creates a socket in a thread that has set an attribute.
func labeledSocket(t *testing.T, attr, label string, make func() (int, error)) int {
	t.Helper()
	fd := -1
	alone(t, steps(set(attr, label), func() (err error) {
		fd, err = make()
		return err
	}))
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// A socket has the label of its creator, or the one that its creator has set for sockets.
// Both ends of a connection see the other's.
func TestLabelsOfPeers(t *testing.T) {
	needLabels(t)
	const clientLabel, serverLabel = "u:r:kernel:s0:c1", "u:r:init:s0:c1"
	for name, typ := range map[string]int{"stream": unix.SOCK_STREAM, "seqpacket": unix.SOCK_SEQPACKET} {
		t.Run(name, func(t *testing.T) {
			address := &unix.SockaddrUnix{Name: "@labels-" + name}
			makeSocket := func() (int, error) { return unix.Socket(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0) }
			server := labeledSocket(t, "sockcreate", serverLabel, makeSocket)
			require.NoError(t, unix.Bind(server, address))
			require.NoError(t, unix.Listen(server, 1))
			for attr, label := range map[string]string{"current": clientLabel, "sockcreate": "u:r:adbd:s0:c1"} {
				client := labeledSocket(t, attr, label, makeSocket)
				// Who connects it and who accepts it doesn't matter.
				require.NoError(t, unix.Connect(client, address))
				accepted, _, err := unix.Accept(server)
				require.NoError(t, err)
				defer unix.Close(accepted)
				requirePeer(t, label, accepted)
				requirePeer(t, serverLabel, client)
			}

			pair, err := unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
			require.NoError(t, err)
			for _, fd := range pair {
				defer unix.Close(fd)
				requirePeer(t, kernelLabel, fd)
			}
		})
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	_, err = peerLabel(pair[0], 100)
	require.Equal(t, unix.ENOPROTOOPT, err)
	udp, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(udp)
	_, err = peerLabel(udp, 100)
	require.Equal(t, unix.ENOPROTOOPT, err)
}

// fileLabelOf returns a file's label, which is the same through an open descriptor.
func fileLabelOf(t *testing.T, path string) string {
	t.Helper()
	buf := make([]byte, 200)
	n, err := unix.Lgetxattr(path, "security.selinux", buf)
	require.NoError(t, err)
	label := string(buf[:n])
	n, err = unix.Lgetxattr(path, "security.selinux", nil)
	require.NoError(t, err)
	require.Len(t, label, n)
	_, err = unix.Lgetxattr(path, "security.selinux", buf[:n-1])
	require.Equal(t, unix.ERANGE, err)
	n, err = unix.Llistxattr(path, buf)
	require.NoError(t, err)
	require.Contains(t, strings.Split(string(buf[:n]), "\x00"), "security.selinux")
	return label
}

// All files have labels. Those in memory can be given others.
func TestLabelsOfFiles(t *testing.T) {
	needLabels(t)
	dir, files := mountPoints(t)
	for _, file := range append(files, "directory") {
		path := filepath.Join(dir, file)
		require.Equal(t, unlabeledLabel+"\x00", fileLabelOf(t, path), file)
		for _, label := range []string{fileLabel, adbdExecLabel + "\x00"} {
			require.NoError(t, unix.Lsetxattr(path, "security.selinux", []byte(label), 0))
			require.Equal(t, strings.TrimSuffix(label, "\x00")+"\x00", fileLabelOf(t, path))
		}
		if file == "file" || file == "directory" {
			fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
			require.NoError(t, err)
			defer unix.Close(fd)
			buf := make([]byte, 200)
			n, err := unix.Fgetxattr(fd, "security.selinux", buf)
			require.NoError(t, err)
			require.Equal(t, adbdExecLabel+"\x00", string(buf[:n]))
			n, err = unix.Flistxattr(fd, buf)
			require.NoError(t, err)
			require.Equal(t, "security.selinux\x00", string(buf[:n]))
			require.Equal(t, unix.EACCES, unix.Fremovexattr(fd, "security.selinux"))
		}
		require.Equal(t, unix.EACCES, unix.Lremovexattr(path, "security.selinux"))
		require.Equal(t, adbdExecLabel+"\x00", fileLabelOf(t, path))
	}
	require.Equal(t, unlabeledLabel+"\x00", fileLabelOf(t, "/proc/version"))
	require.Equal(t, unix.ENOENT, unix.Setxattr(filepath.Join(dir, "none"), "security.selinux", []byte(fileLabel), 0))
}

// A new file has the label that its creator has set for new files. An existing file keeps
// its own.
func TestLabelsOfNewFiles(t *testing.T) {
	needLabels(t)
	dir, files := mountPoints(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	create := func(name string, flags int) error {
		fd, err := unix.Open(path(name), unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC|flags, 0o600)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
	made := []string{"new file", "new directory", "new pipe", "new link", "new socket", "target"}
	alone(t, steps(
		set("fscreate", fileLabel),
		func() error { return create(made[0], unix.O_EXCL) },
		func() error { return unix.Mkdir(path(made[1]), 0o700) },
		func() error { return unix.Mknod(path(made[2]), unix.S_IFIFO|0o600, 0) },
		func() error { return unix.Symlink("target", path(made[3])) },
		func() error {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return unix.Bind(fd, &unix.SockaddrUnix{Name: path(made[4])})
		},
		func() error { return create(made[3], 0) },
		func() error { return create("file", 0) },
		set("fscreate", ""),
		func() error { return create("last", 0) },
	))
	for _, name := range made {
		require.Equal(t, fileLabel+"\x00", fileLabelOf(t, path(name)), name)
	}
	for _, name := range append(files, "last") {
		require.Equal(t, unlabeledLabel+"\x00", fileLabelOf(t, path(name)), name)
	}

	// This requires no rights beyond those to create the file.
	require.NoError(t, os.Chmod(dir, 0o777))
	at, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(at)
	alone(t, steps(
		func() error { return syscallError(unix.Syscall(unix.SYS_SETUID, 1000, 0, 0)) },
		set("fscreate", fileLabel),
		func() error { return unix.Mkdirat(at, "user's", 0o700) },
	))
	require.Equal(t, fileLabel+"\x00", fileLabelOf(t, path("user's")))
}

// Labels don't exist unless requested.
func TestNoLabels(t *testing.T) {
	if *withLabels {
		t.Skip("this runs only without -labels")
	}
	if filesystems, err := os.ReadFile("/proc/filesystems"); onLinux() && err == nil && strings.Contains(string(filesystems), "\tselinuxfs\n") {
		t.Skip("this Linux has SELinux")
	}
	require.Equal(t, unix.ENODEV, unix.Mount("selinuxfs", t.TempDir(), "selinuxfs", 0, ""))
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	_, err = peerLabel(pair[0], 100)
	require.Equal(t, unix.ENOPROTOOPT, err)
	path := filepath.Join(privateTmpfs(t), "file")
	require.NoError(t, os.WriteFile(path, nil, 0o644))
	_, err = unix.Getxattr(path, "security.selinux", nil)
	if onLinux() && err == unix.EOPNOTSUPP {
		err = unix.ENODATA // This Linux's tmpfs lacks attributes.
	}
	require.Equal(t, unix.ENODATA, err)
	n, err := unix.Listxattr(path, nil)
	require.NoError(t, err)
	require.Zero(t, n)
	require.NoFileExists(t, selinuxfs+"/enforce")
	// Linux has these files if it is built with security modules, whether or not one is
	// active.
	if _, err := os.ReadFile("/proc/self/attr/current"); onLinux() {
		require.ErrorIs(t, err, unix.EINVAL)
	} else {
		require.ErrorIs(t, err, unix.ENOENT)
		require.NoDirExists(t, selinuxfs)
	}
}
