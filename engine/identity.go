package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kadm"

	"chargestream/engine/store"
)

// identityFile names the cluster and the topics that the copies of a state directory are of.
const identityFile = "identity"

// bind makes sure that the local copies are of the topics that they will be continued from. A copy
// is only a cache of its changelog. One of another cluster, or of a topic that was deleted and
// recreated, is removed with a warning and restored from the changelog: continued, it would mix two
// histories.
func bind(ctx context.Context, admin *kadm.Client, p *Processor, c Config, dir string) error {
	meta, err := admin.Metadata(ctx, append(p.TableTopics(), p.Lookups...)...)
	if err != nil {
		return fmt.Errorf("identify cluster: %w", err)
	}
	now := "cluster " + meta.Cluster + "\n"
	for _, topic := range append(p.TableTopics(), p.Lookups...) {
		// A broker that starts may not know a topic yet, which is no reason to remove a copy.
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
		c.Log.Warn("the state directory is of other topics and is rebuilt", "directory", dir,
			"was", string(was), "is", now)
	}
	copies, err := filepath.Glob(filepath.Join(dir, "*.*"))
	if err != nil {
		return fmt.Errorf("list state: %w", err)
	}
	for _, path := range copies {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove state: %w", err)
		}
	}
	if err := os.WriteFile(path, []byte(now), 0o644); err != nil {
		return fmt.Errorf("write identity of state: %w", err)
	}
	return nil
}

// openOrRebuild opens a store. A corrupt one is removed with a warning and restored from its
// changelog: a processor that ended for it would end again at every start.
func (i *instance) openOrRebuild(path, topic string, tables int) (*store.Store, error) {
	s, err := store.Open(path, tables)
	if err != nil && store.Corrupt(err) {
		i.reportCorrupt(path, topic, err)
		if err := os.RemoveAll(path); err != nil {
			return nil, fmt.Errorf("remove corrupt store: %w", err)
		}
		s, err = store.Open(path, tables)
	}
	if err != nil {
		return nil, err
	}
	s.OnCorrupt = func(err error) { i.reportCorrupt(path, topic, err) }
	return s, nil
}

func (i *instance) reportCorrupt(path, topic string, err error) {
	i.c.Log.Warn("the local copy of a table is corrupt and is rebuilt", "path", path,
		"error", err)
	i.c.Metrics.rebuilt(topic)
}
