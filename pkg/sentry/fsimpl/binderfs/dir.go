// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binderfs

import (
	"fmt"
	"slices"
	"sort"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sentry/fsimpl/kernfs"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
)

// dir is a directory. Files can be removed and renamed only in an instance's root, and
// only binder-control adds any.
//
// Its mu comes after the locks of kernfs.
//
// +stateify savable
type dir struct {
	inode
	kernfs.InodeAlwaysValid

	// isRoot is true for an instance's root.
	isRoot bool

	locks vfs.FileLocks

	// none is the empty list of children that kernfs manages itself.
	none kernfs.OrderedChildren

	mu dirMutex `state:"nosave"`

	// entries holds the directory's entries by name.
	// +checklocks:mu
	entries map[string]*entry

	// order holds the same entries, oldest first, and some that are gone.
	// +checklocks:mu
	order []*entry

	// nextSeq is the seq of the next entry.
	// +checklocks:mu
	nextSeq int64
}

// entry is a file in a directory. It holds a reference to the file.
//
// +stateify savable
type entry struct {
	name  string
	inode numbered

	// seq is greater than that of every older entry of the directory.
	seq int64

	// gone is true if the entry has left the directory.
	gone bool
}

// makeDir returns an empty directory with one reference.
func (fs *filesystem) makeDir(ctx context.Context, o owner, ino uint64) *dir {
	d := &dir{}
	d.init(ctx, fs, o, ino, linux.ModeDirectory|0755)
	d.none.Init(kernfs.OrderedChildrenOptions{})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = make(map[string]*entry)
	return d
}

// mustAdd adds an inode to a directory without an entry of that name. The reference
// to i becomes the directory's.
func (*filesystem) mustAdd(ctx context.Context, d *dir, name string, i numbered) {
	if err := d.add(ctx, name, i); err != nil {
		panic(fmt.Sprintf("binderfs: %q: %v", name, err))
	}
}

// numbered is an inode with its number and links.
type numbered interface {
	kernfs.Inode
	Ino() uint64
	DecLinks()
}

// add adds an inode. On success the reference to i becomes d's.
//
// Errors: EEXIST if the name is taken.
func (d *dir) add(ctx context.Context, name string, i numbered) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.entries[name]; ok {
		return linuxerr.EEXIST
	}
	d.addLocked(ctx, name, i)
	return nil
}

// +checklocks:d.mu
func (d *dir) addLocked(ctx context.Context, name string, i numbered) {
	e := &entry{name: name, inode: i, seq: d.nextSeq}
	d.nextSeq++
	d.entries[name] = e
	d.order = append(d.order, e)
	if i.Mode().IsDir() {
		d.IncLinks(1)
	}
	d.TouchCMtime(ctx)
}

// removeLocked removes e. Its reference to the inode becomes the caller's.
//
// +checklocks:d.mu
func (d *dir) removeLocked(ctx context.Context, e *entry) {
	delete(d.entries, e.name)
	e.gone = true
	if e.inode.Mode().IsDir() {
		d.DecLinks()
	}
	if len(d.order) > 2*len(d.entries)+16 {
		d.order = slices.Clip(slices.DeleteFunc(d.order, func(e *entry) bool { return e.gone }))
	}
	d.TouchCMtime(ctx)
}

// DecRef implements kernfs.Inode.DecRef.
func (d *dir) DecRef(ctx context.Context) {
	if !d.drop() {
		return
	}
	d.mu.Lock()
	entries := d.entries
	d.entries, d.order = nil, nil
	d.mu.Unlock()
	for _, e := range entries {
		e.inode.DecRef(ctx)
	}
}

// Lookup implements kernfs.Inode.Lookup.
func (d *dir) Lookup(_ context.Context, name string) (kernfs.Inode, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.entries[name]
	if !ok {
		return nil, linuxerr.ENOENT
	}
	e.inode.IncRef()
	return e.inode, nil
}

// HasChildren implements kernfs.Inode.HasChildren. It returns false, so that kernfs
// calls RmDir.
func (d *dir) HasChildren() bool { return false }

// refuse returns EEXIST if name is taken, and otherwise err.
func (d *dir) refuse(name string, err error) (kernfs.Inode, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.entries[name]; ok {
		return nil, linuxerr.EEXIST
	}
	return nil, err
}

// NewFile implements kernfs.Inode.NewFile.
func (d *dir) NewFile(_ context.Context, name string, _ vfs.OpenOptions) (kernfs.Inode, error) {
	return d.refuse(name, linuxerr.EACCES)
}

// NewDir implements kernfs.Inode.NewDir.
func (d *dir) NewDir(_ context.Context, name string, _ vfs.MkdirOptions) (kernfs.Inode, error) {
	return d.refuse(name, linuxerr.EPERM)
}

// NewLink implements kernfs.Inode.NewLink.
func (d *dir) NewLink(_ context.Context, name string, _ kernfs.Inode) (kernfs.Inode, error) {
	return d.refuse(name, linuxerr.EPERM)
}

// NewSymlink implements kernfs.Inode.NewSymlink.
func (d *dir) NewSymlink(_ context.Context, name, _ string) (kernfs.Inode, error) {
	return d.refuse(name, linuxerr.EPERM)
}

// NewNode implements kernfs.Inode.NewNode.
func (d *dir) NewNode(_ context.Context, name string, _ vfs.MknodOptions) (kernfs.Inode, error) {
	return d.refuse(name, linuxerr.EPERM)
}

// Unlink implements kernfs.Inode.Unlink.
func (d *dir) Unlink(ctx context.Context, name string, child kernfs.Inode) error {
	if !isDevice(child) || !d.isRoot {
		return linuxerr.EPERM
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.entries[name]
	if e == nil || e.inode != child {
		return linuxerr.ENOENT
	}
	d.removeLocked(ctx, e)
	e.inode.DecLinks()
	e.inode.DecRef(ctx)
	return nil
}

// RmDir implements kernfs.Inode.RmDir.
func (d *dir) RmDir(context.Context, string, kernfs.Inode) error { return linuxerr.EPERM }

// Rename implements kernfs.Inode.Rename. Directories keep their parent, so that none
// can move into itself.
//
// +checklocksignore: the other directory may be the same.
func (d *dir) Rename(ctx context.Context, oldName, newName string, child, dstDir kernfs.Inode) error {
	dst, ok := dstDir.(*dir)
	if !ok || !d.isRoot {
		return linuxerr.EPERM
	}
	if dstDir == child {
		return linuxerr.EINVAL
	}
	// kernfs lets one rename at a time hold two directories' locks.
	d.mu.Lock()
	defer d.mu.Unlock()
	if dst != d {
		dst.mu.NestedLock()
		defer dst.mu.NestedUnlock()
	}
	e := d.entries[oldName]
	if e == nil || e.inode != child {
		return linuxerr.ENOENT
	}
	replaced := dst.entries[newName]
	if replaced != nil {
		switch isDir := child.Mode().IsDir(); {
		case ctx.Value(noReplace{}) != nil:
			return linuxerr.EEXIST
		case isDir && !replaced.inode.Mode().IsDir():
			return linuxerr.ENOTDIR
		case isDir:
			return linuxerr.ENOTEMPTY
		case replaced.inode.Mode().IsDir():
			return linuxerr.EISDIR
		case !isDevice(replaced.inode):
			return linuxerr.EPERM
		}
	}
	if !isDevice(child) && (!child.Mode().IsDir() || dst != d) {
		return linuxerr.EPERM
	}
	if replaced != nil {
		dst.removeLocked(ctx, replaced)
		replaced.inode.DecLinks()
		replaced.inode.DecRef(ctx)
	}
	d.removeLocked(ctx, e)
	dst.addLocked(ctx, newName, e.inode)
	return nil
}

func isDevice(i kernfs.Inode) bool {
	_, ok := i.(*device)
	return ok
}

// noReplace is the context key that tells Rename to replace nothing.
type noReplace struct{}

// RenameAt implements vfs.FilesystemImpl.RenameAt. kernfs doesn't know names that were
// never looked up, so RENAME_NOREPLACE is left to dir.Rename.
func (fs *filesystem) RenameAt(ctx context.Context, rp *vfs.ResolvingPath, oldParent vfs.VirtualDentry, oldName string, opts vfs.RenameOptions) error {
	if opts.Flags == linux.RENAME_NOREPLACE {
		ctx = context.WithValue(ctx, noReplace{}, true)
	}
	return fs.Filesystem.RenameAt(ctx, rp, oldParent, oldName, opts)
}

// Open implements kernfs.Inode.Open.
func (d *dir) Open(ctx context.Context, rp *vfs.ResolvingPath, kd *kernfs.Dentry, opts vfs.OpenOptions) (*vfs.FileDescription, error) {
	fd := &dirFD{}
	if err := fd.Init(&d.none, &d.locks, &opts, kernfs.GenericDirectoryFDOptions{SeekEnd: kernfs.SeekEndZero}); err != nil {
		return nil, err
	}
	if err := fd.VFSFileDescription().Init(fd, opts.Flags, rp.Credentials(), rp.Mount(), kd.VFSDentry(), &vfs.FileDescriptionOptions{}); err != nil {
		return nil, err
	}
	return fd.VFSFileDescription(), nil
}

// endOfDir is greater than any entry's seq.
const endOfDir = 1 << 40

// IterDirents implements kernfs.Inode.IterDirents. The newest entry comes first. An
// entry's offset never changes, so that a reader sees each at most once.
func (d *dir) IterDirents(ctx context.Context, mnt *vfs.Mount, cb vfs.IterDirentsCallback, offset, relOffset int64) (int64, error) {
	d.TouchAtime(ctx, mnt)
	for {
		e, ok := d.older(endOfDir - relOffset)
		if !ok {
			return offset, nil
		}
		next := endOfDir - e.seq + 1
		nextOff := offset + next - relOffset
		if err := cb.Handle(vfs.Dirent{
			Name:    e.name,
			Type:    e.inode.Mode().DirentType(),
			Ino:     e.inode.Ino(),
			NextOff: nextOff,
		}); err != nil {
			return offset, err
		}
		offset, relOffset = nextOff, next
	}
}

// older returns the newest entry whose seq is at most seq.
func (d *dir) older(seq int64) (*entry, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	order := d.order
	i := sort.Search(len(order), func(i int) bool { return order[i].seq > seq })
	for i--; i >= 0; i-- {
		if !order[i].gone {
			return order[i], true
		}
	}
	return nil, false
}

// dirFD is an open directory.
//
// +stateify savable
type dirFD struct {
	kernfs.GenericDirectoryFD
}

// Seek implements vfs.FileDescriptionImpl.Seek.
func (fd *dirFD) Seek(ctx context.Context, offset int64, whence int32) (int64, error) {
	if whence == linux.SEEK_END {
		return 0, linuxerr.EINVAL
	}
	return fd.GenericDirectoryFD.Seek(ctx, offset, whence)
}

// Sync implements vfs.FileDescriptionImpl.Sync.
func (*dirFD) Sync(context.Context, vfs.SyncOptions) error { return nil }
