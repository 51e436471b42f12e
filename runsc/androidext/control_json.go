// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"slices"

	"sentrybinder/pkg/sentry/devices/binder"
	"sentrybinder/runsc/bindercmd"
)

// domainJSON holds the first members of a domain's object. Lists follow them.
type domainJSON struct {
	Container string `json:"container,omitempty"`
	Name      string `json:"name"`
}

// statsJSON holds a domain's counts.
type statsJSON struct {
	domainJSON
	Commands map[string]uint64          `json:"commands"`
	Returns  map[string]uint64          `json:"returns"`
	Objects  map[string]objectCountJSON `json:"objects"`
}

// failedJSON holds what was refused in a domain, other than transactions.
type failedJSON struct {
	domainJSON
	RefusedCommands []binder.Refused `json:"refused_commands"`
}

type objectCountJSON struct {
	Active uint64 `json:"active"`
	Total  uint64 `json:"total"`
}

// writeJSON writes the log as an array of domains, without building all of it first.
func (w *logWriter) writeJSON() error {
	prefix := "["
	for _, d := range w.domains {
		head := domainJSON{Container: d.containerID, Name: d.Name()}
		view := d.OperatorView(w.pids)
		var err error
		switch w.args.Log {
		case bindercmd.Stats:
			stats := statsJSON{domainJSON: head, Objects: make(map[string]objectCountJSON)}
			w.b.whileRunning(func() {
				var objects []binder.ObjectCount
				stats.Commands, stats.Returns, objects = view.Counts()
				for _, o := range objects {
					stats.Objects[o.Name] = objectCountJSON{o.Active, o.Total}
				}
			})
			err = writeList(w, prefix, stats, "processes", w.processes(view, true))
		case bindercmd.Failed:
			failed := failedJSON{domainJSON: head}
			var failures []binder.FailedTransaction
			w.b.whileRunning(func() {
				failed.RefusedCommands = slices.AppendSeq(make([]binder.Refused, 0), view.Refusals())
				failures = slices.Collect(view.Failures())
			})
			err = writeList(w, prefix, failed, "transactions", slices.Values(failures))
		case bindercmd.PS:
			err = writeList(w, prefix, head, "processes", w.processes(view, false))
		default:
			return fmt.Errorf("log %q is not available as JSON", w.args.Log)
		}
		if err != nil {
			return err
		}
		prefix = ",\n"
	}
	_, err := w.file.WriteString("]\n")
	return err
}

// writeList writes prefix, and head, an object, with an additional member, the array list.
func writeList[T any](w *logWriter, prefix string, head any, member string, list iter.Seq[T]) error {
	text, err := json.Marshal(head)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.file, "%s%s,%q:[", prefix, text[:len(text)-1], member)
	comma := ""
	for elem := range list {
		if err != nil {
			return err
		}
		text, err = json.Marshal(elem)
		if err == nil {
			_, err = fmt.Fprintf(w.file, "%s\n%s", comma, text)
		}
		comma = ","
	}
	if err != nil {
		return err
	}
	_, err = w.file.WriteString("]}")
	return err
}

// processes returns the counts of view's processes, which it queries one at a time.
func (w *logWriter) processes(view *binder.View, commands bool) iter.Seq[binder.ProcessStats] {
	return func(yield func(binder.ProcessStats) bool) {
		before := uint64(math.MaxUint64)
		for {
			var s binder.ProcessStats
			var ok bool
			w.b.whileRunning(func() { s, ok = view.ProcessStats(before, commands) })
			if !ok || !yield(s) {
				return
			}
			before = s.Seq
		}
	}
}

// writePS lists processes as text.
func (w *logWriter) writePS() error {
	for _, d := range w.domains {
		const format = "%-8v %-20v %8v %8v %8v %8v %8v\n"
		if _, err := fmt.Fprintf(w.file, "%s"+format, d.title(), "PID", "DEVICE", "THREADS", "NODES", "REFS", "BUFFERS", "PENDING"); err != nil {
			return err
		}
		for s := range w.processes(d.OperatorView(w.pids), false) {
			if _, err := fmt.Fprintf(w.file, format, s.PID, s.Context, s.Threads, s.Nodes, s.Refs, s.Buffers, s.PendingTransactions); err != nil {
				return err
			}
		}
	}
	return nil
}
