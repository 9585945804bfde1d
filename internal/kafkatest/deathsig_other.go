//go:build !linux

package kafkatest

import "syscall"

// dieWithParent has no counterpart here: a killed test binary leaves its broker running.
func dieWithParent() *syscall.SysProcAttr { return nil }
