package engine

import (
	"github.com/lovoo/goka"
)

// Graph is the processor as goka declares one, whole in itself: it keeps its rows through goka's
// own context, so goka's tester can run it. Run does not use it, as goka writes each row and
// each offset by itself. What a timer changes in the row of another key is kept beside goka's
// table, which a callback can only write for its own key.
func (p *Processor) Graph() *goka.GroupGraph {
	back := &contextBackend{rows: map[string][]byte{}}
	t := newTask(p, 0, 1, back)
	return p.graph(func(ctx goka.Context, value any) {
		back.ctx = ctx
		m := messageOf(ctx, value)
		if err := t.process(m); err != nil {
			ctx.Fail(err)
		}
	})
}

// contextBackend is the world of a task that goka keeps.
type contextBackend struct {
	ctx  goka.Context
	rows map[string][]byte
}

func (b *contextBackend) get(key string) ([]byte, error) {
	if row, ok := b.rows[key]; ok || key != b.ctx.Key() {
		return row, nil
	}
	row, ok := b.ctx.Value().([]byte)
	if !ok {
		return nil, nil
	}
	return row, nil
}

func (b *contextBackend) set(key string, row []byte) {
	b.rows[key] = row
	switch {
	case key != b.ctx.Key():
	case row == nil:
		b.ctx.Delete()
	default:
		b.ctx.SetValue(row)
	}
}

func (b *contextBackend) emit(r *outRecord) {
	headers := goka.Headers{}
	for _, h := range r.headers {
		headers[h.Key] = h.Value
	}
	b.ctx.Emit(goka.Stream(r.topic), r.key, r.value, goka.WithCtxEmitHeaders(headers))
}

func (b *contextBackend) lookup(topic, key string) ([]byte, error) {
	row, ok := b.ctx.Lookup(goka.Table(topic), key).([]byte)
	if !ok {
		return nil, nil
	}
	return row, nil
}
