//go:build !linux

package e2e_test

import (
	"errors"
	"fmt"
	"syscall"
)

// diskWell is a disk that does not fail; others are on Linux only.
const diskWell = "well"

func ownMounts(string) *syscall.SysProcAttr { return nil }

func failDisk(disk, _ string) error {
	if disk != diskWell {
		return fmt.Errorf("disk %s: %w", disk, errors.ErrUnsupported)
	}
	return nil
}
