// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package selinux labels tasks and files as SELinux does, and allows everything: it
// is SELinux in permissive mode, for user space that insists on it.
//
// There is no policy. Where a policy would determine a label, this package does what
// Android's policies do, going by the names of types:
//
//   - A task that executes a file of type NAME_exec gets type NAME. Otherwise it keeps
//     its own.
//   - A file without a label has Unlabeled.
//   - Any context of the form USER:ROLE:TYPE:RANGE is valid.
//
// Module is what gVisor asks. Package selinuxfs shows it to applications.
package selinux
