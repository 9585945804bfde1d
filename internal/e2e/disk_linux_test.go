package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// How the disk of an instance may be.
const (
	diskWell = "well"
	// diskTiny is full before a store is made, diskSmall when some rows are written.
	diskTiny  = "tiny"
	diskSmall = "small"
	// diskLocked is read-only, and has the directories of groups.
	diskLocked = "locked"
)

// ownMounts gives a child that has a disk fault mounts of its own: what it mounts on its state
// directory no other process sees, and it needs no rights on the machine.
func ownMounts(disk string) *syscall.SysProcAttr {
	if disk == diskWell {
		return nil
	}
	return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}}
}

// failDisk puts a disk that fails in the place of the state directory of this process.
func failDisk(disk, dir string) error {
	size := "64m"
	switch disk {
	case diskWell:
		return nil
	case diskTiny:
		size = "16k"
	case diskSmall:
		size = "2m"
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make state directory: %w", err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		return fmt.Errorf("mount a disk: %w", err)
	}
	if disk != diskLocked {
		return nil
	}
	for _, p := range fleet(true) {
		group := filepath.Join(dir, p.Group)
		err := errors.Join(os.Mkdir(group, 0o755), os.WriteFile(filepath.Join(group, "lock"), nil,
			0o644))
		if err != nil {
			return fmt.Errorf("make state directory: %w", err)
		}
	}
	err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
	if err != nil {
		return fmt.Errorf("lock the disk: %w", err)
	}
	return nil
}
