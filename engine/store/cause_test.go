package store

import (
	"errors"
	"io/fs"
	"syscall"
	"testing"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/storage"

	"chargestream/engine/broker"
)

// fullDisk is a storage on which no file of a type can be written.
type fullDisk struct {
	storage.Storage
	of    storage.FileType
	cause syscall.Errno
}

// Create implements storage.Storage.
func (d fullDisk) Create(fd storage.FileDesc) (storage.Writer, error) {
	w, err := d.Storage.Create(fd)
	if err == nil && fd.Type == d.of {
		w = fullFile{w, d.cause}
	}
	return w, err
}

// fullFile is a file that takes no bytes.
type fullFile struct {
	storage.Writer
	cause syscall.Errno
}

func (f fullFile) Write([]byte) (int, error) {
	return 0, &fs.PathError{Op: "write", Path: "MANIFEST-000000", Err: f.cause}
}

func (f fullFile) Sync() error { return nil }

// TestDiskThatFailsWhileAStoreIsMade: the disk is the reason, whichever file could not be written.
func TestDiskThatFailsWhileAStoreIsMade(t *testing.T) {
	lost := 0
	for _, of := range []storage.FileType{storage.TypeManifest, storage.TypeJournal} {
		for _, cause := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS,
			syscall.EIO, syscall.EACCES, syscall.EPERM} {
			disk := fullDisk{storage.NewMemStorage(), of, cause}
			db, err := leveldb.Open(disk, nil)
			if err == nil { // the journal is first written with a row
				err = errors.Join(db.Put([]byte("k"), nil, nil), db.Close())
			}
			if !errors.Is(err, cause) {
				lost++
			}
			if err = withCause("s", err); !errors.Is(err, cause) {
				t.Errorf("%v of file type %v: %v", cause, of, err)
			}
			class := broker.Classify(err)
			if class.Name != "local_disk" || class.Decision != broker.Stop {
				t.Errorf("%v of file type %v: %+v, want a stop for local_disk", cause, of, class)
			}
		}
	}
	if lost == 0 {
		t.Error("goleveldb wraps what it printed so far: withCause is not needed any more")
	}
}

// TestCauseThatIsNotTheDisk is left as it is.
func TestCauseThatIsNotTheDisk(t *testing.T) {
	for _, err := range []error{errors.New("leveldb: closed"), leveldb.ErrNotFound,
		&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}} {
		if got := withCause("s", err); got != err { //nolint:errorlint // it must be the same
			t.Errorf("%v became %v", err, got)
		}
	}
}
