// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A sysctl is a file below /proc/sys that Android's init, or its init.rc, writes.
type sysctl struct {
	name string

	// mode is the file's mode, 0644 if it is 0.
	mode uint32

	// accepted values are remembered; refused ones are invalid.
	accepted, refused []string

	// capability is what writers need on Linux, too.
	capability int
}

const (
	intMax = "2147483647"
	over   = "2147483648"
)

var sysctls = []sysctl{
	{name: "kernel/domainname", accepted: []string{"localdomain", "(none)"}},
	{name: "kernel/hostname", accepted: []string{"localhost", "a.b"}},
	{name: "kernel/hung_task_timeout_secs", accepted: []string{"0", "120"}},
	{name: "kernel/kptr_restrict", accepted: []string{"0", "1", "2"}, refused: []string{"-1", "3", "4"}, capability: unix.CAP_SYS_ADMIN},
	{name: "kernel/modprobe", accepted: []string{"", "/sbin/modprobe", strings.Repeat("x", 255)}},
	{name: "kernel/panic_on_oops", accepted: []string{"0", "1"}},
	{name: "kernel/perf_cpu_time_max_percent", accepted: []string{"25", "0", "100"}, refused: []string{"-1", "101"}},
	{name: "kernel/perf_event_max_sample_rate", accepted: []string{"100000", "1"}, refused: []string{"0", "-1", over}},
	{name: "kernel/perf_event_mlock_kb", accepted: []string{"516", "0"}, refused: []string{over}},
	{name: "kernel/perf_event_paranoid", accepted: []string{"-1", "1", "3"}, refused: []string{over}},
	{name: "kernel/printk", accepted: []string{"7\t4\t1\t7", "0\t0\t0\t0"}, refused: []string{over}},
	{name: "kernel/randomize_va_space", accepted: []string{"2"}},
	{name: "kernel/sysrq", accepted: []string{"1", "0", "511"}, refused: []string{over}},
	{name: "net/core/rmem_max", accepted: []string{"262144", intMax}, refused: []string{"0", "-1", "100", over}},
	{name: "net/core/wmem_max", accepted: []string{"262144", intMax}, refused: []string{"0", "-1", "100", over}},
	{name: "net/core/xfrm_acq_expires", accepted: []string{"3600", "30"}},
	{name: "net/ipv4/conf/all/accept_redirects", accepted: []string{"1", "0"}, refused: []string{over}},
	{name: "net/ipv4/fwmark_reflect", accepted: []string{"1", "0", "255"}, refused: []string{"-1", "256"}},
	{name: "net/ipv4/ping_group_range", accepted: []string{"1\t0", "0\t2147483647", "0\t4294967294", "7\t7"}, refused: []string{"-1\t0", "0\t4294967295"}},
	{name: "net/ipv4/tcp_fwmark_accept", accepted: []string{"1", "0", "255"}, refused: []string{"-1", "256"}},
	{name: "net/ipv6/conf/all/accept_redirects", accepted: []string{"1", "0"}, refused: []string{over}},
	{name: "net/ipv6/fwmark_reflect", accepted: []string{"1", "0", "255"}, refused: []string{"-1", "256"}},
	{name: "net/unix/max_dgram_qlen", accepted: []string{"2400", "0", "10"}, refused: []string{"-1", over}},
	{name: "vm/dirty_background_ratio", accepted: []string{"5", "10", "100"}, refused: []string{"-1", "101"}},
	{name: "vm/dirty_expire_centisecs", accepted: []string{"200", "3000"}, refused: []string{"-1", over}},
	{name: "vm/mmap_min_addr", accepted: []string{"32768", "65536"}, refused: []string{"x"}, capability: unix.CAP_SYS_RAWIO},
	{name: "vm/mmap_rnd_bits", mode: 0o600, accepted: []string{"28", "32"}, refused: []string{"27", "33"}},
	{name: "vm/mmap_rnd_compat_bits", mode: 0o600, accepted: []string{"8", "16"}, refused: []string{"7", "17"}},
	{name: "vm/overcommit_memory", accepted: []string{"1", "2", "0"}, refused: []string{"-1", "3"}},
	{name: "vm/watermark_boost_factor", accepted: []string{"0", "15000"}, refused: []string{"-1", over}},
	{name: "vm/watermark_scale_factor", accepted: []string{"1", "3000", "10"}, refused: []string{"0", "3001"}},
}

// path returns the path of s, whose value it restores after the test.
func (s sysctl) path(t *testing.T) string {
	t.Helper()
	path := filepath.Join("/proc/sys", s.name)
	old, err := os.ReadFile(path)
	if os.IsNotExist(err) && onLinux() {
		t.Skip("this kernel has no ", s.name)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.WriteFile(path, old, 0)) })
	return path
}

// readSysctl returns the contents of path, whose last character must end the line.
func readSysctl(t *testing.T, path string) string {
	t.Helper()
	value, err := os.ReadFile(path)
	require.NoError(t, err)
	line, ok := strings.CutSuffix(string(value), "\n")
	require.True(t, ok)
	return line
}

// Sysctls remember what is written to them, and refuse what is invalid.
func TestSysctls(t *testing.T) {
	for _, s := range sysctls {
		t.Run(s.name, func(t *testing.T) {
			path := s.path(t)
			mode := s.mode
			if mode == 0 {
				mode = 0o644
			}
			var stat unix.Stat_t
			require.NoError(t, unix.Stat(path, &stat))
			require.Equal(t, unix.S_IFREG|mode, stat.Mode)

			for _, value := range s.accepted {
				for _, end := range []string{"", "\n"} {
					if value+end == "" {
						continue
					}
					require.NoError(t, os.WriteFile(path, []byte(value+end), 0), "%q", value+end)
					require.Equal(t, value, readSysctl(t, path))
				}
			}
			last := s.accepted[len(s.accepted)-1]
			for _, value := range s.refused {
				require.ErrorIs(t, os.WriteFile(path, []byte(value), 0), unix.EINVAL, "%q", value)
				require.Equal(t, last, readSysctl(t, path), value)
			}

			// Another instance of procfs shows the same.
			dir := t.TempDir()
			require.NoError(t, unix.Mount("proc", dir, "proc", 0, ""))
			defer func() { require.NoError(t, unix.Unmount(dir, 0)) }()
			require.Equal(t, last, readSysctl(t, filepath.Join(dir, "sys", s.name)))
		})
	}
}

// Only root can write sysctls.
func TestSysctlPrivileges(t *testing.T) {
	user := newCaller(t).become(1000)
	confined := newCaller(t).confine()
	for _, s := range sysctls {
		t.Run(s.name, func(t *testing.T) {
			path := s.path(t)
			last := s.accepted[len(s.accepted)-1] + "\n"
			require.NoError(t, os.WriteFile(path, []byte(last), 0))
			write := func(c caller) error {
				c.t = t
				_, err := c.write(path, s.accepted[0])
				return err
			}
			require.Equal(t, unix.EACCES, write(user))
			// Linux relies on container runtimes to make /proc/sys read-only.
			if s.capability != 0 || !onLinux() {
				capability := s.capability
				if strings.HasPrefix(s.name, "net/") {
					capability = unix.CAP_NET_ADMIN
				} else if capability == 0 {
					capability = unix.CAP_SYS_ADMIN
				}
				require.Equal(t, unix.EPERM, write(newCaller(t).without(capability)))
				require.Equal(t, unix.EPERM, write(confined))
			}
			require.Equal(t, strings.TrimSuffix(last, "\n"), readSysctl(t, path))

			require.Equal(t, unix.EPERM, unix.Chmod(path, 0o666))
			require.Equal(t, unix.EPERM, unix.Chown(path, 1000, 1000))
		})
	}
}

// What a write means.
func TestSysctlWrites(t *testing.T) {
	path := sysctl{name: "kernel/kptr_restrict"}.path(t)
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	for _, test := range []struct {
		data string
		n    int
		err  error
		want string
	}{
		{"1", 1, nil, "1"},
		{"  \t1  \n", 7, nil, "1"},
		{"0x2", 3, nil, "2"},
		{"0X1", 3, nil, "1"},
		{"02", 2, nil, "2"},
		{"-0", 2, nil, "0"},
		{"1 2", 2, nil, "1"},
		{"1\n2\n", 2, nil, "1"},
		{"1\n\x00", 2, nil, "1"},
		{"", 0, nil, "0"},
		{"\n", 0, unix.EINVAL, "0"},
		{"x", 0, unix.EINVAL, "0"},
		{"1x", 0, unix.EINVAL, "0"},
		{"0x", 0, unix.EINVAL, "0"},
		{"08", 0, unix.EINVAL, "0"},
		{"+1", 0, unix.EINVAL, "0"},
		{"- 1", 0, unix.EINVAL, "0"},
		{"1\x00", 0, unix.EINVAL, "0"},
		{"1_0", 0, unix.EINVAL, "0"},
		{"99999999999999999999", 0, unix.EINVAL, "0"},
		{"00000000000000000001", 20, nil, "1"},
		{"000000000000000000001", 0, unix.EINVAL, "0"},
	} {
		require.NoError(t, os.WriteFile(path, []byte("0"), 0))
		n, err := unix.Pwrite(fd, []byte(test.data), 0)
		require.Equal(t, test.err, err, "%q", test.data)
		if err == nil {
			require.Equal(t, test.n, n, "%q", test.data)
		}
		require.Equal(t, test.want, readSysctl(t, path), "%q", test.data)
	}

	// A write that doesn't begin at the start is ignored.
	require.NoError(t, os.WriteFile(path, []byte("0"), 0))
	n, err := unix.Pwrite(fd, []byte("2"), 1)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, "0", readSysctl(t, path))

	// A large one is truncated.
	_, err = unix.Pwrite(fd, []byte("1"+strings.Repeat(" ", 1<<16)), 0)
	require.NoError(t, err)
	require.Equal(t, "1", readSysctl(t, path))
}

// Android's init tries values from the largest down, and reads each again through a file
// that it keeps open.
func TestSysctlHighestOption(t *testing.T) {
	for name, bounds := range map[string][2]int{
		"kernel/kptr_restrict":    {4, 2},
		"vm/mmap_rnd_bits":        {32, 32},
		"vm/mmap_rnd_compat_bits": {16, 16},
	} {
		t.Run(name, func(t *testing.T) {
			path := sysctl{name: name}.path(t)
			reader, err := os.Open(path)
			require.NoError(t, err)
			defer reader.Close()
			got := ""
			for value := bounds[0]; value >= bounds[1]; value-- {
				os.WriteFile(path, []byte(fmt.Sprintln(value)), 0)
				_, err := reader.Seek(0, 0)
				require.NoError(t, err)
				buf := make([]byte, 64)
				n, err := reader.Read(buf)
				require.NoError(t, err)
				got = string(buf[:n])
				if got == fmt.Sprintln(value) {
					return
				}
			}
			require.Fail(t, "no value is kept", got)
		})
	}
}

// Sysctls of several numbers keep those that aren't written.
func TestSysctlVectors(t *testing.T) {
	for name, tests := range map[string][][2]string{
		"kernel/printk":             {{"1 2 3 4", "1\t2\t3\t4"}, {"5\t6", "5\t6\t3\t4"}, {"7", "7\t6\t3\t4"}},
		"net/ipv4/ping_group_range": {{"0 9", "0\t9"}, {"8", "8\t9"}, {"9 8", "1\t0"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := sysctl{name: name}.path(t)
			for _, test := range tests {
				require.NoError(t, os.WriteFile(path, []byte(test[0]), 0), test[0])
				require.Equal(t, test[1], readSysctl(t, path), test[0])
			}
		})
	}
}

// Strings end with the line, and are truncated if they don't fit.
func TestSysctlStrings(t *testing.T) {
	path := sysctl{name: "kernel/modprobe"}.path(t)
	for data, want := range map[string]string{
		"/bin/true\nmore":        "/bin/true",
		"/bin/a b":               "/bin/a b",
		"\n":                     "",
		"cut\x00here":            "cut",
		strings.Repeat("x", 300): strings.Repeat("x", 255),
	} {
		require.NoError(t, os.WriteFile(path, []byte(data), 0))
		require.Equal(t, want, readSysctl(t, path), "%q", data)
	}
}

// Host names belong to a namespace.
func TestSysctlHostname(t *testing.T) {
	for _, name := range []string{"kernel/hostname", "kernel/domainname"} {
		t.Run(name, func(t *testing.T) {
			path := sysctl{name: name}.path(t)
			before := readSysctl(t, path)
			c := newCaller(t)
			c.Must(t, unix.SYS_UNSHARE, unix.CLONE_NEWUTS)
			for data, want := range map[string]string{
				"inner\n":                "inner\n",
				"a\nb":                   "a\n",
				strings.Repeat("x", 100): strings.Repeat("x", 64) + "\n",
			} {
				_, err := c.write(path, data)
				require.NoError(t, err, "%q", data)
				value, err := c.read(path)
				require.NoError(t, err)
				require.Equal(t, want, value)
			}
			require.Equal(t, before, readSysctl(t, path))
		})
	}
}

// The sysctl for dropping caches is write-only.
func TestSysctlDropCaches(t *testing.T) {
	const path = "/proc/sys/vm/drop_caches"
	var stat unix.Stat_t
	require.NoError(t, unix.Stat(path, &stat))
	require.EqualValues(t, unix.S_IFREG|0o200, stat.Mode)
	for _, value := range []string{"1", "3", "4\n"} {
		require.NoError(t, os.WriteFile(path, []byte(value), 0), value)
	}
	for _, value := range []string{"0", "5", fmt.Sprint(math.MaxInt64)} {
		require.ErrorIs(t, os.WriteFile(path, []byte(value), 0), unix.EINVAL, value)
	}
}
