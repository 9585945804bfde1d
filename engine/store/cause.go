package store

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
)

// diskErrors are the errors of the operating system that end a processor: no attempt to come can do
// better (package broker has what they mean).
var diskErrors = []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO,
	syscall.EACCES, syscall.EPERM}

// withCause joins an error of goleveldb with the error of the disk that it has in its text only:
// what fails while a database is made is printed and not wrapped.
func withCause(path string, err error) error {
	for _, cause := range diskErrors {
		if strings.Contains(err.Error(), cause.Error()) && !errors.Is(err, cause) {
			return errors.Join(err, &fs.PathError{Op: "use", Path: path, Err: cause})
		}
	}
	return err
}
