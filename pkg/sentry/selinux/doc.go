// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package selinux labels tasks and files as SELinux does, and allows everything: it
// is SELinux in permissive mode, for user space that insists on it.
//
// There is no policy. Where one would decide what a label is, this package does what
// Android's policies do, by the names of types:
//
//   - Whoever executes a file of type NAME_exec gets type NAME, and keeps it
//     otherwise.
//   - A file without a label has Unlabeled.
//   - Any context is valid that has the form USER:ROLE:TYPE:RANGE.
//
// Module is what gVisor asks. Package selinuxfs shows it to applications.
package selinux
