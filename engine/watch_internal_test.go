package engine

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// SetClock lets a test choose the times at which a watch looks.
func (w *Watch) SetClock(clock func() time.Time) { w.clock = clock }

// LookOnce looks once.
func (w *Watch) LookOnce(ctx context.Context, client *kgo.Client) { w.look(ctx, client) }
