// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package play

import (
	"fmt"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
)

// openReports subscribes to the reports of failed transactions.
func (w *World) openReports() error {
	w.reports = -1
	c, err := genetlink.Dial(nil)
	if err != nil {
		return fmt.Errorf("generic netlink: %w", err)
	}
	defer c.Close()
	family, err := c.GetFamily(binder.BINDER_FAMILY_NAME)
	if err != nil {
		return fmt.Errorf("generic netlink family %s: %w", binder.BINDER_FAMILY_NAME, err)
	}
	// c itself is not used, since Go's poller would wake up for it.
	if w.reports, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC); err != nil {
		return err
	}
	if err := unix.Bind(w.reports, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	for _, g := range family.Groups {
		if err := unix.SetsockoptInt(w.reports, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, int(g.ID)); err != nil {
			return err
		}
	}
	return nil
}

// reported records the reports that have arrived since the last call.
func (w *World) reported() {
	if w.reports < 0 {
		return
	}
	var b [4096]byte
	for {
		n, _, err := unix.Recvfrom(w.reports, b[:], unix.MSG_DONTWAIT)
		switch err {
		case nil:
			w.printf("  report%s\n", w.describeReport(b[:n]))
		case unix.EAGAIN:
			return
		default:
			w.printf("  report: %v\n", err)
		}
	}
}

// describeReport returns the canonical form of a report.
func (w *World) describeReport(b []byte) string {
	const headers = unix.SizeofNlMsghdr + 4
	if len(b) < headers {
		return " cut short"
	}
	d, err := netlink.NewAttributeDecoder(b[headers:])
	if err != nil {
		return fmt.Sprint(": ", err)
	}
	text := ""
	for d.Next() {
		switch typ := d.Type(); typ {
		case binder.BINDER_A_REPORT_CONTEXT:
			text += fmt.Sprint(" ", d.String())
		case binder.BINDER_A_REPORT_FROM_PID, binder.BINDER_A_REPORT_TO_PID, binder.BINDER_A_REPORT_FROM_TID, binder.BINDER_A_REPORT_TO_TID:
			text += fmt.Sprintf(" %d=%s", typ, w.threadName(int(d.Uint32())))
		case binder.BINDER_A_REPORT_IS_REPLY:
			text += " reply"
		default:
			text += fmt.Sprintf(" %d=%#x", typ, d.Uint32())
		}
	}
	return text
}

// threadName returns the canonical form of a thread's ID.
func (w *World) threadName(tid int) string {
	for _, p := range w.procs {
		if p == nil {
			continue
		}
		for _, th := range p.threads {
			if th.TID == tid {
				return fmt.Sprintf("P%d.%d", p.index, th.index)
			}
		}
	}
	return "?"
}
