// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"slices"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/gohacks"
	"gvisor.dev/gvisor/pkg/metric"
)

// The driver's metrics, which gVisor's metric server shows with those of the sentry. They
// are of all containers of a sandbox: gVisor wants all values of a metric's labels to be
// known before there's any container.
//
// As with gVisor's own, what is counted begins at zero in a restored sandbox.
var (
	// callTime is from when a call is sent until it is answered, queueTime until a
	// thread has taken it.
	callTime = metric.MustCreateNewTimerMetric("/binder/call_nanoseconds", timeBuckets,
		"Time from a call (BC_TRANSACTION) until it is answered (BC_REPLY).")
	queueTime = metric.MustCreateNewTimerMetric("/binder/queue_nanoseconds", timeBuckets,
		"Time from a call (BC_TRANSACTION) until a thread takes it (BR_TRANSACTION).",
		metric.NewField("kind", &kindCall, &kindOneWay))

	// timeBuckets has 32 buckets, from 5 us, each wider by 60 % and a bit than that
	// before, to 8.6 s.
	timeBuckets = metric.NewExponentialBucketer(32, 1000, 4000, 1.6)
)

// countWait counts how long t, a call, has waited for the thread that takes it now.
func (t *Transaction) countWait() {
	kind := &kindCall
	if t.oneWay() {
		kind = &kindOneWay
	}
	queueTime.AddSample(gohacks.Nanotime()-t.sent, kind)
}

// Values of labels, in the order of logKind, result, notice, objectKind and of
// inventory.bytes.
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

// exported is the driver whose metrics these are, if the sandbox has been started.
var exported atomic.Pointer[Driver]

// ExportMetrics makes the metrics those of d, in place of those of another driver: that
// which a restored one replaces.
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

	counter("/binder/transactions", "Calls, one-way calls and replies, by whether they were sent or by which return they have failed.",
		func(t *traffic, at []int) uint64 { return t.transactions[at[0]][at[1]].Load() },
		label{"kind", kinds}, label{"result", results})
	counter("/binder/notifications", "Notifications of deaths and freezes that processes were told.",
		func(t *traffic, at []int) uint64 { return t.notices[at[0]].Load() },
		label{"kind", notices})
	gauge("/binder/objects", "Objects of the driver, by their kind in binder_logs/stats.",
		func(v *inventory, at []int) uint64 { return v.objects[at[0]] },
		label{"kind", objects})
	gauge("/binder/threads_waiting", "Threads that wait for any work of their process.",
		func(v *inventory, _ []int) uint64 { return v.waiting })
	gauge("/binder/processes_frozen", "Open devices whose process is frozen.",
		func(v *inventory, _ []int) uint64 { return v.frozen })
	gauge("/binder/buffers", "Buffers that are allocated in the mappings of processes.",
		func(v *inventory, _ []int) uint64 { return v.buffers })
	gauge("/binder/buffer_bytes", "Memory of the mappings of processes: used by a buffer, or idle, until it is given back.",
		func(v *inventory, at []int) uint64 { return v.bytes[at[0]] },
		label{"state", states})
	gauge("/binder/charged_bytes", "Memory of the sandbox's own that containers make the driver keep.",
		func(v *inventory, _ []int) uint64 { return v.charged })
}

// label is a label of a metric.
type label struct {
	name   string
	values []*metric.FieldValue
}

// register registers a metric. value gets the places of the labels' values.
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
