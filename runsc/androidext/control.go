// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"slices"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/sentry/kernel"

	"sentrybinder/pkg/sentry/devices/binder"
	"sentrybinder/runsc/bindercmd"
)

// Binder is the object of the sandbox's control server that "runsc binder" calls. Only
// the sandbox's owner can connect to the control server.
type Binder struct {
	kernel *kernel.Kernel
	driver *atomic.Pointer[binder.Driver]
}

// WriteLog writes a log to the file in args, in pieces, between which the sandbox runs.
func (b *Binder) WriteLog(args *bindercmd.LogArgs, _ *struct{}) error {
	if len(args.Files) != 1 {
		return fmt.Errorf("got %d files to write to, want 1", len(args.Files))
	}
	w := &logWriter{b: b, args: args, file: args.Files[0]}
	if err := w.findDomains(); err != nil {
		return err
	}
	if args.JSON {
		return w.writeJSON()
	}
	return w.writeText()
}

// whileRunning calls f, which may take locks and references, while the kernel isn't
// being saved.
func (b *Binder) whileRunning(f func()) {
	done := make(chan struct{})
	b.kernel.Timekeeper().AfterFunc(0, func() {
		defer close(done)
		f()
	})
	<-done
}

// domain is a domain of the driver.
type domain struct {
	*binder.Domain

	// containerID is the container whose /dev has the domain's devices, or empty.
	containerID string
}

// title returns the title of the domain's log as text.
func (d *domain) title() string {
	if d.containerID == "" {
		return fmt.Sprintf("# %s\n", d.Name())
	}
	return fmt.Sprintf("# %s of container %s\n", d.Name(), d.containerID)
}

// logWriter executes a call of WriteLog.
type logWriter struct {
	b    *Binder
	args *bindercmd.LogArgs
	file *os.File

	domains []domain
	pids    *kernel.PIDNamespace
}

// findDomains finds the domains to show, and the PID namespace to show them in.
func (w *logWriter) findDomains() error {
	var err error
	w.b.whileRunning(func() {
		driver := w.b.driver.Load()
		if driver == nil {
			err = fmt.Errorf("the sandbox has not been started")
			return
		}
		if w.pids = pidNamespace(w.b.kernel, w.args.PIDsOf); w.pids == nil {
			err = fmt.Errorf("container %q has no processes", w.args.PIDsOf)
			return
		}
		ids := []string{w.args.ContainerID}
		if w.args.ContainerID == "" {
			ids = driver.Containers()
		}
		seen := make(map[*binder.Domain]struct{})
		for _, id := range ids {
			domains, ok := driver.Domains(id)
			if !ok && id == w.args.ContainerID {
				err = fmt.Errorf("container %q has not been started", id)
				return
			}
			for i, d := range domains {
				if _, ok := seen[d]; ok {
					continue
				}
				seen[d] = struct{}{}
				next := domain{Domain: d}
				if i == 0 {
					next.containerID = id
				}
				w.domains = append(w.domains, next)
			}
		}
	})
	return err
}

// pidNamespace returns a container's PID namespace, which is its first process's, or nil
// if the container has no processes. Without an ID, it returns the root namespace.
func pidNamespace(k *kernel.Kernel, containerID string) *kernel.PIDNamespace {
	root := k.RootPIDNamespace()
	if containerID == "" {
		return root
	}
	var tgs []*kernel.ThreadGroup
	for _, tg := range root.ThreadGroups() {
		if tg.Leader().ContainerID() == containerID {
			tgs = append(tgs, tg)
		}
	}
	if len(tgs) == 0 {
		return nil
	}
	return slices.MinFunc(tgs, func(a, b *kernel.ThreadGroup) int {
		return cmp.Compare(root.IDOfThreadGroup(a), root.IDOfThreadGroup(b))
	}).PIDNamespace()
}

// textLogs maps logs to those that the driver writes.
var textLogs = map[string]binder.LogKind{
	bindercmd.State:        binder.LogState,
	bindercmd.Transactions: binder.LogTransactions,
	bindercmd.Proc:         binder.LogProcess,
	bindercmd.Stats:        binder.LogStats,
	bindercmd.Last:         binder.LogLast,
	bindercmd.Failed:       binder.LogFailed,
}

// writeText writes the log as text, with a title for each domain.
func (w *logWriter) writeText() error {
	if w.args.Log == bindercmd.PS {
		return w.writePS()
	}
	kind, ok := textLogs[w.args.Log]
	if !ok {
		return fmt.Errorf("unknown log %q", w.args.Log)
	}
	for _, d := range w.domains {
		buf := bytes.NewBufferString(d.title())
		var place binder.LogPlace
		for more := true; more; {
			w.b.whileRunning(func() {
				ctx := w.b.kernel.SupervisorContext()
				more = d.OperatorView(w.pids).WriteLog(ctx, buf, binder.Log{Kind: kind, PID: w.args.PID}, &place)
			})
			if _, err := buf.WriteTo(w.file); err != nil {
				return err
			}
		}
	}
	return nil
}
