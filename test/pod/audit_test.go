// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"encoding/binary"
	"fmt"
	"os"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// audit becomes the audit daemon if told to, and prints whether there is one.
func audit(command string) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_AUDIT)
	check("socket", err)
	if command == "register" {
		// Mask, Enabled, Failure, PID.
		sendNetlink(fd, unix.AUDIT_SET, unix.AUDIT_STATUS_PID, 0, 0, uint32(os.Getpid()))
		fmt.Println("ready")
		for {
			_ = unix.Pause()
		}
	}
	sendNetlink(fd, unix.AUDIT_GET)
	buf := make([]byte, 8192)
	n, _, err := unix.Recvfrom(fd, buf, 0)
	check("AUDIT_GET", err)
	if n < unix.SizeofNlMsghdr+16 || binary.NativeEndian.Uint16(buf[4:]) != unix.AUDIT_GET {
		check("AUDIT_GET", unix.EPROTO)
	}
	fmt.Println(binary.NativeEndian.Uint32(buf[unix.SizeofNlMsghdr+12:]) != 0)
}

// sendNetlink sends a netlink message that is acknowledged only with errors.
func sendNetlink(fd int, typ uint16, data ...uint32) {
	message := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+4*len(data)))
	message = binary.NativeEndian.AppendUint16(message, typ)
	message = binary.NativeEndian.AppendUint16(message, unix.NLM_F_REQUEST)
	message = append(message, make([]byte, 8)...)
	for _, d := range data {
		message = binary.NativeEndian.AppendUint32(message, d)
	}
	check("send", unix.Sendto(fd, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
}

// TestAuditApart: each container has its own audit daemon.
func TestAuditApart(t *testing.T) {
	controls := func(spec *specs.Spec) {
		caps := []string{"CAP_AUDIT_CONTROL"}
		spec.Process.Capabilities = &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps}
	}
	p := newPod(t)
	p.start("root", nil)
	one, two := p.start("one", controls), p.start("two", controls)
	one.server("audit", "register")
	require.Equal(t, "true\n", one.exec("audit", "get"))
	require.Equal(t, "false\n", two.exec("audit", "get"))
	two.server("audit", "register")
	require.Equal(t, "true\n", two.exec("audit", "get"))
}
