package list

import (
	"gvisor.dev/gvisor/pkg/context"
	"testing"
)

type todo struct{}
type work interface {
	Counted
	name() string
}
type tr struct {
	Count
	todo Links[work, todo]
	n    string
	dead int
}

func (t *tr) Destroy(context.Context) { t.dead++ }
func (t *tr) name() string            { return t.n }

func TestSmoke(t *testing.T) {
	ctx := context.Background()
	x := &tr{n: "x"}
	u := NewUnique(x)
	a, r := Pair(&u, &x.todo, work(x))
	var l List[work, todo]
	l.PushBack(r)
	b := Convert(&a, work(x))
	for v := range l.All() {
		t.Log(v.name())
	}
	r, _ = l.PopFront()
	r.Release(ctx)
	if x.dead != 0 {
		t.Fatal()
	}
	b.Release(ctx)
	if x.dead != 1 {
		t.Fatal()
	}
}
