// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

// The generic netlink family, from uapi/linux/android/binder_netlink.h.
const (
	BINDER_FAMILY_NAME    = "binder"
	BINDER_FAMILY_VERSION = 1

	BINDER_MCGRP_REPORT = "report"
	BINDER_CMD_REPORT   = 1
)

// The attributes of BINDER_CMD_REPORT.
const (
	BINDER_A_REPORT_ERROR     = 1
	BINDER_A_REPORT_CONTEXT   = 2
	BINDER_A_REPORT_FROM_PID  = 3
	BINDER_A_REPORT_FROM_TID  = 4
	BINDER_A_REPORT_TO_PID    = 5
	BINDER_A_REPORT_TO_TID    = 6
	BINDER_A_REPORT_IS_REPLY  = 7
	BINDER_A_REPORT_FLAGS     = 8
	BINDER_A_REPORT_CODE      = 9
	BINDER_A_REPORT_DATA_SIZE = 10
)
