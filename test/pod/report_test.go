// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"

	"sentrybinder/pkg/abi/binder"
)

// recorded holds what the first process of a container receives.
const recorded = "/dev/reports"

// listen writes to w the reports of failed transactions that it receives.
func listen(w io.Writer) {
	c, err := genetlink.Dial(nil)
	check("dialing generic netlink", err)
	family, err := c.GetFamily(binder.BINDER_FAMILY_NAME)
	check("looking for the family", err)
	for _, g := range family.Groups {
		check("joining "+g.Name, c.JoinGroup(g.ID))
	}
	fmt.Fprintln(w, "ready")
	for {
		msgs, _, err := c.Receive()
		check("receiving", err)
		for _, m := range msgs {
			d, err := netlink.NewAttributeDecoder(m.Data)
			check("decoding", err)
			attrs := map[uint16]uint32{}
			var device string
			for d.Next() {
				if d.Type() == binder.BINDER_A_REPORT_CONTEXT {
					device = d.String()
				} else {
					attrs[d.Type()] = d.Uint32()
				}
			}
			check("decoding", d.Err())
			_, known := attrs[binder.BINDER_A_REPORT_TO_PID]
			fmt.Fprintf(w, "%s from %d to %d (%t)\n", device, attrs[binder.BINDER_A_REPORT_FROM_PID],
				attrs[binder.BINDER_A_REPORT_TO_PID], known)
		}
	}
}

// fail makes a call that fails, and prints the process's ID.
func fail(device string) {
	c := open(device)
	cmd := transaction(binder.BC_TRANSACTION, nil)
	var tr binder.TransactionData
	tr.UnmarshalBytes(cmd[4:])
	tr.DataSize, tr.Buffer = 8, 8 // There is no memory there.
	tr.MarshalBytes(cmd[4:])
	c.write(cmd)
	if br, _ := c.await(); br != binder.BR_FAILED_REPLY && br != binder.BR_DEAD_REPLY {
		fmt.Printf("%#x\n", br)
	}
	fmt.Print(os.Getpid())
}

// requireSilent checks that listener, which is in c, has received nothing since: its next
// report is of c's own failure.
func (c *container) requireSilent(listener *server) {
	c.t.Helper()
	pid := c.exec("fail", "/dev/vndbinder")
	listener.expect("vndbinder from %s to 0 (false)", pid)
}

// TestReportsApart: a listener to reports of failed transactions receives those of its
// own container.
func TestReportsApart(t *testing.T) {
	p := newPod(t)
	one, two := p.start("one", private()), p.start("two", private())
	here, there := one.server("listen"), two.server("listen")
	for _, device := range []string{"/dev/binder", binderfs + "/binder"} {
		pid := one.exec("fail", device)
		here.expect("binder from %s to 0 (false)", pid)
	}
	two.requireSilent(there)
	one.requireSilent(here)
}

// TestReportsShared: a report of a failure in a shared binderfs goes to the containers of
// the sender and of the receiver, with each one's IDs for the processes.
func TestReportsShared(t *testing.T) {
	p := newPod(t)
	source := t.TempDir()
	p.start("root", sharedHint(source))
	serving := func(spec *specs.Spec) { spec.Process.Args = []string{"/agent", "serve", binderfs + "/binder", "one"} }
	one := p.start("one", both(shared(source), serving))
	two, three := p.start("two", shared(source)), p.start("three", shared(source))
	one.await(binderfs+"/binder", "one")
	sender, receiver, bystander := two.server("listen"), one.server("listen"), three.server("listen")
	pid := two.exec("fail", binderfs+"/binder")
	sender.expect("binder from %s to 0 (true)", pid)
	receiver.expect("binder from 0 to 1 (true)")
	three.requireSilent(bystander)
	two.requireSilent(sender)
}

// TestReportsRestored: listeners keep listening after a restore.
func TestReportsRestored(t *testing.T) {
	recording := func(spec *specs.Spec) { spec.Process.Args = []string{"/agent", "record"} }
	p := newPod(t)
	c := p.start("root", recording)
	c.awaitRecord("ready\n")
	first := fmt.Sprintf("ready\nvndbinder from %s to 0 (false)\n", c.exec("fail", "/dev/vndbinder"))
	c.awaitRecord(first)
	image := filepath.Join(p.dir, "image")
	p.run("checkpoint", "--image-path="+image, c.id)
	c.delete()

	p.id = ""
	c = p.create("root", recording)
	p.run("restore", "--detach", "--image-path="+image, c.id)
	c.awaitRecord(first)
	pid := c.exec("fail", "/dev/hwbinder")
	c.awaitRecord(first + fmt.Sprintf("hwbinder from %s to 0 (false)\n", pid))
}

// awaitRecord waits until the container's first process has received all reports.
func (c *container) awaitRecord(want string) {
	c.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		got, err := c.try(c.agent([]string{"cat", recorded})...)
		if err == nil && got == want {
			return
		}
		if time.Now().After(deadline) {
			require.Equal(c.t, want, got)
		}
	}
}
