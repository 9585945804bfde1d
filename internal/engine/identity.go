package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	lerrors "github.com/syndtr/goleveldb/leveldb/errors"
	lstorage "github.com/syndtr/goleveldb/leveldb/storage"
	"github.com/twmb/franz-go/pkg/kadm"
)

// identityFile tells of which cluster's topics a state directory holds copies.
const identityFile = "identity"

// bind makes sure that the local copies are of the topics that they will be continued from. A
// copy is nothing but a cache of its changelog, so one of another cluster, or of a topic that
// was deleted and made again, is thrown away with a warning and built anew: continued, it would
// mix two histories.
func bind(ctx context.Context, admin *kadm.Client, p *Processor, c Config, dir string) error {
	meta, err := admin.Metadata(ctx, append([]string{p.Table()}, p.Lookups...)...)
	if err != nil {
		return fmt.Errorf("identify cluster: %w", err)
	}
	now := "cluster " + meta.Cluster + "\n"
	for _, topic := range append([]string{p.Table()}, p.Lookups...) {
		// A broker that starts may not know a topic yet, which is no reason to throw a copy away.
		if err := meta.Topics[topic].Err; err != nil {
			return fmt.Errorf("identify %s: %w", topic, err)
		}
		now += topic + " " + meta.Topics[topic].ID.String() + "\n"
	}
	path := filepath.Join(dir, identityFile)
	was, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read identity of state: %w", err)
	}
	if string(was) == now {
		return nil
	}
	if len(was) > 0 {
		c.Log.Warn("the state directory is of other topics and is built anew", "directory", dir,
			"was", string(was), "is", now)
	}
	stores, err := filepath.Glob(filepath.Join(dir, "*.*"))
	if err != nil {
		return fmt.Errorf("list state: %w", err)
	}
	for _, store := range stores {
		if err := os.RemoveAll(store); err != nil {
			return fmt.Errorf("remove state: %w", err)
		}
	}
	if err := os.WriteFile(path, []byte(now), 0o644); err != nil {
		return fmt.Errorf("write identity of state: %w", err)
	}
	return nil
}

// openOrRebuild opens a store; one that is corrupt is thrown away, with a warning, and built anew
// from its changelog. A processor that ended for it would end again at every start.
func (i *instance) openOrRebuild(path, topic string, partition int32) (*store, error) {
	s, err := openStore(path, topic, partition)
	if err != nil && corrupt(err) {
		i.tellCorrupt(path, topic, err)
		if err := os.RemoveAll(path); err != nil {
			return nil, fmt.Errorf("remove corrupt store: %w", err)
		}
		s, err = openStore(path, topic, partition)
	}
	if err != nil {
		return nil, err
	}
	s.onCorrupt = func(err error) { i.tellCorrupt(path, topic, err) }
	return s, nil
}

func (i *instance) tellCorrupt(path, topic string, err error) {
	i.c.Log.Warn("the local copy of a table is corrupt and is built anew", "path", path,
		"error", err)
	i.c.Metrics.rebuilt(topic)
}

// corrupt tells whether a store failed for what is in it, and not for what is around it, such as a
// full disk or another process.
func corrupt(err error) bool {
	var content *lerrors.ErrCorrupted
	var file *lstorage.ErrCorrupted
	return errors.As(err, &content) || errors.As(err, &file) || errors.Is(err, errOffset) ||
		errors.Is(err, os.ErrNotExist)
}
