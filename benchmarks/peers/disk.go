//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kadm"

	"chargestream/benchmarks/internal/harness"
	"chargestream/topics"
)

// diskOf is how many bytes the files of a folder have.
func diskOf(dir string) (int64, error) {
	var bytes int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it was removed meanwhile
		}
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("size of %s: %w", dir, err)
	}
	return bytes, nil
}

// tableTopics are the changelogs that an instance of chargestream restores.
func tableTopics() []string {
	return []string{topics.Table(topics.TableStations), topics.Table(topics.TableRegistry),
		topics.Table(topics.TableSessions), topics.Table(topics.TableHours)}
}

// changelogs are the records of all tables of chargestream, and the bytes that they take.
func changelogs(ctx context.Context, addr string) (records, bytes int64, err error) {
	names := tableTopics()
	err = harness.Admin(addr, func(adm *kadm.Client) error {
		ends, err := adm.ListEndOffsets(ctx, names...)
		if err != nil {
			return fmt.Errorf("ends of tables: %w", err)
		}
		ends.Each(func(o kadm.ListedOffset) { records += o.Offset })
		return ends.Error()
	})
	if err != nil {
		return 0, 0, err
	}
	all, err := sizes(ctx, addr)
	for _, name := range names {
		bytes += all[name]
	}
	return records, bytes, err
}
