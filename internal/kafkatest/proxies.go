package kafkatest

// Proxies are the proxies before the nodes of a cluster, as one.
type Proxies []*Proxy

// Addrs is where clients connect to that are to be behind the proxies.
func (p Proxies) Addrs() []string {
	addrs := make([]string, len(p))
	for i, one := range p {
		addrs[i] = one.Addr()
	}
	return addrs
}

// Cut is Proxy.Cut of all.
func (p Proxies) Cut() int {
	n := 0
	for _, one := range p {
		n += one.Cut()
	}
	return n
}

// Refuse is Proxy.Refuse of all.
func (p Proxies) Refuse(on bool) {
	for _, one := range p {
		one.Refuse(on)
	}
}

// Stall is Proxy.Stall of all.
func (p Proxies) Stall(on bool) {
	for _, one := range p {
		one.Stall(on)
	}
}

// FailProduce is Proxy.FailProduce of all.
func (p Proxies) FailProduce(fault ProduceFault) FailingProduces {
	fails := make(FailingProduces, len(p))
	for i, one := range p {
		fails[i] = one.FailProduce(fault)
	}
	return fails
}

// FailingProduces is a ProduceFault in force at several proxies.
type FailingProduces []*FailingProduce

// Hits is FailingProduce.Hits of all.
func (f FailingProduces) Hits() int {
	n := 0
	for _, one := range f {
		n += one.Hits()
	}
	return n
}

// End is FailingProduce.End of all.
func (f FailingProduces) End() {
	for _, one := range f {
		one.End()
	}
}
