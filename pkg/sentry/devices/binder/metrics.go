// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"slices"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/gohacks"
	"gvisor.dev/gvisor/pkg/metric"
)

// The driver's metrics, which gVisor's metric server exports with the sentry's. They cover
// all containers of a sandbox: gVisor requires all values of a metric's labels to be known
// before there's any container.
//
// As with gVisor's own, counters start at zero in a restored sandbox.
var (
	// callTime is the time from sending a call until it is answered, queueTime until a
	// thread takes it.
	callTime = metric.MustCreateNewTimerMetric("/binder/call_nanoseconds", timeBuckets,
		"Time from a call (BC_TRANSACTION) until it is answered (BC_REPLY).")
	queueTime = metric.MustCreateNewTimerMetric("/binder/queue_nanoseconds", timeBuckets,
		"Time from a call (BC_TRANSACTION) until a thread takes it (BR_TRANSACTION).",
		metric.NewField("kind", &kindCall, &kindOneWay))

	// timeBuckets has 32 buckets from 5 us to 8.6 s, each a little more than 60 % wider
	// than the one before.
	timeBuckets = metric.NewExponentialBucketer(32, 1000, 4000, 1.6)
)

// countWait records how long call t waited for the thread that takes it now.
func (t *Transaction) countWait() {
	kind := &kindCall
	if t.oneWay() {
		kind = &kindOneWay
	}
	queueTime.AddSample(gohacks.Nanotime()-t.sent, kind)
}

// Label values, in the order of logKind, result, notice, objectKind and inventory.bytes.
var (
	kindCall   = metric.FieldValue{Value: "call"}
	kindOneWay = metric.FieldValue{Value: "oneway"}
	kindReply  = metric.FieldValue{Value: "reply"}

	kinds   = []*metric.FieldValue{&kindCall, &kindOneWay, &kindReply}
	results = labels("sent", "failed", "dead", "frozen")
	notices = labels("death", "freeze")
	objects = labels(objectNames[:]...)
	states  = labels("used", "idle")
)

func labels(names ...string) (values []*metric.FieldValue) {
	for _, name := range names {
		values = append(values, &metric.FieldValue{Value: name})
	}
	return values
}

// exported is the driver whose metrics are exported, once the sandbox has started.
var exported atomic.Pointer[Driver]

// ExportMetrics exports d's metrics, in place of those of a driver that d replaces at a
// restore.
func ExportMetrics(d *Driver) { exported.Store(d) }

func init() {
	counter := func(name, description string, value func(*traffic, []int) uint64, fields ...label) {
		register(name, metric.Uint64Metadata{Cumulative: true, Description: description}, fields, func(d *Driver, at []int) uint64 {
			return d.sumTraffic(func(t *traffic) uint64 { return value(t, at) })
		})
	}
	gauge := func(name, description string, value func(*inventory, []int) uint64, fields ...label) {
		register(name, metric.Uint64Metadata{Description: description}, fields, func(d *Driver, at []int) uint64 {
			return value(d.inventory(), at)
		})
	}

	counter("/binder/transactions", "Calls, one-way calls and replies, by whether they were sent or how they failed.",
		func(t *traffic, at []int) uint64 { return t.transactions[at[0]][at[1]].Load() },
		label{"kind", kinds}, label{"result", results})
	counter("/binder/notifications", "Death and freeze notifications that processes have read.",
		func(t *traffic, at []int) uint64 { return t.notices[at[0]].Load() },
		label{"kind", notices})
	gauge("/binder/objects", "Objects of the driver, by kind as in binder_logs/stats.",
		func(v *inventory, at []int) uint64 { return v.objects[at[0]] },
		label{"kind", objects})
	gauge("/binder/threads_waiting", "Threads that wait for work of their process.",
		func(v *inventory, _ []int) uint64 { return v.waiting })
	gauge("/binder/processes_frozen", "Open devices whose process is frozen.",
		func(v *inventory, _ []int) uint64 { return v.frozen })
	gauge("/binder/buffers", "Buffers allocated in the mappings of processes.",
		func(v *inventory, _ []int) uint64 { return v.buffers })
	gauge("/binder/buffer_bytes", "Memory of the mappings of processes: used by buffers, or idle until it is reclaimed.",
		func(v *inventory, at []int) uint64 { return v.bytes[at[0]] },
		label{"state", states})
	gauge("/binder/charged_bytes", "Sentry memory that containers make the driver keep.",
		func(v *inventory, _ []int) uint64 { return v.charged })
}

// label is a label of a metric.
type label struct {
	name   string
	values []*metric.FieldValue
}

// register registers a metric. value receives the indices of the labels' values.
func register(name string, m metric.Uint64Metadata, fields []label, value func(d *Driver, at []int) uint64) {
	for _, f := range fields {
		m.Fields = append(m.Fields, metric.NewField(f.name, f.values...))
	}
	metric.MustRegisterCustomUint64Metric(name, m, func(values ...*metric.FieldValue) uint64 {
		d := exported.Load()
		if d == nil {
			return 0
		}
		at := make([]int, len(fields))
		for i, v := range values {
			at[i] = slices.Index(fields[i].values, v)
		}
		return value(d, at)
	})
}
