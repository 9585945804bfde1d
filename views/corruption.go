package views

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// ErrCorrupt is returned by lookups for a row that cannot be read, with its topic and its key. A
// row of a later version of the program is one too.
var ErrCorrupt = errors.New("corrupt row")

// errKey is the reason of a row whose key is not its own.
var errKey = errors.New("the key is not that of the value")

// Bounds of what is remembered and shown of corrupt rows.
const (
	// CorruptMax is how many corrupt rows are counted and logged: where there are more, it is not
	// the rows that are at fault.
	CorruptMax = 1000
	// keyShownMax bounds how many bytes of a key are shown: web asks for no longer one.
	keyShownMax = 1024
)

// Counter counts corrupt rows; package cmd makes metrics of it.
type Counter interface {
	// Corrupt counts a row of a topic that could not be read: each key once, up to CorruptMax.
	Corrupt(topic string)
}

// corruption remembers which rows could not be read, as every list comes by them again.
type corruption struct {
	log   *slog.Logger
	count Counter // or nil
	mu    sync.Mutex
	known map[place]bool
}

// place is where a row lies.
type place struct{ topic, key string }

func newCorruption(log *slog.Logger, count Counter) *corruption {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &corruption{log: log, count: count, known: map[place]bool{}}
}

// note takes note of a row that could not be read, and returns the error that says which.
func (c *corruption) note(topic, key string, cause error) error {
	if known, full := c.remember(place{topic, key}); !known {
		if c.count != nil {
			c.count.Corrupt(topic)
		}
		c.log.Warn("row cannot be read", "topic", topic, "key", shown(key), "error", cause)
		if full {
			c.log.Warn("further rows that cannot be read are not logged", "logged", CorruptMax)
		}
	}
	return fmt.Errorf("%w: %s, key %q: %w", ErrCorrupt, topic, shown(key), cause)
}

// remember reports whether a row was known to be corrupt, or must not be shown any more; full
// reports that this was the last one to be shown.
func (c *corruption) remember(p place) (known, full bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known[p] || len(c.known) >= CorruptMax {
		return true, false
	}
	c.known[p] = true
	return false, len(c.known) == CorruptMax
}

// shown is what is logged and returned of a key.
func shown(key string) string { return key[:min(len(key), keyShownMax)] }
