// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package selinuxfs

import (
	"strconv"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sentry/fsimpl/kernfs"

	"sentrybinder/pkg/sentry/selinux"
)

// initialContexts holds the contexts of objects without one of their own.
var initialContexts = map[string]string{
	"kernel":     "u:r:kernel:s0",
	"init":       "u:r:kernel:s0",
	"security":   "u:object_r:kernel:s0",
	"devnull":    "u:object_r:null_device:s0",
	"unlabeled":  selinux.Unlabeled,
	"file":       selinux.Unlabeled,
	"any_socket": selinux.Unlabeled,
	"port":       "u:object_r:port:s0",
	"netif":      "u:object_r:netif:s0",
	"netmsg":     selinux.Unlabeled,
	"node":       "u:object_r:node:s0",
}

// newRoot returns the root directory with everything in it.
func (fs *filesystem) newRoot(ctx context.Context) kernfs.Inode {
	return fs.newDir(ctx, 0755, map[string]kernfs.Inode{
		"access":  fs.newTransaction(ctx, answerAccess),
		"context": fs.newTransaction(ctx, answerContext),
		"create":  fs.newTransaction(ctx, answerCreate),
		"member":  fs.newTransaction(ctx, answerMember),
		"relabel": fs.newTransaction(ctx, answerRelabel),
		"user":    fs.newTransaction(ctx, answerUser),

		"enforce":              fs.newSetting(ctx, 0644, "0", takeEnforce),
		"checkreqprot":         fs.newSetting(ctx, 0644, "0", takeAnything),
		"commit_pending_bools": fs.newSetting(ctx, 0200, "", takeNumber),
		"disable":              fs.newSetting(ctx, 0200, "", takeAnything),
		"validatetrans":        fs.newSetting(ctx, 0222, "", takeTransition),
		"load":                 fs.newLoad(ctx),

		"deny_unknown":   fs.newStatic(ctx, "0"),
		"reject_unknown": fs.newStatic(ctx, "0"),
		"mls":            fs.newStatic(ctx, "1"),
		"policyvers":     fs.newStatic(ctx, policyVersion),
		"policy":         fs.newPolicy(ctx),
		"status":         fs.newStatusFile(ctx),
		"null":           fs.newNull(ctx),

		"booleans":         fs.newDir(ctx, 0555, nil),
		"class":            fs.newClasses(ctx),
		"initial_contexts": fs.newInitialContexts(ctx),
	})
}

// newClasses returns the directory class. It has a directory for each class, with the
// numbers of the class and its permissions.
func (fs *filesystem) newClasses(ctx context.Context) kernfs.Inode {
	classes := make(map[string]kernfs.Inode)
	for i, class := range selinux.Classes {
		perms := make(map[string]kernfs.Inode)
		for j, perm := range class.Permissions {
			perms[perm] = fs.newStatic(ctx, strconv.Itoa(j+1))
		}
		classes[class.Name] = fs.newDir(ctx, 0555, map[string]kernfs.Inode{
			"index": fs.newStatic(ctx, strconv.Itoa(i+1)),
			"perms": fs.newDir(ctx, 0555, perms),
		})
	}
	return fs.newDir(ctx, 0555, classes)
}

func (fs *filesystem) newInitialContexts(ctx context.Context) kernfs.Inode {
	files := make(map[string]kernfs.Inode)
	for name, label := range initialContexts {
		files[name] = fs.newStatic(ctx, label+"\x00")
	}
	return fs.newDir(ctx, 0555, files)
}

// newStatic returns a file whose contents are always data.
func (fs *filesystem) newStatic(ctx context.Context, data string) kernfs.Inode {
	return fs.newSetting(ctx, 0444, data, takeNothing)
}

func (fs *filesystem) newDir(ctx context.Context, perm linux.FileMode, children map[string]kernfs.Inode) kernfs.Inode {
	d := &dir{}
	d.init(ctx, fs, linux.ModeDirectory|perm)
	d.refs.Store(1)
	d.OrderedChildren.Init(kernfs.OrderedChildrenOptions{})
	d.IncLinks(d.OrderedChildren.Populate(children))
	return d
}
